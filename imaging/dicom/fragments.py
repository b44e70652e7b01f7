"""Encapsulated pixels: which bytes of the file belong to which frame.

Source: DICOM PS3.5 A.4 (fragments, basic offset table), PS3.3 C.7.6.3.1.8 (extended offset table).
"""

import itertools
import struct
from typing import Any

from secondread.imaging.dicom.parse import PixelElement
from secondread.imaging.dicom.values import value
from secondread.schema.errors import UnreadableImage, UnsupportedImage

_ITEM = 0xFFFEE000
_DELIMITER = 0xFFFEE0DD
_JPEG_END = b"\xff\xd9"

MOST_FRAGMENTS = 1_000_000

Span = tuple[int, int]
"""Offset in the source and length of one fragment."""


def frame_spans(ds: Any, pixels: PixelElement, frames: int, name: str) -> list[list[Span]]:
    """The fragments of each frame; as many frames as the stream holds, which may differ from `frames`.

    Args:
        ds: The header; it may hold an extended offset table.
        pixels: Where the encapsulated value lies.
        frames: Number of frames of the header.
        name: As the caller typed it, for messages.

    Raises:
        UnreadableImage: There is no fragment at all, or the stream ends before its end mark.
        UnsupportedImage: More than a million fragments.
    """
    table, spans, ended = _fragments(pixels, name)
    if not ended:
        raise UnreadableImage(f"{name} is truncated: its compressed pixels have no end.")
    if not spans:
        raise UnreadableImage(f"{name} is truncated or damaged: its compressed pixels hold no data.")
    first = spans[0][0] - 8
    spans = [span for span in spans if span[1]]
    if frames == len(spans):
        return [[span] for span in spans]
    if frames == 1 and not _several_streams(pixels, spans):
        return [spans]
    starts = _extended(ds) or table
    if len(starts) > 1 or (len(starts) == 1 and frames == 1):
        grouped = _by_offset(spans, [first + start for start in starts])
        if grouped is not None:
            return grouped
    return _by_end_marker(pixels, spans)


def _fragments(pixels: PixelElement, name: str) -> tuple[list[int], list[Span], bool]:
    """The basic offset table, the fragments, and whether the delimiter that ends them was reached."""
    source, at = pixels.source, pixels.offset
    table: list[int] = []
    spans: list[Span] = []
    with source.stream() as stream:
        stream.seek(at)
        first = True
        while at + 8 <= source.size:
            stream.seek(at)
            head = stream.read(8)
            group, element, length = struct.unpack("<HHI", head)
            if group << 16 | element != _ITEM or length > source.size - at - 8:
                return table, spans, group << 16 | element == _DELIMITER
            if first:
                data = stream.read(min(length, 4 * MOST_FRAGMENTS))
                table = list(struct.unpack(f"<{len(data) // 4}I", data[: len(data) // 4 * 4]))
                first = False
            elif len(spans) == MOST_FRAGMENTS:
                raise UnsupportedImage(f"{name} has compressed pixels in more than a million pieces.")
            else:
                spans.append((at + 8, length))
            at += 8 + length
    return table, spans, False


def _extended(ds: Any) -> list[int]:
    data = value(ds, "ExtendedOffsetTable")
    if not isinstance(data, bytes) or len(data) % 8 or len(data) > 8 * MOST_FRAGMENTS:
        return []
    return list(struct.unpack(f"<{len(data) // 8}Q", data))


def _by_offset(spans: list[Span], starts: list[int]) -> list[list[Span]] | None:
    """Fragments grouped by where frames start, or None when an offset points to no fragment."""
    known = {offset - 8: index for index, (offset, _) in enumerate(spans)}
    if any(start not in known for start in starts) or starts != sorted(set(starts)) or known[starts[0]] != 0:
        return None
    cuts = [known[start] for start in starts] + [len(spans)]
    return [spans[a:b] for a, b in itertools.pairwise(cuts)]


def _several_streams(pixels: PixelElement, spans: list[Span]) -> bool:
    """Every fragment is a whole JPEG or JPEG 2000 stream: more frames than the header says."""
    return len(spans) > 1 and all(_ends(pixels, span) and _begins(pixels, span) for span in spans)


def _by_end_marker(pixels: PixelElement, spans: list[Span]) -> list[list[Span]]:
    """A frame ends with the fragment that ends with the marker of JPEG and JPEG 2000."""
    frames: list[list[Span]] = [[]]
    for span in spans:
        frames[-1].append(span)
        if _ends(pixels, span):
            frames.append([])
    return [frame for frame in frames if frame]


def _ends(pixels: PixelElement, span: Span) -> bool:
    tail = min(10, span[1])
    return _JPEG_END in pixels.source.read(span[0] + span[1] - tail, tail)


def _begins(pixels: PixelElement, span: Span) -> bool:
    return pixels.source.read(span[0], 2) in (b"\xff\xd8", b"\xff\x4f")
