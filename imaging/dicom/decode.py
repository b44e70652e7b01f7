"""One frame of bytes to stored values, by transfer syntax."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.dicom.codestream import Head, head_of, rle_segments
from secondread.imaging.dicom.isolated import WorkerFailed, decode_isolated
from secondread.imaging.dicom.layout import Layout
from secondread.imaging.quiet import quiet
from secondread.schema.errors import UnreadableImage, UnsupportedImage

_PLUGINS = {"baseline": "pillow", "extended": "pillow", "jpegls": "pyjpegls", "jpeg2000": "pylibjpeg"}
"""One decoder per family, all under permissive licences; a second opinion on a damaged stream is not asked for."""

_PROCESSES = {"baseline": (0xC0, 0xC1, 0xC2), "extended": (0xC0, 0xC1), "lossless": (0xC3,), "jpegls": (0xF7,)}
"""Frame markers that may stand in a stream of each family."""


def native_cells(layout: Layout, data: bytes | memoryview, skip: int = 0) -> NDArray[Any]:
    """Cells of an uncompressed frame as they lie in the file, in native byte order, flat; they may be read-only.

    Args:
        layout: How the frame is stored.
        data: The bytes that hold it.
        skip: Bits (of 1-bit pixels) or bytes to leave out at the start.
    """
    count = layout.frame_bits // layout.allocated
    if layout.allocated == 1:
        bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
        return bits[skip : skip + count]
    dtype = layout.cell_type
    if layout.swapped:
        swapped = np.frombuffer(data[: len(data) // 2 * 2], np.uint16).byteswap().view(np.uint8)
        return swapped[skip : skip + count].view(dtype)
    stored = np.frombuffer(data, dtype.newbyteorder(">" if layout.big_endian else "<"), count, skip)
    return stored.astype(dtype, copy=False)


def native(layout: Layout, cells: NDArray[Any]) -> tuple[NDArray[Any], str]:
    """Stored values (rows, columns[, channels]) of flat cells, and their photometric interpretation."""
    shape = layout.rows, layout.columns
    if layout.samples == 1:
        return used_bits(layout, cells).reshape(shape), layout.photometric
    if layout.halved:
        pairs = cells.reshape(-1, 4)  # two lumas, then the colour both share
        array = np.empty((pairs.shape[0], 2, 3), cells.dtype)
        array[:, :, 0] = pairs[:, :2]
        array[:, :, 1:] = pairs[:, None, 2:]
        array = array.reshape(*shape, 3)
    elif layout.planar == 1:
        array = np.ascontiguousarray(cells.reshape(layout.samples, *shape).transpose(1, 2, 0))
    else:
        array = cells.reshape(*shape, layout.samples)
    return as_rgb(layout, used_bits(layout, array), layout.photometric)


def used_bits(layout: Layout, cells: NDArray[Any]) -> NDArray[Any]:
    """Values without what else lies in a cell, such as an old overlay; the sign is taken from the highest used bit."""
    if cells.dtype.kind == "f" or layout.allocated == 1 or layout.stored == 8 * cells.dtype.itemsize:
        return cells
    low, high = (0, 2**layout.stored - 1)
    if cells.dtype.kind == "i":
        low, high = -(2 ** (layout.stored - 1)), 2 ** (layout.stored - 1) - 1
    if not layout.shift and int(cells.max()) <= high and int(cells.min()) >= low:
        return cells  # the usual case, and a look costs much less than a copy
    if cells.dtype.kind == "u":
        shifted = np.right_shift(cells, layout.shift) if layout.shift else cells
        return np.asarray(np.bitwise_and(shifted, cells.dtype.type(2**layout.stored - 1)))
    above = 8 * cells.dtype.itemsize - layout.stored - layout.shift
    result = np.left_shift(cells, above)
    np.right_shift(result, above + layout.shift, out=result)
    return np.asarray(result)


def as_rgb(layout: Layout, array: NDArray[Any], photometric: str) -> tuple[NDArray[Any], str]:
    """RGB of YBR pixels that are not yet RGB; any others as they are.

    Source: DICOM PS3.3 C.7.6.3.1.2; YBR_PARTIAL has lumas from 16 to 235 of 8 bits (ITU-R BT.601).
    """
    if photometric in ("YBR_FULL", "YBR_FULL_422"):
        from pydicom.pixels import convert_color_space

        return np.asarray(convert_color_space(np.array(array), "YBR_FULL", "RGB")), "RGB"
    if photometric.startswith("YBR_PARTIAL"):
        full = float(2**layout.stored - 1)
        luma, blue, red = (array[..., k].astype(np.float32) * np.float32(255 / full) for k in range(3))
        luma, blue, red = (luma - 16) * np.float32(255 / 219), (blue - 128) / 112, (red - 128) / 112
        channels = (luma + 178.755 * red, luma - 43.878 * blue - 91.053 * red, luma + 225.93 * blue)
        rgb = np.stack([np.clip(np.rint(channel), 0, 255) for channel in channels], -1)
        return np.rint(rgb * (full / 255)).astype(array.dtype), "RGB"
    return array, photometric


def compressed(layout: Layout, data: bytes | memoryview, name: str) -> tuple[NDArray[Any], str]:
    """Stored values (rows, columns[, channels]) of an encapsulated frame, and their photometric interpretation.

    Raises:
        UnreadableImage: The stream is damaged, truncated or of another size than the header says.
        UnsupportedImage: The transfer syntax, or this form of it, is not decoded.
    """
    family = layout.family
    if not family or layout.kind != "PixelData":
        raise UnsupportedImage(f"{name} has {_called(layout)}, which is not decoded here.")
    if family == "uncompressed":
        if len(data) * 8 < layout.frame_bits:
            raise UnreadableImage(f"{name} is truncated: it holds fewer pixels than its header says.")
        return native(layout, native_cells(layout, data))
    if layout.allocated == 1 and family != "jpeg2000":
        raise UnsupportedImage(f"{name} has 1-bit pixels in {_called(layout)}, which are not decoded here.")
    with quiet():
        if family == "rle":
            return _rle(layout, data, name)
        data = bytes(data)
        head = head_of(layout, data, name)
        if head.process and head.process not in _PROCESSES[family]:
            raise UnsupportedImage(f"{name} has pixels of another kind of JPEG than {_called(layout)} allows.")
        if family == "lossless" or (family == "extended" and head.precision > 8):
            return _gdcm(layout, head, data, name)
        return _pydicom(layout, head, data, name)


def _called(layout: Layout) -> str:
    """The transfer syntax as the standard names it; a private one is not echoed."""
    from pydicom.uid import UID

    uid = UID(layout.syntax)
    if not uid:
        return "compressed pixels of an unnamed transfer syntax"
    return f"the transfer syntax {uid.name if uid.name != uid or uid.startswith('1.2.840.10008.') else 'of its maker'}"


def _undecodable(layout: Layout, name: str) -> UnreadableImage:
    return UnreadableImage(f"{name} has pixels that cannot be decoded: they are damaged ({_called(layout)}).")


def _rle(layout: Layout, data: bytes | memoryview, name: str) -> tuple[NDArray[Any], str]:
    """RLE Lossless, segment by segment: the decoder of whole frames panics on damaged ones."""
    from rle.rle import decode_segment

    count, width = layout.rows * layout.columns, layout.allocated // 8
    cells = np.empty((layout.samples, count), np.dtype(f"u{width}"))
    for index, segment in enumerate(rle_segments(layout, data, name)):
        try:
            # 0x80 does nothing; behind a padding byte it is the one value which that byte, read as a length, asks for
            plane = np.frombuffer(decode_segment(b"".join((segment, b"\x80"))), np.uint8)
        except ValueError:
            raise _undecodable(layout, name) from None
        if plane.size < count:
            raise _undecodable(layout, name)
        channel = cells[index // width]
        if index % width == 0:
            channel[:] = plane[:count]
        else:
            channel <<= 8
            channel |= plane[:count]
    stored = used_bits(layout, cells.view(layout.cell_type)).reshape(layout.samples, layout.rows, layout.columns)
    if layout.samples == 1:
        return stored[0], layout.photometric
    return as_rgb(layout, np.ascontiguousarray(stored.transpose(1, 2, 0)), layout.photometric)


def _gdcm(layout: Layout, head: Head, data: bytes, name: str) -> tuple[NDArray[Any], str]:
    """JPEG Lossless and 12-bit JPEG Extended, which no decoder under a permissive licence but GDCM reads."""
    try:
        reply = decode_isolated(layout, data, head.precision if layout.family == "extended" else layout.stored)
    except WorkerFailed as failed:
        if failed.missing:
            raise UnsupportedImage(
                f"{name} has {_called(layout)}, for which no decoder is installed.", hint="Install python-gdcm."
            ) from None
        raise _undecodable(layout, name) from None
    count = layout.rows * layout.columns * layout.samples
    if len(reply) == count * layout.cell_type.itemsize:
        cells = np.frombuffer(reply, layout.cell_type.newbyteorder("<")).astype(layout.cell_type, copy=False)
    elif len(reply) == count:
        cells = np.frombuffer(reply, np.uint8).astype(layout.cell_type)
    else:
        raise _undecodable(layout, name)
    stored = used_bits(layout, cells)
    if layout.samples == 1:
        return stored.reshape(layout.rows, layout.columns), layout.photometric
    if layout.planar == 1:
        array = np.ascontiguousarray(stored.reshape(3, layout.rows, layout.columns).transpose(1, 2, 0))
    else:
        array = stored.reshape(layout.rows, layout.columns, 3)
    return as_rgb(layout, array, head.coded_as or layout.photometric)


def _pydicom(layout: Layout, head: Head, data: bytes, name: str) -> tuple[NDArray[Any], str]:
    """Through a plug-in of pydicom."""
    from pydicom.encaps import encapsulate
    from pydicom.pixels import get_decoder
    from pydicom.uid import UID

    plugin = _PLUGINS[layout.family]
    decoder = get_decoder(UID(layout.syntax))
    if plugin not in decoder.available_plugins:
        raise UnsupportedImage(
            f"{name} has {_called(layout)}, for which no decoder is installed.", hint="Install secondread again."
        )
    eight = layout.family in ("baseline", "extended")
    options: Any = {
        "rows": layout.rows, "columns": layout.columns, "samples_per_pixel": layout.samples,
        "bits_allocated": 8 if eight else layout.allocated, "bits_stored": 8 if eight else layout.stored,
        "number_of_frames": 1, "pixel_representation": 0 if eight else int(layout.signed),
        "photometric_interpretation": layout.photometric, "planar_configuration": layout.planar,
        "pixel_keyword": "PixelData",
    }  # fmt: skip
    try:
        array, properties = decoder.as_array(
            encapsulate([data], has_bot=False), index=0, decoding_plugin=plugin, **options
        )
    except MemoryError:
        raise
    except Exception:  # decoders raise almost any type; their text may quote the header
        raise _undecodable(layout, name) from None
    stored = np.asarray(array)
    if eight and stored.dtype != layout.cell_type:
        stored = stored.astype(layout.cell_type)
    photometric = str(properties.get("photometric_interpretation", layout.photometric))
    return as_rgb(layout, stored, photometric)
