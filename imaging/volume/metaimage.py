"""The text header of a MetaImage file (.mha, or .mhd with its data file).

Source: MetaIO documentation of ITK (tags, element types, LOCAL and LIST); positions are LPS as everywhere in ITK.
"""

import re
from typing import Any

import numpy as np

from secondread.imaging.volume.beside import HEADER_LIMIT, TextHeader, numbers, whole_number
from secondread.imaging.volume.content import Content
from secondread.schema.errors import UnreadableImage, UnsupportedImage

_TYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4", "MET_UINT": "u4",
    "MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4", "MET_DOUBLE": "f8",
}  # fmt: skip
"""MET_LONG is left out: its size depends on the machine that wrote it."""

_MATRIX = ("TransformMatrix", "Rotation", "Orientation")
_ORIGIN = ("Offset", "Position", "Origin")


def looks_like(head: bytes) -> bool:
    """Whether a file begins like a MetaImage header: tags of it, line by line."""
    return (
        re.match(rb"(Comment|ObjectType|ObjectSubType|NDims) = ", head) is not None
        and re.search(rb"(^|\n)(NDims|DimSize) = ", head) is not None
    )


def read_header(content: Content) -> TextHeader:
    """Parse the header.

    Args:
        content: A file for which `looks_like` holds.

    Raises:
        UnreadableImage: A field is missing or damaged.
        UnsupportedImage: Colour or vectors, text data, several data files, not three dimensions.
    """
    name = content.name
    fields, behind = _fields(content)
    rank = whole_number(fields.get("NDims", ""))
    sizes = [whole_number(word) for word in fields.get("DimSize", "").split()]
    if rank < 1 or len(sizes) != rank or min(sizes) < 1:
        raise _damaged(name, "DimSize and NDims do not fit")
    if rank not in (3, 4):
        raise UnsupportedImage(f"{name} has {rank} dimensions; a volume has three.")
    if fields.get("ObjectType", "Image") != "Image":
        raise UnsupportedImage(f"{name} is a MetaIO object of another kind than an image.")
    if whole_number(fields.get("ElementNumberOfChannels", "1")) != 1:
        raise UnsupportedImage(f"{name} holds several values per voxel, which are not read.")
    if not _true(fields.get("BinaryData", "True")):
        raise UnsupportedImage(f"{name} holds its voxels as text, which is not read.", hint="Save it as binary.")
    data_file = fields["ElementDataFile"]
    if data_file.upper().startswith("LIST") or "%" in data_file:
        raise UnsupportedImage(f"{name} spreads its voxels over several files.", hint="Save it as one .mha file.")
    local = data_file.upper() == "LOCAL"
    deflated = _true(fields.get("CompressedData", "False"))
    skip = whole_number(fields.get("HeaderSize", "0"))
    from_end = not deflated and fields.get("HeaderSize") == "-1"
    if (skip < 0 and not from_end) or (skip > 0 and (local or deflated)):
        raise UnsupportedImage(f"{name} has a HeaderSize that is not read.")
    minimal, oriented, caveats = _grid(fields, sizes, name)
    modality = {"MET_MOD_CT": "CT", "MET_MOD_MR": "MR"}.get(fields.get("Modality", "").upper())
    return TextHeader(
        shape=(sizes[0], sizes[1], sizes[2]),
        frames=sizes[3] if rank == 4 else 1,
        dtype=_dtype(fields, name),
        deflated=deflated,
        offset=behind if local else max(skip, 0),
        data_file=None if local else data_file,
        oriented=oriented,
        minimal=minimal,
        suffix=".mha",
        source_format="metaimage",
        modality=modality,
        from_end=from_end,
        caveats=tuple(caveats),
    )


def _fields(content: Content) -> tuple[dict[str, str], int]:
    """Fields by name, and where the header ends: behind the line of ElementDataFile."""
    head = content.raw_head(HEADER_LIMIT)
    end = re.search(rb"(?:^|\n)ElementDataFile *= *([^\r\n]*)\r?\n", head + b"\n")
    if end is None:
        raise _damaged(content.name, "it does not name its data")
    fields: dict[str, str] = {}
    for line in head[: end.end()].decode("latin-1").splitlines():
        tag, equals, value = line.partition("=")
        if equals:
            fields.setdefault(tag.strip(), value.strip())
    return fields, end.end()


def _dtype(fields: dict[str, str], name: str) -> np.dtype[Any]:
    code = _TYPES.get(fields.get("ElementType", "").upper())
    if code is None:
        raise UnsupportedImage(f"{name} has a MetaImage element type that is not read.", hint="Give real numbers.")
    big = _true(fields.get("BinaryDataByteOrderMSB", fields.get("ElementByteOrderMSB", "False")))
    return np.dtype(f"{'>' if big else '<'}{code}")


def _grid(fields: dict[str, str], sizes: list[int], name: str) -> tuple[str, bool, list[str]]:
    """A three-dimensional header of numbers alone, whether it has an orientation, and caveats."""
    rank = len(sizes)
    spacing = numbers(next((fields[tag] for tag in ("ElementSpacing", "ElementSize") if tag in fields), ""))
    if len(spacing) != rank:
        raise _damaged(name, "it gives no voxel size")
    matrix = numbers(next((fields[tag] for tag in _MATRIX if tag in fields), ""))
    oriented = len(matrix) == rank * rank
    if not oriented and any(tag in fields for tag in _MATRIX):
        raise _damaged(name, "its matrix has another number of elements than its dimensions ask for")
    origin = numbers(next((fields[tag] for tag in _ORIGIN if tag in fields), ""))
    if origin and len(origin) != rank:
        raise _damaged(name, "its origin has another number of elements than its dimensions ask for")
    kept = np.array(matrix).reshape(rank, rank)[:3, :3] if oriented else np.eye(3)
    caveats = [] if oriented else ["The header does not say which side is the patient's right."]
    if oriented and not origin:
        caveats.append("The header gives no origin; positions count from the first voxel.")
    lines = {
        "ObjectType": "Image",
        "NDims": "3",
        "BinaryData": "True",
        "TransformMatrix": " ".join(repr(float(v)) for v in kept.ravel()),
        "Offset": " ".join(map(repr, (origin or [0.0] * rank)[:3])),
        "ElementSpacing": " ".join(map(repr, spacing[:3])),
        "DimSize": " ".join(map(str, sizes[:3])),
        "ElementType": "MET_UCHAR",
        "ElementDataFile": "LOCAL",
    }
    return "".join(f"{tag} = {value}\n" for tag, value in lines.items()), oriented, caveats


def _true(word: str) -> bool:
    return word[:1].upper() in ("T", "1")


def _damaged(name: str, what: str) -> UnreadableImage:
    return UnreadableImage(f"{name} has a damaged MetaImage header: {what}.")
