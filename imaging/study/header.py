"""What the scan keeps of one DICOM file: typed values of its header, read without pixels."""

import hashlib
import io
import math
import re
import struct
import sys
import zlib
from functools import lru_cache
from typing import Any, BinaryIO, NamedTuple

from secondread.imaging.dicom.parse import DEFLATED
from secondread.imaging.quiet import quiet
from secondread.imaging.study import tags
from secondread.imaging.study.held import Held
from secondread.imaging.study.quick import data_set, quick_values

Three = tuple[float, float, float]
Six = tuple[float, float, float, float, float, float]


class Scaling(NamedTuple):
    """How stored integers of a slice become values."""

    bits: int
    signed: bool
    slope: float
    intercept: float
    hounsfield: bool


@lru_cache(4096)
def _scaling(bits: int, signed: bool, slope: float, intercept: float, hounsfield: bool) -> Scaling:
    """One object for the many slices that share it."""
    return Scaling(bits, signed, slope, intercept, hounsfield)


class Header:
    """One file. Text is kept as single bytes in Latin-1: it is compared and looked up, never shown."""

    __slots__ = (
        "bytes_on_disk", "columns", "content", "end", "frames", "held", "little", "orientation", "position", "raw",
        "rows", "series", "spacing", "study", "syntax", "uid",
    )  # fmt: skip

    def __init__(
        self, held: Held, raw: dict[int, bytes], size: int, *, syntax: str = "", little: bool = True, end: int = 0
    ) -> None:
        self.held = held
        self.raw = raw
        self.bytes_on_disk = size
        self.little = little
        self.syntax = syntax
        self.end = end
        """Offset behind which the pixels lie."""
        self.study = sys.intern(self.text(tags.STUDY))
        self.series = sys.intern(self.text(tags.SERIES))
        self.uid = self.text(tags.SOP_INSTANCE)
        self.rows = self.whole(tags.ROWS) or 0
        self.columns = self.whole(tags.COLUMNS) or 0
        self.frames = max(1, self.whole(tags.FRAMES) or 1)
        position, orientation, spacing = (self.numbers(tag) for tag in (tags.POSITION, tags.ORIENTATION, tags.SPACING))
        self.position: Three | None = position if len(position) == 3 else None
        self.orientation: Six | None = orientation if len(orientation) == 6 else None
        self.spacing: tuple[float, float] | None = (
            (spacing[0], spacing[1]) if len(spacing) == 2 and min(spacing) > 0 else None
        )
        held_values = b"".join([b"%08x%d:%b" % (tag, len(raw[tag]), raw[tag]) for tag in sorted(raw)])
        self.content = hashlib.blake2b(held_values, digest_size=16).digest()
        """Hash of every value read. Files with equal ones and equal length count as copies."""

    def text(self, tag: int) -> str:
        """A value as text without padding; empty when absent."""
        found = self.raw.get(tag)
        return found.decode("latin-1").strip(" \0\t\r\n") if found else ""

    def words(self, tag: int) -> tuple[str, ...]:
        """The values of an element, in upper case."""
        found = self.text(tag)
        return tuple(word.strip().upper() for word in found.split("\\")) if found else ()

    def numbers(self, tag: int) -> tuple[float, ...]:
        """All values of a numeric element; empty when absent or when one is not a finite number."""
        found = self.raw.get(tag)
        if not found:
            return ()
        try:
            if tag in tags.UNSIGNED:
                result = struct.unpack(f"{'<' if self.little else '>'}{len(found) // 2}H", found)
            elif tag in tags.DOUBLES:
                result = struct.unpack(f"{'<' if self.little else '>'}{len(found) // 8}d", found)
            else:
                result = tuple(map(float, found.decode("latin-1").strip(" \0").split("\\")))
        except (ValueError, struct.error):
            return ()
        return result if all(map(math.isfinite, result)) else ()

    def number(self, tag: int) -> float | None:
        """First value of a numeric element, or None."""
        found = self.numbers(tag)
        return found[0] if found else None

    def whole(self, tag: int) -> int | None:
        """First value as an integer, or the leading digits of a malformed one."""
        found = self.number(tag)
        if found is not None:
            return int(found)
        digits = re.match(r"\d{1,9}", self.text(tag))
        return int(digits.group()) if digits else None

    def get(self, keyword: str) -> str | None:
        """A value by keyword, for the readers of `imaging.dicom` that ask a data set; None when it is not held."""
        tag = _KEYWORDS.get(keyword)
        return None if tag is None else self.text(tag) or None

    @property
    def moment(self) -> str:
        """`YYYYMMDDhhmmss..` of the study, or of the first date there is; empty when there is none. Sorts by time."""
        for date, time in (
            (tags.STUDY_DATE, tags.STUDY_TIME), (tags.SERIES_DATE, tags.SERIES_TIME),
            (tags.ACQUISITION_DATE, tags.ACQUISITION_TIME), (tags.CONTENT_DATE, tags.CONTENT_TIME),
        ):  # fmt: skip
            day = re.sub(r"\D", "", self.text(date))
            if len(day) == 8:
                return day + re.sub(r"[^\d.]", "", self.text(time))
        return ""

    @property
    def scaling(self) -> Scaling | None:
        """How its stored integers become values, by the rules of `imaging.dicom.file`.

        None when that needs a look at the whole header: a table, colour, more than 16 bits, several frames.
        """
        bits = self.whole(tags.STORED) or self.whole(tags.ALLOCATED) or 0
        if self.frames > 1 or not 0 < bits <= 16 or tags.MODALITY_LUT in self.raw or self.whole(tags.SAMPLES) != 1:
            return None
        kind = self.text(tags.RESCALE_TYPE).upper()
        intercept = self.number(tags.INTERCEPT)
        computed = self.text(tags.MODALITY).upper() == "CT" and intercept is not None and not kind
        return _scaling(
            bits,
            bool(self.whole(tags.SIGNED)),
            self.number(tags.SLOPE) or 1.0,
            0.0 if intercept is None else intercept,
            kind == "HU" or computed,
        )

    @property
    def expected_bytes(self) -> int:
        """Bytes the file has at least when its pixels are not compressed; 0 when it cannot be told."""
        if self.syntax not in _PLAIN or not self.rows:
            return 0
        colours = self.text(tags.PHOTOMETRIC).upper()
        samples = 2.0 if colours.endswith("422") else 1.5 if colours.endswith("420") else self.whole(tags.SAMPLES) or 1
        bits = int((self.whole(tags.ALLOCATED) or 8) * samples)
        return self.end + self.rows * self.columns * self.frames * bits // 8


