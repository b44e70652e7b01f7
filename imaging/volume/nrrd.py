"""The text header of an NRRD file (attached or detached).

Source: "Definition of NRRD File Format" of teem (fields, types, kinds, spaces, encodings).
"""

import re
from typing import Any

import numpy as np

from secondread.imaging.volume.beside import HEADER_LIMIT, TextHeader, numbers, whole_number
from secondread.imaging.volume.content import Content
from secondread.schema.errors import UnreadableImage, UnsupportedImage

MAGIC = b"NRRD00"

_TYPES = {
    "i1": ("signed char", "int8", "int8_t"),
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i8": ("longlong", "long long", "long long int", "signed long long", "signed long long int", "int64", "int64_t"),
    "u8": ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
    "f4": ("float",),
    "f8": ("double",),
}
_DTYPES = {word: code for code, words in _TYPES.items() for word in words}

_SPACES = {
    "right-anterior-superior": "right-anterior-superior", "ras": "right-anterior-superior",
    "left-anterior-superior": "left-anterior-superior", "las": "left-anterior-superior",
    "left-posterior-superior": "left-posterior-superior", "lps": "left-posterior-superior",
}  # fmt: skip
"""Spaces of the patient; in all others a direction has no name."""

_MILLIMETRES = {"mm": 1.0, "cm": 10.0, "m": 1000.0, "um": 0.001, "µm": 0.001}


def read_header(content: Content) -> TextHeader:
    """Parse the header.

    Args:
        content: A file that begins with `MAGIC`.

    Raises:
        UnreadableImage: A field is missing or damaged.
        UnsupportedImage: Colour or vectors, text or bzip2 encodings, several data files.
    """
    name = content.name
    fields, behind = _fields(content)
    dtype = _dtype(fields, name)
    sizes = [whole_number(word) for word in fields.get("sizes", "").split()]
    rank = whole_number(fields.get("dimension", ""))
    if rank < 1 or len(sizes) != rank or min(sizes) < 1:
        raise _damaged(name, "sizes and dimension do not fit")
    kinds = fields.get("kinds", "").split()
    if rank != 3 and not (rank == 4 and _frames_last(fields, kinds)):
        raise UnsupportedImage(
            f"{name} is an NRRD of {rank} dimensions that are not three of space (and frames last).",
            hint="Colour, vectors and two-dimensional images are not read as volumes.",
        )
    if any(kind.lower() not in ("domain", "space", "???", "none") for kind in kinds[:3]):
        raise UnsupportedImage(f"{name} holds several values per voxel, which are not read.")
    encoding = fields.get("encoding", "").lower()
    if encoding not in ("raw", "gzip", "gz"):
        raise UnsupportedImage(f"{name} has an NRRD encoding that is not read.", hint="Save it as raw or gzip.")
    data_file = fields.get("data file", fields.get("datafile"))
    if data_file is not None and (data_file.upper().startswith("LIST") or "%" in data_file):
        raise UnsupportedImage(f"{name} spreads its voxels over several files.", hint="Save it as one .nrrd file.")
    if data_file is None and behind is None:
        raise _damaged(name, "it does not end")
    if whole_number(fields.get("line skip", fields.get("lineskip", "0"))) != 0:
        raise UnsupportedImage(f"{name} has lines before its voxels, which are not skipped here.")
    skip = whole_number(fields.get("byte skip", fields.get("byteskip", "0")))
    from_end = encoding == "raw" and fields.get("byte skip", fields.get("byteskip")) == "-1"
    if (skip < 0 and not from_end) or (skip > 0 and encoding != "raw"):
        raise UnsupportedImage(f"{name} skips bytes in a way that is not read.")
    space = _SPACES.get(fields.get("space", "").lower())
    minimal, oriented, caveats = _grid(fields, sizes[:3], space, name)
    units = set(re.findall(r'"([^"]*)"', fields.get("space units", "")))
    known = {_MILLIMETRES.get(unit.strip()) for unit in units} if units else {1.0}
    if len(known) != 1 or None in known:
        caveats.append("The unit of length of the header is not known; mm are assumed.")
        known = {1.0}
    return TextHeader(
        shape=(sizes[0], sizes[1], sizes[2]),
        frames=sizes[3] if rank == 4 else 1,
        dtype=dtype,
        deflated=encoding != "raw",
        offset=max(skip, 0) + (behind if data_file is None and behind is not None else 0),
        data_file=data_file,
        oriented=oriented,
        minimal=minimal,
        suffix=".nrrd",
        source_format="nrrd",
        mm=known.pop() or 1.0,
        from_end=from_end,
        caveats=tuple(caveats),
    )


