"""A walk over a DICOM header that takes the raw values of a few elements and reads no further than the last of them.

pydicom makes an object of every element; the scan of a folder needs forty values of each file and takes several times
longer with it (`python benchmarks/folder_scan.py` prints both). What this walk does not know (big endian, deflated, no
preamble, elements out of order, damage) it leaves to pydicom by returning None, so it never decides that a file is bad.

Source: DICOM PS3.5 7.1 (elements), 7.5 (sequences), PS3.10 7.1 (file meta information).
"""

import struct
from dataclasses import dataclass
from typing import BinaryIO

from secondread.imaging.study.tags import DIRECTORY, LAST, SOP_CLASS, WANTED

FIRST_PIECE = 6144
"""Bytes of the first read. Headers of CT and MR slices reach their pixel attributes within 2 to 6 kB."""
_MOST = 1 << 20
"""A header of which a wanted element lies further in than this many bytes without a gap is left to pydicom."""
_UNDEFINED = 0xFFFFFFFF
_LONG = frozenset((b"OB", b"OW", b"OF", b"OD", b"OL", b"OV", b"SQ", b"UN", b"UC", b"UR", b"UT", b"SV", b"UV"))
_SHORT = frozenset(
    (b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FL", b"FD", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL", b"SS",
     b"ST", b"TM", b"UI", b"UL", b"US")
)  # fmt: skip
_IMPLICIT = "1.2.840.10008.1.2"
_FOREIGN = frozenset(("1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"))

_EXPLICIT_HEAD = struct.Struct("<HH2sH").unpack_from
_IMPLICIT_HEAD = struct.Struct("<HHI").unpack_from
_LENGTH = struct.Struct("<I").unpack_from


class _More(Exception):
    """The walk needs bytes beyond those read so far."""


@dataclass(frozen=True, slots=True)
class Quick:
    """What the walk found."""

    values: dict[int, bytes]
    """Tag -> value as stored, little endian; of a sequence perhaps empty."""
    syntax: str
    """Transfer syntax."""
    end: int
    """Offset in the file up to which the walk came; the pixels lie behind it."""


def quick_values(stream: BinaryIO, head: bytes) -> Quick | None:
    """Raw values of the wanted elements.

    Args:
        stream: The file, read up to the end of `head`.
        head: Its first bytes.

    Returns:
        None for a file that is not read here.
    """
    if head[128:132] != b"DICM":
        return None
    try:
        syntax, kept, at = _meta(head)
    except (struct.error, _More):
        return None
    if kept == DIRECTORY:
        return Quick({SOP_CLASS: DIRECTORY.encode()}, syntax, at)
    if not syntax or syntax in _FOREIGN or not syntax.startswith("1.2.840.10008.1.2"):
        return None
    walk = _Walk(stream, head, explicit=syntax != _IMPLICIT)
    found = walk.values(at)
    return None if found is None else Quick(found, syntax, walk.end)


def data_set(head: bytes) -> tuple[str, int]:
    """Transfer syntax, and where the data set begins; empty and 0 when the file meta information is not readable."""
    try:
        syntax, _, at = _meta(head) if head[128:132] == b"DICM" else ("", "", 0)
    except (struct.error, _More):
        return "", 0
    return syntax, at


def _meta(head: bytes) -> tuple[str, str, int]:
    """Transfer syntax and SOP class of the file meta information, and where the data set begins."""
    syntax, kept, at = "", "", 132
    while True:
        group, number, vr, length = _EXPLICIT_HEAD(head, at)
        if group != 2:
            return syntax, kept, at
        start = at + 8
        if vr in _LONG:
            start, (length,) = at + 12, _LENGTH(head, at + 8)
        elif vr not in _SHORT:
            return "", "", at
        at = start + length
        if at > len(head):
            raise _More
        if number == 0x10:
            syntax = head[start:at].decode("latin-1").strip("\0 ")
        elif number == 0x02:
            kept = head[start:at].decode("latin-1").strip("\0 ")


