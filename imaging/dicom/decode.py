"""One frame of bytes to stored values, by transfer syntax."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.dicom.layout import Layout
from secondread.imaging.quiet import quiet
from secondread.schema.errors import UnreadableImage, UnsupportedImage


def native_cells(layout: Layout, data: bytes, skip: int = 0) -> NDArray[Any]:
    """Cells of an uncompressed frame as they lie in the file, in native byte order, flat.

    Args:
        layout: How the frame is stored.
        data: The bytes that hold it.
        skip: Bits (of 1-bit pixels) or bytes to leave out at the start.
    """
    count = layout.frame_bits // layout.allocated
    if layout.allocated == 1:
        bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
        return bits[skip : skip + count]
    if layout.kind != "PixelData":
        dtype = np.dtype(f"f{layout.allocated // 8}")
    else:
        dtype = np.dtype(f"{'i' if layout.signed else 'u'}{layout.allocated // 8}")
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
    if layout.photometric == "YBR_FULL_422":
        pairs = cells.reshape(-1, 4)  # two lumas, then the colour both share
        array = np.empty((pairs.shape[0], 2, 3), cells.dtype)
        array[:, :, 0] = pairs[:, :2]
        array[:, :, 1:] = pairs[:, None, 2:]
        array = array.reshape(*shape, 3)
    elif layout.planar == 1:
        array = cells.reshape(layout.samples, *shape).transpose(1, 2, 0)
    else:
        array = cells.reshape(*shape, layout.samples)
    return as_rgb(used_bits(layout, np.ascontiguousarray(array)), layout.photometric)


def used_bits(layout: Layout, cells: NDArray[Any]) -> NDArray[Any]:
    """Values without what else lies in a cell, such as an old overlay; the sign is taken from the highest used bit."""
    if cells.dtype.kind == "f" or layout.allocated == 1 or layout.stored == 8 * cells.dtype.itemsize:
        return cells
    above = 8 * cells.dtype.itemsize - layout.stored - layout.shift
    below = above + layout.shift
    return np.asarray(np.right_shift(np.left_shift(cells, above), below)) if below else cells


def as_rgb(array: NDArray[Any], photometric: str) -> tuple[NDArray[Any], str]:
    """RGB of YBR_FULL and YBR_FULL_422 pixels; any others as they are."""
    if photometric not in ("YBR_FULL", "YBR_FULL_422"):
        return array, photometric
    from pydicom.pixels import convert_color_space

    return convert_color_space(np.array(array), "YBR_FULL", "RGB"), "RGB"


def compressed(layout: Layout, data: bytes, name: str) -> tuple[NDArray[Any], str]:
    """Stored values (rows, columns[, channels]) of a compressed frame, and their photometric interpretation.

    Raises:
        UnreadableImage: The stream is damaged.
        UnsupportedImage: No installed decoder reads it.
    """
    from pydicom.encaps import encapsulate
    from pydicom.pixels import get_decoder
    from pydicom.uid import UID

    syntax = UID(layout.syntax)
    called = syntax.name if syntax.name != syntax or syntax.startswith("1.2.840.10008.") else "of a private kind"
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        raise UnsupportedImage(f"{name} has the transfer syntax {called}, which is not decoded here.") from None
    if not decoder.is_available:
        raise UnsupportedImage(
            f"{name} has the transfer syntax {called}, for which no decoder is installed.", hint="Install pylibjpeg."
        )
    installed = decoder.available_plugins
    # gdcm comes last: it is slow to import and writes to the terminal itself when a stream is damaged
    plugins = sorted(installed, key=lambda plugin: plugin == "gdcm")
    if len(plugins) > 1 and "pylibjpeg" in plugins:
        plugins = [plugin for plugin in plugins if plugin != "gdcm"]
    stream = encapsulate([data], has_bot=False)
    options: Any = {
        "rows": layout.rows, "columns": layout.columns, "samples_per_pixel": layout.samples,
        "bits_allocated": layout.allocated, "bits_stored": layout.stored, "number_of_frames": 1,
        "pixel_representation": int(layout.signed), "photometric_interpretation": layout.photometric,
        "planar_configuration": layout.planar, "pixel_keyword": "PixelData",
    }  # fmt: skip
    problem = ""
    for plugin in plugins:
        try:
            with quiet():
                array, properties = decoder.as_array(stream, index=0, decoding_plugin=plugin, **options)
            return np.asarray(array), str(properties.get("photometric_interpretation", ""))
        except MemoryError:
            raise
        except Exception as error:  # decoders raise almost any type; their text may quote the header
            problem = str(error)
    if layout.allocated == 1:
        raise UnsupportedImage(f"{name} has 1-bit pixels in the transfer syntax {called}, which is not decoded here.")
    if "does not support" in problem:
        raise UnsupportedImage(
            f"{name} has the transfer syntax {called} in a form that no installed decoder reads.",
            hint="Another pydicom pixel plug-in may read it, such as pylibjpeg-libjpeg (GPL-3.0).",
        )
    raise UnreadableImage(f"{name} has pixels that cannot be decoded: they are damaged ({called}).")
