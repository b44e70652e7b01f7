"""The header of a DICOM file without its pixels, and where the pixels lie."""

import io
import math
import struct
import zlib
from dataclasses import dataclass, field
from typing import Any, BinaryIO, cast

from secondread.imaging.dicom.source import Source
from secondread.imaging.dicom.values import integer, text
from secondread.imaging.limits import MAX_BYTES
from secondread.schema.errors import UnreadableImage, UnsupportedImage

PIXELS = {0x7FE00008: "FloatPixelData", 0x7FE00009: "DoubleFloatPixelData", 0x7FE00010: "PixelData"}
UNDEFINED = 0xFFFFFFFF
DEFLATED = "1.2.840.10008.1.2.1.99"
_LONG = frozenset((b"OB", b"OW", b"OF", b"OD", b"OL", b"OV", b"SQ", b"UN", b"UC", b"UR", b"UT", b"SV", b"UV"))
_INFLATED_HEADER = 16 << 20
"""A header is looked for in this much of a deflated data set; a small file can inflate a thousandfold."""
MOST_READS = 2_000_000
"""Reads of one header. An enhanced object of 10,000 frames takes a quarter of them; more are a bomb of empty items,
each of which costs a hundred times its eight bytes."""
MOST_ITEMS = 2_000_000
"""Items inside one sequence of known length, which is parsed when it is first used."""
_ITEM_TAGS = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")


class _Counted:
    """A stream that gives up on a header without end."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self.seek, self.tell = stream.seek, stream.tell
        self._read = stream.read
        self._left = MOST_READS
        self._name = name

    def read(self, size: int = -1) -> bytes:
        self._left -= 1
        if self._left < 0:
            raise UnsupportedImage(f"{self._name} has a header of too many elements.")
        return self._read(size)


@dataclass(frozen=True)
class PixelElement:
    """Where the pixels lie in their source."""

    keyword: str
    vr: str
    offset: int
    """Of the first byte of the value."""
    length: int
    """Bytes, as the header says; `UNDEFINED` for encapsulated pixels."""
    source: Source


@dataclass
class Parsed:
    """A header."""

    header: Any
    """pydicom data set of everything before the pixels."""
    pixels: PixelElement | None
    caveats: list[str] = field(default_factory=list)


def parse(source: Source, name: str) -> Parsed:
    """Read the header of a DICOM file.

    Args:
        source: The file.
        name: As the caller typed it, for messages.

    Raises:
        UnreadableImage: Not DICOM, or damaged before its pixels.
        UnsupportedImage: A deflated data set that inflates beyond 1 GiB.
    """
    head = source.read(0, 132)
    bare = head[128:132] != b"DICM"
    caveats = ["The file has no DICOM preamble; it was read as a bare data set."] if bare else []
    try:
        syntax, start = _meta(source, bare)
        parsed = _inflated(source, name, start) if syntax == DEFLATED else _plain(source, name)
        tags = len(parsed.header)
    except (UnreadableImage, UnsupportedImage):
        raise
    except MemoryError:
        raise
    except Exception:  # a damaged header makes pydicom raise almost any type; its text may quote the header
        raise UnreadableImage(f"{name} is {'not an image' if bare else 'a damaged or truncated DICOM file'}.") from None
    ds = parsed.header
    if bare and parsed.pixels is None and not any(keyword in ds for keyword in ("SOPClassUID", "Modality")):
        raise UnreadableImage(f"{name} is not an image.", hint="PNG, JPEG, TIFF and DICOM are read.")
    if tags == 0 and parsed.pixels is None:
        raise UnreadableImage(f"{name} is a truncated DICOM file: it ends before its data set.")
    if not text(ds.file_meta, "TransferSyntaxUID") and (parsed.pixels is None or parsed.pixels.length != UNDEFINED):
        from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

        implicit, little = ds.original_encoding
        guess = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        ds.file_meta.TransferSyntaxUID = guess
        caveats.append("The file does not name its transfer syntax; it was told from its content.")
    parsed.caveats += caveats
    return parsed


def _plain(source: Source, name: str) -> Parsed:
    with source.stream() as stream:
        return _read(stream, source, name)


def _read(stream: BinaryIO, source: Source, name: str) -> Parsed:
    """Everything before the pixels, and where they start."""
    from pydicom.filereader import read_partial

    found: list[tuple[int, str, int, int]] = []

    def at_pixels(tag: int, vr: str | None, length: int) -> bool:
        if tag not in PIXELS:
            return False
        found.append((int(tag), vr or "OW", length, stream.tell()))
        return True

    ds = read_partial(cast(BinaryIO, _Counted(stream, name)), stop_when=at_pixels, force=True)
    for tag in ds.keys():  # noqa: SIM118 - iterating a data set parses its elements
        raw = ds.get_item(tag).value
        if isinstance(raw, bytes) and len(raw) > 8 * MOST_ITEMS and max(map(raw.count, _ITEM_TAGS)) > MOST_ITEMS:
            raise UnsupportedImage(f"{name} has a header of too many elements.")
    if not found:
        return Parsed(ds, None)
    tag, vr, length, offset = found[0]
    return Parsed(ds, PixelElement(PIXELS[tag], vr, offset, length, source))


def _meta(source: Source, bare: bool) -> tuple[str, int]:
    """Transfer syntax and end of the file meta group, by a walk over its explicit little endian elements."""
    data = source.read(0, 1 << 16)
    syntax, at = "", 0 if bare else 132
    while at + 8 <= len(data):
        group, number, vr, length = struct.unpack_from("<HH2sH", data, at)
        if group != 2:
            break
        start = at + 8
        if vr in _LONG:
            if at + 12 > len(data):
                break
            start, length = at + 12, struct.unpack_from("<I", data, at + 8)[0]
        if number == 0x10:
            syntax = data[start : start + length].decode("ascii", "replace").strip("\0 ")
        at = start + length
    return syntax, at


def _inflated(source: Source, name: str, start: int) -> Parsed:
    """A deflated data set, inflated as far as its pixels reach by its header, and never beyond 1 GiB.

    Args:
        source: The file.
        name: For messages.
        start: Where the deflated part begins.
    """
    from pydicom.filereader import read_partial

    meta = read_partial(io.BytesIO(source.read(0, start)), force=True).file_meta
    packed = source.view(start, source.size - start)
    data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, _INFLATED_HEADER)
    parsed = _read(io.BytesIO(data), Source(data, name), name)
    if len(data) == _INFLATED_HEADER and parsed.pixels is not None:
        reach = parsed.pixels.offset + _pixel_bytes(parsed.header)
        if reach > MAX_BYTES:
            raise UnsupportedImage(f"{name} inflates to more than {MAX_BYTES >> 30} GiB.")
        data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, max(reach, _INFLATED_HEADER))
        parsed = _read(io.BytesIO(data), Source(data, name), name)
    parsed.header.file_meta = meta
    return parsed


def _pixel_bytes(ds: Any) -> int:
    """Bytes of all frames as the header describes them, and a little more."""
    sides = [max(1, integer(ds, keyword) or 1) for keyword in ("Rows", "Columns", "SamplesPerPixel", "NumberOfFrames")]
    return math.prod(sides) * (integer(ds, "BitsAllocated") or 8) // 8 + 4096