INFLATED = 16 << 20
"""Bytes of a deflated data set within which its header is looked for."""

_KEYWORDS = {"BodyPartExamined": tags.BODY_PART, "Modality": tags.MODALITY}
_PLAIN = frozenset(("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"))


def read_header(held: Held, stream: BinaryIO, head: bytes, size: int) -> Header | None:
    """The header of one DICOM file.

    Args:
        held: The file.
        stream: Its bytes, read up to the end of `head`.
        head: Its first `FIRST_PIECE` bytes.
        size: Bytes of the whole file.

    Returns:
        None for a file that is not DICOM after all, or damaged before its pixels.
    """
    quick = quick_values(stream, head)
    if quick is not None:
        return Header(held, quick.values, size, syntax=quick.syntax, end=quick.end)
    syntax, start = data_set(head)
    try:
        with quiet():
            if syntax == DEFLATED:
                return _deflated(held, size, start)
            return _slow(held, size)
    except Exception:  # a damaged header makes pydicom raise almost any type
        return None


def _slow(held: Held, size: int) -> Header | None:
    """The same values through pydicom."""
    import pydicom

    wanted = sorted(tags.WANTED)
    with held.bounded() as stream:
        ds = pydicom.dcmread(stream, stop_before_pixels=True, force=True, specific_tags=wanted)
        end = stream.tell()
    raw = _raw(ds)
    if str(ds.file_meta.get("MediaStorageSOPClassUID", "")) == tags.DIRECTORY:
        raw[tags.SOP_CLASS] = tags.DIRECTORY.encode()
    little = ds.original_encoding[1] is not False
    syntax = str(ds.file_meta.get("TransferSyntaxUID", ""))
    return _if_any(Header(held, raw, size, syntax=syntax, little=little, end=end))


def _deflated(held: Held, size: int, start: int) -> Header | None:
    """The values of a deflated data set, looked for in `INFLATED` bytes: a small file can inflate to any size."""
    from pydicom.filereader import read_dataset

    with held.bounded() as stream:
        stream.seek(start)
        inflated = zlib.decompressobj(-zlib.MAX_WBITS).decompress(stream.read(INFLATED), INFLATED)
    ds = read_dataset(io.BytesIO(inflated), False, True, stop_when=lambda tag, vr, length: tag > tags.LAST)
    return _if_any(Header(held, _raw(ds), size, syntax=DEFLATED))


def _if_any(header: Header) -> Header | None:
    """The header when it says anything of an object; a file of another kind can pass for an empty data set."""
    return header if any(tag in header.raw for tag in (tags.SOP_CLASS, tags.MODALITY, tags.ROWS)) else None


def _raw(ds: Any) -> dict[int, bytes]:
    """Values of a pydicom data set as stored; of a sequence nothing but that it is there."""
    found: dict[int, bytes] = {}
    for tag in tags.WANTED:
        if tag in ds:
            value = ds.get_item(tag).value
            if isinstance(value, bytes) or tag == tags.MODALITY_LUT:
                found[tag] = value if isinstance(value, bytes) else b""
    return found