class _Walk:
    """The elements of one data set; keeps the bytes read from `base` on."""

    def __init__(self, stream: BinaryIO, head: bytes, *, explicit: bool) -> None:
        self._stream = stream
        self._data = head
        self._base = 0
        self._explicit = explicit
        self.end = 0

    def values(self, at: int) -> dict[int, bytes] | None:
        """The wanted elements of a data set that begins at an offset of the file; None when it is not understood."""
        found: dict[int, bytes] = {}
        last = 0
        element = self._explicit_element if self._explicit else self._implicit_element
        while True:
            try:
                if self._explicit:
                    at, last = self._short_elements(at, last, found)
                tag, start, length = element(at - self._base)
                if tag > LAST:
                    self.end = at
                    return found
                if tag <= last or tag < 0x00080000:
                    return None
                if length == _UNDEFINED:
                    after = self._base + self._sequence_end(start)
                    if tag in WANTED:
                        found[tag] = b""
                else:
                    after = self._base + start + length
                    if tag in WANTED:
                        if start + length > len(self._data):
                            raise _More
                        found[tag] = self._data[start : start + length]
            except (_More, struct.error):
                if not self._grow(at):
                    # the header may simply end here: an object without pixels
                    return found if found and at == self._base + len(self._data) else None
                continue
            except ValueError:
                return None
            last, at = tag, after

    def _short_elements(self, at: int, last: int, found: dict[int, bytes]) -> tuple[int, int]:
        """Take the run of short elements from `at` on that lie wholly in the bytes held, nine of ten in a header.

        Returns:
            Where the run ends, and its last tag.
        """
        data, base = self._data, self._base
        here, limit = at - base, len(data) - 8
        while 0 <= here <= limit:
            group, number, vr, length = _EXPLICIT_HEAD(data, here)
            tag = group << 16 | number
            after = here + 8 + length
            if vr not in _SHORT or not last < tag <= LAST or after > limit + 8:
                break
            if tag in WANTED:
                found[tag] = data[here + 8 : after]
            here, last = after, tag
        return here + base, last

    def _explicit_element(self, at: int) -> tuple[int, int, int]:
        """Tag, start of the value and its length of the element at an offset of the bytes held."""
        if at > len(self._data):
            raise _More
        group, number, vr, length = _EXPLICIT_HEAD(self._data, at)
        if vr in _SHORT:
            return group << 16 | number, at + 8, length
        if vr in _LONG:
            return group << 16 | number, at + 12, _LENGTH(self._data, at + 8)[0]
        raise ValueError

    def _implicit_element(self, at: int) -> tuple[int, int, int]:
        if at > len(self._data):
            raise _More
        group, number, length = _IMPLICIT_HEAD(self._data, at)
        return group << 16 | number, at + 8, length

    def _sequence_end(self, at: int, depth: int = 0) -> int:
        """Offset behind a sequence of undefined length whose items begin at `at`."""
        if depth > 16:
            raise ValueError
        element = self._explicit_element if self._explicit else self._implicit_element
        while True:
            group, number, length = _IMPLICIT_HEAD(self._data, at)
            at += 8
            if group != 0xFFFE or number not in (0xE000, 0xE0DD):
                raise ValueError
            if number == 0xE0DD:
                return at
            if length != _UNDEFINED:
                at += length
                continue
            while self._data[at : at + 4] != b"\xfe\xff\x0d\xe0":
                _, start, length = element(at)
                at = self._sequence_end(start, depth + 1) if length == _UNDEFINED else start + length
            at += 8

    def _grow(self, at: int) -> bool:
        """Read on so that more bytes from `at` on are held; False at the end of the file or beyond the limit."""
        held = self._base + len(self._data)
        wanted = max(FIRST_PIECE, 2 * (held - at))
        if wanted > _MOST:
            return False
        if at > held:
            self._stream.seek(at)
            self._data, self._base = b"", at
            held = at
        piece = self._stream.read(wanted)
        if not piece:
            return False
        self._data = self._data[at - self._base :] + piece
        self._base = at
        return True
