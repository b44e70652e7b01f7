"""A header in text whose voxels lie behind it or in another file, and that other file.

What a header names is looked for beside the header and nowhere else: no absolute path, no other folder, no link that
leads out of it. Otherwise a header from outside could have any file of this machine read as voxels.
"""

import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from secondread.imaging.volume.content import Content
from secondread.schema.errors import UnreadableImage, UnsupportedImage

HEADER_LIMIT = 1 << 20
"""A text header is at most this long."""


@dataclass(frozen=True)
class TextHeader:
    """What an NRRD or MetaImage header says, without any free text."""

    shape: tuple[int, int, int]
    frames: int
    dtype: np.dtype[Any]
    deflated: bool
    offset: int
    """Where voxels, or the stream that holds them, start in their file."""
    data_file: str | None
    """None: behind the header."""
    oriented: bool
    minimal: str
    """A header of the same grid with nothing but numbers and key words in it, for SimpleITK."""
    suffix: str
    source_format: str
    mm: float = 1.0
    """Millimetres per unit of length."""
    modality: str | None = None
    from_end: bool = False
    """Voxels are the last bytes of their file."""
    caveats: tuple[str, ...] = ()


def data_content(header: TextHeader, content: Content) -> Content:
    """The file that holds the voxels.

    Args:
        header: Of `content`.
        content: The header's own file.

    Raises:
        UnreadableImage: It is not there, or not readable.
        UnsupportedImage: The header leads out of its folder, or came without one.
    """
    wanted = header.data_file
    if wanted is None:
        return content
    if content.path is None:
        raise UnsupportedImage(
            f"{content.name} is a header whose voxels lie in another file.", hint="Give the path of the header."
        )
    wanted = wanted.removeprefix("./").removeprefix(".\\")
    folder = os.path.realpath(os.path.dirname(content.path))
    plain = wanted and wanted not in (".", "..") and not set(wanted) & set("/\\\0:")
    if not plain or os.path.dirname(os.path.realpath(os.path.join(folder, wanted))) != folder:
        raise UnsupportedImage(
            f"{content.name} names voxels outside its own folder; they are not read.",
            hint="Put the data file beside the header and name it without a path.",
        )
    path = os.path.join(folder, wanted)
    if not os.path.isfile(path):
        raise UnreadableImage(f"{content.name} names a data file that does not lie beside it.")
    return Content(path, f"The data file of {content.name}")


def whole_number(words: str) -> int:
    """An integer as headers write it; -1 when it is not one."""
    try:
        return int(words)
    except ValueError:
        return -1


def numbers(words: str) -> list[float]:
    """Numbers separated by spaces; empty when one is not a number."""
    try:
        return [float(word) for word in words.split()]
    except ValueError:
        return []
