"""The normal form of a name, and 64-bit hashes of normal forms: one by one and millions at a time.

Normal form: case folded, accents dropped, every run of other characters than letters, marks and digits one space. Texts
of nothing but such characters keep them. Hash: polynomial in the UTF-8 bytes modulo 2^64, then mixed; a look-up
compares the normal forms behind equal hashes, so a collision costs time and no wrong answer.
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_PRIME = 0x9E3779B97F4A7C15
_MIX = 0xFF51AFD7ED558CCD
_MASK = (1 << 64) - 1
_SPACE = 0x20
_LONG = 1 << 16
"""Bytes of the longest normal form that is hashed in bulk; longer ones go one by one."""


_ACCENTS = dict.fromkeys(range(0x300, 0x370))
_OTHER = re.compile(r"[\W_]")


def _mark_or_space(match: re.Match[str]) -> str:
    """Marks of scripts that write vowels with them stay; every other sign parts words."""
    return match.group() if unicodedata.category(match.group())[0] == "M" else " "


def normal(text: str) -> str:
    """The normal form of a name."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", unicodedata.normalize("NFKD", text).translate(_ACCENTS))
    folded = text.casefold()
    kept = _OTHER.sub(_mark_or_space, folded).split()
    return " ".join(kept) or " ".join(folded.split())


def variants(text: str) -> list[str]:
    """Normal forms to look a text up by, best first: as it is, then with its last word in the other number."""
    exact = normal(text)
    found = [exact]
    if len(exact) > 3 and exact.isascii():
        if exact.endswith("ies"):
            found.append(exact[:-3] + "y")
        elif exact.endswith("s") and not exact.endswith(("ss", "us", "is")):
            found.append(exact[:-1])
        elif exact[-1].isalpha():
            found.append(exact + "s")
    return found


def hash_of(form: str) -> int:
    """The hash of one normal form, 0 to 2^64 - 1."""
    value, power = 0, 1
    for byte in form.encode("utf-8", "surrogatepass"):
        value = (value + (byte + 1) * power) & _MASK
        power = (power * _PRIME) & _MASK
    return _mixed(value)


def _mixed(value: int) -> int:
    value ^= value >> 33
    value = (value * _MIX) & _MASK
    return value ^ (value >> 29)


def _powers(count: int) -> NDArray[np.uint64]:
    made = np.full(count, _PRIME, np.uint64)
    made[:1] = 1
    return np.multiply.accumulate(made)


_POWERS = _powers(_LONG)


def _table() -> NDArray[np.uint8]:
    """Byte -> byte of the normal form for ASCII: lower case letters and digits, everything else a space."""
    table = np.full(256, _SPACE, np.uint8)
    for code in range(128):
        if chr(code).isalnum():
            table[code] = ord(chr(code).lower())
    return table


_TABLE = _table()


def hashes(blob: NDArray[np.uint8], offsets: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Hashes of the normal forms of many texts.

    Args:
        blob: uint8, UTF-8 of all texts one after the other.
        offsets: int64[n + 1], where each text starts, and the end of the last.

    Returns:
        uint64[n].
    """
    count = len(offsets) - 1
    found = np.zeros(count, np.uint64)
    if count == 0:
        return found
    begin = int(offsets[0])
    blob = blob[begin : int(offsets[-1])]
    offsets = offsets - begin
    folded = _TABLE[blob]
    word = folded != _SPACE
    # A space is kept when it follows a kept letter of the same text; the last one of a text is left out of the sum.
    keep = word.copy()
    keep[1:] |= word[:-1]
    starts = offsets[:-1]
    lengths = np.diff(offsets)
    filled = lengths > 0
    heads = starts[filled]
    keep[heads] &= word[heads]
    before = np.concatenate(([0], np.cumsum(keep, dtype=np.int64)))
    sizes = before[offsets[1:]] - before[starts]
    tails = offsets[1:][filled] - 1
    trailing = np.zeros(count, np.int64)
    trailing[filled] = keep[tails] & ~word[tails]
    letters = folded[keep]
    high = np.concatenate(([0], np.cumsum(blob >= 128, dtype=np.int64)))
    slow = (high[offsets[1:]] > high[starts]) | (sizes == 0) | (sizes > _LONG)
    fast = np.flatnonzero(~slow)
    if len(fast):
        found[fast] = _sums(letters, before[starts[fast]], sizes[fast] - trailing[fast])
    rest = np.flatnonzero(slow)
    if len(rest):
        raw = blob.tobytes()
        forms = [normal(raw[starts[i] : offsets[i + 1]].decode("utf-8", "replace")) for i in rest]
        found[rest] = hashes_of(forms)
    return found


def hashes_of(forms: Sequence[str]) -> NDArray[np.uint64]:
    """Hashes of many normal forms."""
    raw = [form.encode("utf-8", "surrogatepass") for form in forms]
    sizes = np.fromiter(map(len, raw), np.int64, len(raw))
    found = np.zeros(len(raw), np.uint64)
    short = np.flatnonzero((sizes > 0) & (sizes <= _LONG))
    if len(short):
        letters = np.frombuffer(b"".join(raw), np.uint8)
        starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
        found[short] = _sums(letters, starts[short], sizes[short])
    for i in np.flatnonzero((sizes == 0) | (sizes > _LONG)).tolist():
        found[i] = hash_of(forms[i])
    return found


def _sums(letters: NDArray[np.uint8], starts: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Hashes of non-empty pieces of `letters`, in order and without overlap; gaps between them are skipped."""
    ends = starts + sizes
    low, high = int(starts[0]), int(ends[-1])
    position = np.arange(low, high, dtype=np.int64)
    position -= np.repeat(starts, np.diff(np.append(starts, high)))
    terms = _POWERS[np.minimum(position, _LONG - 1)]
    terms *= letters[low:high].astype(np.uint64) + np.uint64(1)
    cuts = np.stack((starts, ends), axis=1).ravel() - low
    if cuts[-1] == len(terms):
        cuts = cuts[:-1]
    value: NDArray[np.uint64] = np.add.reduceat(terms, cuts)[::2]
    value ^= value >> np.uint64(33)
    value *= np.uint64(_MIX)
    value ^= value >> np.uint64(29)
    return value


def columns_of(texts: Any) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """UTF-8 bytes and offsets int64[n + 1] of a pyarrow (chunked) string array or a sequence of str; null is empty."""
    if hasattr(texts, "combine_chunks") and hasattr(texts, "chunks"):
        texts = texts.combine_chunks()
    if hasattr(texts, "buffers"):
        return _arrow_columns(texts)
    raw = [text.encode("utf-8", "replace") for text in texts]
    offsets = np.zeros(len(raw) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, raw), np.int64, len(raw)), out=offsets[1:])
    return np.frombuffer(b"".join(raw), np.uint8), offsets


def _arrow_columns(array: Any) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    import pyarrow

    if array.null_count:
        array = array.fill_null("")
    if not pyarrow.types.is_large_string(array.type):
        array = array.cast(pyarrow.large_string())
    _, ends, data = array.buffers()
    offsets = np.frombuffer(ends, np.int64, len(array) + 1, array.offset * 8)
    blob = np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)
    return blob[offsets[0] : offsets[-1]], offsets - offsets[0]
