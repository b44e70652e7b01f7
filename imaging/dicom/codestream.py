"""The head of a compressed frame, read before a decoder sees it.

A stream that claims another size than its file, or that ends early, is refused here: decoders trust the stream, so a
few damaged bytes make them allocate gigabytes, and some fill what is missing with grey and report no error.

Source: ITU-T T.81 Annex B (JPEG), T.87 Annex C (JPEG-LS), T.800 Annex A (JPEG 2000), DICOM PS3.5 G (RLE).
"""

import itertools
import struct
from dataclasses import dataclass

from secondread.imaging.dicom.layout import Layout
from secondread.schema.errors import UnreadableImage

_FRAMES = frozenset((0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF, 0xF7))
_BARE = frozenset((0x01, 0xD8, *range(0xD0, 0xD8)))
_SCAN, _END = 0xDA, b"\xff\xd9"
_MAX_TILES = 65535


@dataclass(frozen=True)
class Head:
    """What a stream says of itself."""

    rows: int
    columns: int
    components: int
    precision: int
    """Bits per sample."""
    process: int = 0
    """Second byte of the JPEG frame marker: 0xC0 baseline, 0xC1 extended, 0xC3 lossless, 0xF7 JPEG-LS; 0 otherwise."""
    coded_as: str = ""
    """`RGB` or `YBR_FULL` when the stream itself says so."""


class Damaged(Exception):
    """Why a stream cannot be decoded, in words that follow `its compressed pixels`."""


def head_of(layout: Layout, data: bytes, name: str) -> Head:
    """The head of a stream that is whole and as large as the file says.

    Args:
        layout: Of the file.
        data: One compressed frame.
        name: As the caller typed it, for messages.

    Raises:
        UnreadableImage: The stream is damaged, cut short, or of another size than the header says.
    """
    try:
        head = _jpeg2000(data) if layout.family == "jpeg2000" else _jpeg(data)
    except Damaged as error:
        raise UnreadableImage(f"{name} is damaged: its compressed pixels {error}.") from None
    except (struct.error, IndexError):
        raise UnreadableImage(f"{name} is damaged: its compressed pixels end before their data.") from None
    if (head.rows, head.columns) != (layout.rows, layout.columns):
        raise UnreadableImage(
            f"{name} is damaged: its compressed pixels are {head.columns} x {head.rows}, "
            f"but its header says {layout.columns} x {layout.rows}."
        )
    if head.components != layout.samples:
        raise UnreadableImage(
            f"{name} is damaged: its compressed pixels have {head.components} channels, "
            f"but its header says {layout.samples}."
        )
    if head.precision > max(layout.allocated, 8):
        raise UnreadableImage(
            f"{name} is damaged: its compressed pixels have {head.precision} bits, "
            f"but its header allots {layout.allocated}."
        )
    return head


def _jpeg(data: bytes) -> Head:
    """Head of a JPEG or JPEG-LS stream."""
    if data[:2] != b"\xff\xd8":
        raise Damaged("do not begin like a JPEG stream")
    at, found, jfif = 2, None, False
    while True:
        if data[at] != 0xFF:
            raise Damaged("hold a broken marker")
        while data[at] == 0xFF:
            at += 1
        marker = data[at]
        at += 1
        if marker in _BARE:
            continue
        (length,) = struct.unpack_from(">H", data, at)
        if length < 2 or at + length > len(data):
            raise Damaged("hold a segment that is longer than the stream")
        body = data[at + 2 : at + length]
        if marker in _FRAMES:
            precision, rows, columns, components = struct.unpack_from(">BHHB", body)
            ids = bytes(body[6 + 3 * k] for k in range(components))
            named = "RGB" if ids in (b"RGB", b"rgb") else "YBR_FULL" if jfif else ""
            found = Head(rows, columns, components, precision, marker, named)
        elif marker >> 4 == 0xE and body[:4] == b"JFIF":
            jfif = True
        elif marker == _SCAN:
            break
        elif marker == _END[1]:
            raise Damaged("end before their data")
        at += length
    if found is None:
        raise Damaged("do not say how large they are")
    count = body[0]
    first, last, approximation = body[1 + 2 * count : 4 + 2 * count]
    if found.process in (0xC0, 0xC1) and (first, last, approximation) != (0, 63, 0):
        raise Damaged("hold a scan that is not allowed in their kind of JPEG")
    if data.find(_END, at) < 0:
        raise Damaged("end before their end marker: they are truncated")
    return found


def _jpeg2000(data: bytes) -> Head:
    """Head of a JPEG 2000 or HTJ2K stream, bare or wrapped in a JP2 file."""
    start = data.find(b"\xff\x4f\xff\x51", 0, 4096)
    if start < 0:
        raise Damaged("do not begin like a JPEG 2000 stream")
    x1, y1, x0, y0, tile_x, tile_y, tile_x0, tile_y0, components = struct.unpack_from(">8IH", data, start + 8)
    depths = [data[start + 42 + 3 * k] for k in range(components)]
    if not tile_x or not tile_y or x1 <= x0 or y1 <= y0 or not depths:
        raise Damaged("do not say how large they are")
    across, down = -(-(x1 - tile_x0) // tile_x), -(-(y1 - tile_y0) // tile_y)
    if tile_x0 > x0 or tile_y0 > y0 or across * down > _MAX_TILES:
        raise Damaged("are cut into tiles that cannot be")
    if data.find(_END, start) < 0 and not _tiles_are_whole(data, start):
        raise Damaged("end before their end marker: they are truncated")
    return Head(y1 - y0, x1 - x0, components, max(depth & 0x7F for depth in depths) + 1)


def _tiles_are_whole(data: bytes, start: int) -> bool:
    """Some encoders leave out the end marker; the lengths of the tile parts then tell whether all is there."""
    at = data.find(b"\xff\x90", start)
    while 0 <= at <= len(data) - 12 and data[at : at + 2] == b"\xff\x90":
        (length,) = struct.unpack_from(">I", data, at + 6)
        if length < 14 or at + length > len(data):
            return False
        at += length
    return at >= len(data) - 1


def rle_segments(layout: Layout, data: bytes | memoryview, name: str) -> list[memoryview]:
    """The segments of an RLE frame, one per byte of a pixel, most significant byte of each channel first.

    Raises:
        UnreadableImage: The header does not fit the layout or the data.
    """
    wanted = layout.samples * (layout.allocated // 8)
    if len(data) < 64:
        raise UnreadableImage(f"{name} is damaged: its compressed pixels end before their data.")
    count, *offsets = struct.unpack_from("<16I", data)
    if count != wanted:
        raise UnreadableImage(
            f"{name} is damaged: its compressed pixels have {count} segments, but its header asks for {wanted}."
        )
    cuts = [*offsets[:count], len(data)]
    if cuts[0] < 64 or any(a >= b for a, b in itertools.pairwise(cuts)):
        raise UnreadableImage(f"{name} is damaged: the segments of its compressed pixels lie outside of them.")
    view = memoryview(data)
    return [view[a:b] for a, b in itertools.pairwise(cuts)]
