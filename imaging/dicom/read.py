"""Single-frame DICOM: read, decode, and split into pixels, description and identity."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.arrays import grey_of_colour
from secondread.imaging.content import image_id
from secondread.imaging.dicom.grey import display_grey
from secondread.imaging.dicom.header import describe
from secondread.imaging.dicom.meaning import meaning
from secondread.imaging.dicom.values import integer, numbers, text
from secondread.imaging.identity.split import identity_of
from secondread.imaging.limits import check_size
from secondread.imaging.loaded import LoadedImage, read_only
from secondread.imaging.quiet import quiet
from secondread.schema.errors import SecondReadError, UnreadableImage, UnsupportedImage
from secondread.schema.image import ImageInfo, ImageRef

_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")


def load_dicom(data: bytes, name: str, *, bare: bool = False) -> LoadedImage:
    """Decode the first frame of a DICOM file.

    Args:
        data: The whole file.
        name: The source as the caller typed it, for messages.
        bare: The file has no preamble.

    Raises:
        UnreadableImage: Truncated or damaged, or not DICOM after all.
        UnsupportedImage: No pixels, a transfer syntax without decoder, or too large.
    """
    with quiet():
        try:
            return _load(data, name, bare)
        except SecondReadError:
            raise
        except MemoryError:
            raise UnsupportedImage(f"{name} does not fit into memory.") from None
        except Exception:  # a damaged header makes pydicom raise almost any type; its text may quote the header
            raise UnreadableImage(f"{name} is damaged: its DICOM data cannot be read.") from None


def _load(data: bytes, name: str, bare: bool) -> LoadedImage:
    ds, caveats = parse(data, name, bare)
    rows, columns = _check(ds, name)
    pixels, photometric = first_frame(ds, name, caveats)
    bits = integer(ds, "BitsStored") or 8 * pixels.dtype.itemsize
    colour = False
    if pixels.ndim == 3 or photometric == "PALETTE COLOR":
        channels = _palette(ds, pixels) if photometric == "PALETTE COLOR" else _channels(pixels, bits)
        grey, colour, _ = grey_of_colour(channels)
    else:
        grey, notes = display_grey(ds, pixels, bits)
        caveats += notes
    identifier = image_id(pixels, meaning(ds))
    info = ImageInfo(
        ref=ImageRef(id=identifier, rows=rows, columns=columns, grid=identifier),
        source_format="dicom",
        colour=colour,
        bits_stored=integer(ds, "BitsStored"),
        **describe(ds, caveats),
    )
    return LoadedImage(info, read_only(grey), identity_of(ds))


def parse(data: bytes, name: str, bare: bool) -> tuple[Any, list[str]]:
    """The data set and caveats on how it had to be read."""
    import pydicom
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    caveats: list[str] = []
    if bare:
        caveats.append("The file has no DICOM preamble; it was read as a bare data set.")
    try:
        ds = pydicom.dcmread(io.BytesIO(data), force=True)
        tags = len(ds)
    except Exception:  # as in `load_dicom`
        raise UnreadableImage(f"{name} is {'not an image' if bare else 'a damaged or truncated DICOM file'}.") from None
    if bare and not any(keyword in ds for keyword in ("SOPClassUID", "Modality", *_PIXELS)):
        raise UnreadableImage(f"{name} is not an image.", hint="PNG, JPEG, TIFF and DICOM are read.")
    if tags == 0:
        raise UnreadableImage(f"{name} is a truncated DICOM file: it ends before its data set.")
    if not text(ds.file_meta, "TransferSyntaxUID"):
        implicit, little = ds.original_encoding
        guess = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        if not _encapsulated(ds):
            ds.file_meta.TransferSyntaxUID = guess
            caveats.append("The file does not name its transfer syntax; it was told from its content.")
    return ds, caveats


def _encapsulated(ds: Any) -> bool:
    """The pixel data are compressed fragments rather than plain values."""
    element = ds.get_item("PixelData") if "PixelData" in ds else None
    return element is not None and getattr(element, "length", 0) == 0xFFFFFFFF


def _check(ds: Any, name: str) -> tuple[int, int]:
    """Rows and columns of an object that has pixels of a readable size."""
    rows, columns = integer(ds, "Rows"), integer(ds, "Columns")
    if not any(keyword in ds for keyword in _PIXELS):
        hint = "It may be truncated." if "Rows" in ds else "Give an image object."
        raise UnsupportedImage(f"{name} is a DICOM file without pixels{_sop_class(ds)}.", hint=hint)
    if not rows or not columns or rows < 0 or columns < 0:
        raise UnreadableImage(f"{name} is a damaged DICOM file: it does not say how many rows and columns it has.")
    check_size(name, rows, columns)
    if (depth := integer(ds, "BitsAllocated")) is not None and depth > 64:
        raise UnsupportedImage(f"{name} has {depth} bits per pixel, which is not read.")
    return rows, columns


def _sop_class(ds: Any) -> str:
    """` (name of the SOP class)` when it is a class of the standard; a private one is not echoed."""
    from pydicom.uid import UID

    uid = text(ds, "SOPClassUID") or text(ds.file_meta, "MediaStorageSOPClassUID")
    known = UID(uid).name if uid else ""
    return f" ({known})" if known and known != uid else ""


def first_frame(ds: Any, name: str, caveats: list[str]) -> tuple[NDArray[Any], str]:
    """Stored values of the first frame, (rows, columns) or (rows, columns, 3), and their photometric interpretation."""
    from pydicom.pixels import get_decoder
    from pydicom.uid import UID

    syntax = UID(text(ds.file_meta, "TransferSyntaxUID"))
    called = syntax.name if syntax.name != syntax or syntax.startswith("1.2.840.10008.") else "of a private kind"
    if not syntax:
        raise UnsupportedImage(f"{name} has compressed pixels but names no transfer syntax.")
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        raise UnsupportedImage(f"{name} has the transfer syntax {called}, which is not decoded here.") from None
    if not decoder.is_available:
        raise UnsupportedImage(
            f"{name} has the transfer syntax {called}, for which no decoder is installed.", hint="Install pylibjpeg."
        )
    frames = integer(ds, "NumberOfFrames") or 1
    if "NumberOfFrames" in ds and not numbers(ds, "NumberOfFrames"):
        ds.NumberOfFrames = frames
        caveats.append("The number of frames in the header is malformed.")
    if frames > 1:
        caveats.append(f"The file holds {frames} frames; only the first is read.")
    array, properties = _decoded(ds, decoder, name, called, compressed=syntax.is_compressed)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise UnreadableImage(f"{name} holds pixel values that are not finite.")
    return array, str(properties.get("photometric_interpretation", ""))


def _decoded(ds: Any, decoder: Any, name: str, called: str, *, compressed: bool) -> tuple[NDArray[Any], dict[str, Any]]:
    """Decode the first frame with the first plug-in that can."""
    installed = decoder.available_plugins if compressed else ("",)
    # gdcm comes last: it is slow to import and writes to the terminal itself when a stream is damaged
    plugins = sorted(installed, key=lambda plugin: plugin == "gdcm")
    if len(plugins) > 1 and "pylibjpeg" in plugins:
        plugins = [plugin for plugin in plugins if plugin != "gdcm"]
    problem = ""
    for plugin in plugins:
        try:
            array, properties = decoder.as_array(ds, index=0, decoding_plugin=plugin)
            return np.asarray(array), properties
        except MemoryError:
            raise
        except Exception as error:  # decoders raise almost any type; their text may quote the header
            problem = str(error)
    if not compressed and ("less than" in problem or "expected" in problem):
        raise UnreadableImage(f"{name} is truncated: it holds fewer pixels than its header says.")
    if compressed and integer(ds, "BitsAllocated") == 1:
        raise UnsupportedImage(f"{name} has 1-bit pixels in the transfer syntax {called}, which is not decoded here.")
    if "does not support" in problem:
        raise UnsupportedImage(
            f"{name} has the transfer syntax {called} in a form that no installed decoder reads.",
            hint="Another pydicom pixel plug-in may read it, such as pylibjpeg-libjpeg (GPL-3.0).",
        )
    raise UnreadableImage(f"{name} has pixels that cannot be decoded: they are damaged ({called}).")


def _channels(pixels: NDArray[Any], bits: int) -> NDArray[np.float32]:
    """Colour channels in [0, 1]."""
    if pixels.shape[-1] not in (3, 4):
        raise UnsupportedImage(f"Pixels with {pixels.shape[-1]} channels are not read.")
    return np.asarray(pixels[..., :3] / np.float32(2**bits - 1), dtype=np.float32)


def _palette(ds: Any, pixels: NDArray[Any]) -> NDArray[np.float32]:
    """Colours of an indexed image in [0, 1]."""
    from pydicom.pixels import apply_color_lut

    rgb = apply_color_lut(pixels, ds)[..., :3]
    depth = 16 if rgb.dtype.itemsize == 2 else 8
    return np.asarray(rgb / np.float32(2**depth - 1), dtype=np.float32)