def _fields(content: Content) -> tuple[dict[str, str], int | None]:
    """Fields by lower-case name, and where the voxels of an attached header start; key/value pairs are left out."""
    head = content.raw_head(HEADER_LIMIT)
    end = re.search(rb"\r?\n\r?\n", head)
    behind = end.end() if end else None
    lines = (head[: end.start()] if end else head).decode("latin-1").splitlines()[1:]
    fields: dict[str, str] = {}
    for line in lines:
        found = re.match(r"([A-Za-z][A-Za-z ]*): ?(.*)", line)
        if found and not line.startswith("#"):
            fields.setdefault(found[1].strip().lower(), found[2].strip())
    if end is None and len(head) == HEADER_LIMIT:
        raise _damaged(content.name, "it does not end")
    return fields, behind


def _dtype(fields: dict[str, str], name: str) -> np.dtype[Any]:
    code = _DTYPES.get(fields.get("type", "").lower())
    if code is None:
        raise UnsupportedImage(f"{name} has an NRRD type that is not read.", hint="Give real numbers.")
    order = {"little": "<", "big": ">"}.get(fields.get("endian", "").lower())
    if order is None and code[1] != "1":
        raise _damaged(name, "the byte order is missing")
    return np.dtype(f"{order or '<'}{code}")


def _frames_last(fields: dict[str, str], kinds: list[str]) -> bool:
    """Whether the fourth axis is the one that is not of space."""
    directions = re.findall(r"none|\([^)]*\)", fields.get("space directions", ""))
    if directions:
        return len(directions) == 4 and directions[3] == "none" and "none" not in directions[:3]
    return len(kinds) == 4 and kinds[3].lower() in ("list", "time")


def _grid(fields: dict[str, str], sizes: list[int], space: str | None, name: str) -> tuple[str, bool, list[str]]:
    """A three-dimensional header of numbers alone, whether it has an orientation, and caveats."""
    lines = ["NRRD0004", "type: uchar", "dimension: 3", f"sizes: {' '.join(map(str, sizes))}"]
    caveats: list[str] = []
    directions = re.findall(r"\(([^)]*)\)", fields.get("space directions", ""))
    vectors = [numbers(vector.replace(",", " ")) for vector in directions]
    origin = numbers(fields.get("space origin", "").strip("()").replace(",", " "))
    if vectors:
        if len(vectors) != 3 or any(len(vector) != 3 for vector in vectors):
            raise _damaged(name, "its space directions are not three of three numbers")
        if origin and len(origin) != 3:
            raise _damaged(name, "its space origin is not three numbers")
        lines += [
            f"space: {space or 'left-posterior-superior'}",
            "space directions: " + " ".join(f"({','.join(map(repr, vector))})" for vector in vectors),
            f"space origin: ({','.join(map(repr, origin or [0.0] * 3))})",
        ]
        if not origin:
            caveats.append("The header gives no origin; positions count from the first voxel.")
    else:
        space = None
        spacings = numbers(fields.get("spacings", ""))[:3]
        if len(spacings) != 3:
            raise _damaged(name, "it gives neither space directions nor spacings")
        lines.append(f"spacings: {' '.join(map(repr, spacings))}")
    if space is None:
        caveats.append("The header does not say which side is the patient's right.")
    return "\n".join([*lines, "encoding: raw", "", ""]), space is not None, caveats


def _damaged(name: str, what: str) -> UnreadableImage:
    return UnreadableImage(f"{name} has a damaged NRRD header: {what}.")
