"""PNG, JPEG and TIFF through Pillow."""

import io
import re
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.arrays import bits_needed, grey_of_colour, unit_range
from secondread.imaging.content import image_id
from secondread.imaging.limits import MAX_PIXELS, check_size
from secondread.imaging.loaded import LoadedImage, read_only
from secondread.imaging.quiet import quiet
from secondread.schema.errors import SecondReadError, UnreadableImage, UnsupportedImage
from secondread.schema.image import ImageInfo, ImageRef

if TYPE_CHECKING:
    from PIL import Image

_FORMATS = {"png": ("PNG",), "jpeg": ("JPEG", "MPO"), "tiff": ("TIFF",)}

_TURNS = {2: (0, True), 3: (2, False), 4: (2, True), 5: (3, True), 6: (3, False), 7: (1, True), 8: (1, False)}
"""EXIF orientation -> quarter turns counter-clockwise, then mirror about the vertical axis.

Source: EXIF 2.32 tag 0x0112, the row and column that the stored first row and column show."""


def load_raster(data: bytes, kind: str, name: str) -> LoadedImage:
    """Decode a PNG, JPEG or TIFF file.

    Args:
        data: The whole file.
        kind: `png`, `jpeg` or `tiff`.
        name: The source as the caller typed it, for messages.

    Raises:
        UnreadableImage: Truncated or damaged.
        UnsupportedImage: Too large, or a variant that Pillow does not decode.
    """
    from PIL import Image, UnidentifiedImageError

    if kind == "png" and len(data) >= 24:
        columns, rows = struct.unpack(">II", data[16:24])
        if rows and columns:
            check_size(name, rows, columns)
    try:
        with quiet():
            picture = Image.open(io.BytesIO(data), formats=_FORMATS[kind])
            check_size(name, picture.height, picture.width)
            picture.load()
            return from_pillow(picture, kind)
    except SecondReadError:
        raise
    except Image.DecompressionBombError as error:
        counted = re.search(r"\((\d+) pixels", str(error))
        size = f"{int(counted.group(1)) / 1e6:.0f} megapixels" if counted else "too many pixels"
        raise UnsupportedImage(
            f"{name} has {size}: above the limit of {MAX_PIXELS // 1_000_000} megapixels.", hint="Give a smaller image."
        ) from None
    except UnidentifiedImageError:
        raise UnreadableImage(f"{name} begins like a {kind.upper()} file but is damaged, or a rare variant.") from None
    except MemoryError:
        raise UnsupportedImage(f"{name} does not fit into memory.") from None
    except Exception as error:  # a damaged file makes Pillow raise almost any type; none of them is a bug of ours
        cut = "truncated" in str(error) or isinstance(error, EOFError)
        reason = "is truncated" if cut else "is damaged"
        raise UnreadableImage(f"{name} {reason}: its {kind.upper()} data cannot be decoded.") from None


def from_pillow(picture: "Image.Image", kind: str = "array") -> LoadedImage:
    """Load a decoded Pillow image: first page, EXIF orientation applied, palette and transparency resolved.

    Raises:
        UnreadableImage: Values that are not finite.
        UnsupportedImage: Too large.
    """
    check_size("The image", picture.height, picture.width)
    caveats: list[str] = []
    frames = int(getattr(picture, "n_frames", 1))
    if frames > 1:
        picture.seek(0)
        caveats.append(f"The file holds {frames} images; only the first is read.")
    bits, stored = _stored(picture)
    turn = int(picture.getexif().get(0x0112, 1) or 1)
    if turn in _TURNS:
        quarter, mirror = _TURNS[turn]
        stored = np.rot90(stored, quarter)
        stored = stored[:, ::-1] if mirror else stored
        caveats.append("The image was turned or mirrored as its EXIF orientation says.")
    stored = np.ascontiguousarray(stored)
    grey = stored.astype(np.float32) / np.float32(2**bits - 1) if bits else unit_range(stored)
    colour = False
    if grey.ndim == 3:
        grey, colour, see_through = grey_of_colour(grey)
        if see_through:
            caveats.append("The image is partly transparent; it is shown over black.")
    rows, columns = grey.shape
    identifier = image_id(stored, {})
    return LoadedImage(
        info=ImageInfo(
            ref=ImageRef(id=identifier, rows=rows, columns=columns, grid=identifier),
            bits_stored=bits or None,
            source_format=kind,
            frames=frames,
            colour=colour,
            caveats=tuple(caveats),
        ),
        grey=read_only(grey),
    )


def _stored(picture: "Image.Image") -> tuple[int, NDArray[Any]]:
    """Bits per channel (0: scale by the values) and the pixels, (rows, columns) or (rows, columns, 3 or 4)."""
    mode = picture.mode
    if mode == "1":
        return 1, np.asarray(picture, dtype=np.uint8)
    if mode == "L" and "transparency" not in picture.info:
        return 8, np.asarray(picture)
    if mode.startswith("I;16"):
        stored = np.asarray(picture).astype(np.uint16)
        bits = bits_needed(int(stored.max()), 8)
        tags = getattr(picture, "tag_v2", {})
        if tags.get(262) == 0:  # WhiteIsZero: Pillow inverts 8 bits but not 16
            full = int(tags.get(258, (16,))[0])
            stored, bits = (2**full - 1 - stored.astype(np.int32)).astype(np.uint16), full
        return bits, stored
    if mode in ("I", "F"):
        return 0, np.asarray(picture)
    if mode == "LA" or mode == "PA" or "transparency" in picture.info:
        return 8, np.asarray(picture.convert("RGBA"))
    if mode in ("RGB", "RGBA"):
        return 8, np.asarray(picture)
    return 8, np.asarray(picture.convert("RGB"))
