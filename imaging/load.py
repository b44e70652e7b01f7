"""Any source to display grey: `load(source)` looks at the content, not at the extension."""

import errno
import os
import stat
from pathlib import Path
from typing import Any

from secondread.imaging.limits import MAX_BYTES
from secondread.imaging.loaded import LoadedImage, with_statement
from secondread.schema.errors import InputError, UnreadableImage, UnsupportedImage, UsageError

_EXTENSIONS = {
    ".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".jpe": "jpeg", ".tif": "tiff", ".tiff": "tiff", ".dcm": "dicom",
    ".dicom": "dicom", ".bmp": "bmp", ".gif": "gif", ".webp": "webp", ".jp2": "jpeg2000", ".nii": "nifti",
    ".pdf": "pdf", ".txt": "text", ".csv": "text", ".json": "text",
}  # fmt: skip

_FOREIGN = (
    (b"GIF8", "GIF"), (b"%PDF", "PDF"), (b"\x00\x00\x00\x0cjP  ", "JPEG 2000"), (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"PK\x03\x04", "ZIP"), (b"\x1f\x8b", "gzip"), (b"\x89HDF", "HDF5"), (b"8BPS", "Photoshop"),
    (b"\x93NUMPY", "NumPy"),
)  # fmt: skip


def load(source: Any, *, view: str | None = None, age: float | None = None, frame: int = 0) -> LoadedImage:
    """Load one two-dimensional image.

    Args:
        source: Path of a PNG, JPEG, TIFF or DICOM file, its bytes, a numpy array, a Pillow image or a torch tensor
            (shapes in `secondread.imaging.arrays`).
        view: Stated view (`PA`, `AP`, ..); overrides the header.
        age: Stated age in years; overrides the header.
        frame: Which frame of a multi-frame DICOM file, from 0; others hold one.

    Returns:
        Grey at the resolution of the source, and what its header says without anything that names a person.

    Raises:
        UnreadableImage: Missing, empty, truncated, damaged or not an image.
        UnsupportedImage: An image of a kind that is not read here, with the reason.
        InputError: The source has no such frame.
        UsageError: A view or age that is not one, or a source of another type.
    """
    loaded = load_plain(source, frame=frame)
    info = with_statement(loaded.info, view, age)
    return LoadedImage(info, loaded.grey, loaded.identity) if info is not loaded.info else loaded


def load_plain(source: Any, *, frame: int = 0) -> LoadedImage:
    """`load` without anything stated by the caller."""
    if isinstance(source, str | os.PathLike):
        path = os.fsdecode(source)
        return decode(read_bytes(path), shown(path), frame=frame)
    if isinstance(source, bytes | bytearray | memoryview):
        return decode(bytes(source), "The data", frame=frame)
    if frame:
        raise InputError(f"The source holds one image: there is no frame {frame + 1}.")
    origin = type(source).__module__.partition(".")[0]
    if origin == "torch":
        from secondread.imaging.arrays import load_tensor

        return load_tensor(source)
    if origin == "PIL":
        from secondread.imaging.raster import from_pillow

        return from_pillow(source)
    if hasattr(source, "__array__"):
        from secondread.imaging.arrays import load_array

        return load_array(source)
    raise UsageError(
        f"A {type(source).__name__} is not an image source.",
        hint="Give a path, bytes, an array, a Pillow image or a tensor.",
    )


def shown(path: str) -> str:
    """A path as typed, with what a terminal would not print as `?`."""
    return "".join(character if character.isprintable() else "?" for character in path)


def read_bytes(path: str) -> bytes:
    """The whole file.

    Raises:
        UnreadableImage: Missing, a folder, empty, or not readable.
        UnsupportedImage: Larger than 1 GiB.
    """
    name = shown(path)
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            raise UnreadableImage(f"{name} is a folder, not an image file.", hint="Give one file.")
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableImage(f"{name} is not a regular file.")
        if status.st_size == 0:
            raise UnreadableImage(f"{name} is empty.")
        if status.st_size > MAX_BYTES:
            raise UnsupportedImage(f"{name} is larger than {MAX_BYTES >> 30} GiB.")
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise UnreadableImage(f"{name} does not exist.") from None
    except PermissionError:
        raise UnreadableImage(f"{name} may not be read: permission denied.") from None
    except (OSError, ValueError) as error:
        number = getattr(error, "errno", None)
        reason = os.strerror(number) if number and number != errno.EIO else "the name or the disk does not allow it"
        raise UnreadableImage(f"{name} cannot be read: {reason}.") from None


def decode(data: bytes, name: str, *, frame: int = 0) -> LoadedImage:
    """Decode the bytes of a file by what they are.

    Args:
        data: The whole file.
        name: The source as the caller typed it, for messages and for its extension.
        frame: Which frame of a multi-frame DICOM file, from 0.

    Raises:
        InputError: The file has no such frame.
        UnreadableImage: Empty, truncated, damaged or not an image.
        UnsupportedImage: An image of a kind that is not read here.
    """
    if not data:
        raise UnreadableImage(f"{name} is empty.")
    kind = content_kind(data)
    if frame and kind not in ("dicom", "bare dicom"):
        raise InputError(f"{name} holds one image: there is no frame {frame + 1}.")
    if kind in ("png", "jpeg", "tiff"):
        from secondread.imaging.raster import load_raster

        loaded = load_raster(data, kind, name)
    elif kind == "dicom" or kind == "bare dicom":
        from secondread.imaging.dicom.read import load_dicom

        loaded = load_dicom(data, name, frame=frame)
    elif kind is None:
        raise UnreadableImage(f"{name} is not an image.", hint="PNG, JPEG, TIFF and DICOM are read.")
    else:
        raise UnsupportedImage(
            f"{name} is a {kind} file.", hint="PNG, JPEG, TIFF and DICOM are read; convert it first."
        )
    named = _EXTENSIONS.get(os.path.splitext(name)[1].lower())
    if named is None or named == loaded.info.source_format:
        return loaded
    caveat = f"The file name says {named}, but the content is {loaded.info.source_format}."
    info = loaded.info.model_copy(update={"caveats": (*loaded.info.caveats, caveat)})
    return LoadedImage(info, loaded.grey, loaded.identity)


def content_kind(data: bytes) -> str | None:
    """`png`, `jpeg`, `tiff`, `dicom`, `bare dicom` (no preamble), the name of a foreign format, or None."""
    head = data[:16]
    if data[128:132] == b"DICM":
        return "dicom"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head[:4] in (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"):
        return "tiff"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if head.startswith(b"BM") and data[6:10] == b"\x00" * 4:
        return "BMP"
    if data[344:348] in (b"n+1\x00", b"ni1\x00"):
        return "NIfTI"
    for magic, foreign in _FOREIGN:
        if head.startswith(magic):
            return foreign
    if _bare_dicom(head):
        return "bare dicom"
    return None


def _bare_dicom(head: bytes) -> bool:
    """A data set that starts without preamble: its first group is 0002 or 0008, in either byte order."""
    return (
        len(head) >= 8 and head[:2] in (b"\x02\x00", b"\x08\x00", b"\x00\x08", b"\x00\x02") and head[:4] != b"\x00" * 4
    )
