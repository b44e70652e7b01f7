"""One frame of a DICOM file as a loaded image."""

from secondread.imaging.dicom.file import open_dicom
from secondread.imaging.loaded import LoadedImage


def load_dicom(data: bytes, name: str, *, frame: int = 0) -> LoadedImage:
    """Decode one frame of a DICOM file.

    Args:
        data: The whole file.
        name: The source as the caller typed it, for messages.
        frame: From 0.

    Raises:
        InputError: There is no such frame.
        UnreadableImage: Truncated or damaged, or not DICOM after all.
        UnsupportedImage: No pixels, a transfer syntax without decoder, or too large.
    """
    file = open_dicom(data, name)
    info, grey = file.load(frame)
    if file.frames > 1:
        told = (
            f"The file holds {file.frames} frames; only {'the first' if frame == 0 else f'frame {frame + 1}'} is read."
        )
        info = info.model_copy(update={"caveats": (*info.caveats, told)})
    grey.flags.writeable = False
    return LoadedImage(info, grey, file.identity())
