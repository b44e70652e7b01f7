"""The colours of an image, for tools that read stains and fundus photographs."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray


def colour_of(data: bytes, name: str, frame: int = 0) -> NDArray[np.uint8] | None:
    """Red, green and blue of an encoded image, shape (rows, columns, 3); None when it has none.

    Args:
        data: The whole file.
        name: The source as the caller typed it, for messages.
        frame: Of a DICOM file.
    """
    from secondread.imaging.load import content_kind

    kind = content_kind(data)
    if kind in ("dicom", "bare dicom"):
        from secondread.imaging.dicom.file import open_dicom

        shown = open_dicom(data, name).colour(frame)
        return None if shown is None else to_bytes(shown)
    from PIL import Image, ImageOps

    with Image.open(io.BytesIO(data)) as picture:
        upright = ImageOps.exif_transpose(picture)
        if upright.mode in ("1", "L", "I", "F") or upright.mode.startswith("I;16"):
            return None
        return np.asarray(upright.convert("RGB"))


def of_source(source: Any) -> NDArray[np.uint8] | None:
    """Red, green and blue of a numpy array, Pillow image or torch tensor with three or four channels; else None."""
    origin = type(source).__module__.partition(".")[0]
    if origin == "PIL":
        from PIL import ImageOps

        upright = ImageOps.exif_transpose(source)
        return np.asarray(upright.convert("RGB")) if upright.mode not in ("1", "L", "I", "F", "I;16") else None
    stored = source.detach().cpu().float().numpy() if origin == "torch" else np.asarray(source)
    if stored.ndim == 3 and stored.shape[0] in (3, 4) and (origin == "torch" or stored.shape[2] not in (3, 4)):
        stored = np.moveaxis(stored, 0, -1)
    if stored.ndim != 3 or stored.shape[2] not in (3, 4):
        return None
    return to_bytes(stored[..., :3])


def to_bytes(stored: NDArray[Any]) -> NDArray[np.uint8]:
    """Channels of any real dtype as uint8, scaled as `imaging.arrays` scales grey."""
    from secondread.imaging.arrays import unit_range

    if stored.dtype == np.uint8:
        return np.asarray(stored)
    return np.asarray(np.rint(unit_range(stored) * 255), np.uint8)
