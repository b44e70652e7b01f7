"""What lies below the allowed folders and can be asked about: images, volumes, clips, archives, folders of DICOM."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

Kind = Literal["image", "volume", "clip", "archive", "study"]

_KINDS: dict[str, Kind] = {
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".tif", ".tiff", ".dcm", ".dicom"), "image"),
    **dict.fromkeys((".nii", ".nii.gz", ".nrrd", ".mha", ".mhd"), "volume"),
    **dict.fromkeys((".mp4", ".avi", ".mkv", ".mpg", ".mov"), "clip"),
    ".zip": "archive",
}
LOOKED_AT = 200_000
"""Directory entries that one walk looks at; a folder with more is a disk, not a collection of images."""
LISTED = 50_000
"""Entries that are kept."""


class Listed(NamedTuple):
    """One thing a client may ask about."""

    path: Path
    kind: Kind
    format: str
    bytes: int
    """Size of the file; of a study, of its DICOM files together."""
    files: int = 1


def inside(path: Path, roots: Sequence[Path]) -> bool:
    """Whether a path, its links resolved, lies below one of these folders."""
    try:
        real = path.resolve()
    except (OSError, RuntimeError):
        return False
    return any(real.is_relative_to(root) for root in roots)


def walk(roots: Sequence[Path]) -> Iterator[Listed | None]:
    """Everything below some folders, in the order of names. Hidden entries and links that lead outside are passed over.

    Gives None at the end when there is more than is looked at.

    Args:
        roots: Resolved folders. Links to folders are not followed.
    """
    looked = 0
    for root in roots:
        for base, folders, files in os.walk(root):
            folders[:] = sorted(f for f in folders if not f.startswith("."))
            looked += len(files) + 1
            if looked > LOOKED_AT:
                yield None
                return
            found = [one for name in sorted(files) if (one := _listed(Path(base, name), roots)) is not None]
            yield from found
            dicom = [one for one in found if one.format == "dicom"]
            if len(dicom) > 1:
                yield Listed(Path(base), "study", "dicom", sum(one.bytes for one in dicom), len(dicom))


def _listed(path: Path, roots: Sequence[Path]) -> Listed | None:
    if path.name.startswith("."):
        return None
    suffixes = [s.lower() for s in path.suffixes[-2:]]
    suffix = ".nii.gz" if suffixes == [".nii", ".gz"] else (suffixes[-1] if suffixes else "")
    kind = _KINDS.get(suffix)
    if kind is None and suffix and not suffix[1:].isdigit():
        return None
    try:
        if (path.is_symlink() and not inside(path, roots)) or not path.is_file():
            return None
        if kind is None and not _is_dicom(path):
            return None
        size = path.stat().st_size
    except OSError:
        return None
    dicom = kind is None or suffix in (".dcm", ".dicom")
    return Listed(path, kind or "image", "dicom" if dicom else suffix[1:], size)


def _is_dicom(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def files_below(folder: Path, roots: Sequence[Path], most: int) -> list[Path] | None:
    """Regular files of a folder and those below it that do not lead outside; None when there are more than `most`."""
    found: list[Path] = []
    for base, folders, files in os.walk(folder):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        for name in sorted(files):
            path = Path(base, name)
            if not name.startswith(".") and path.is_file() and (not path.is_symlink() or inside(path, roots)):
                found.append(path)
        if len(found) > most:
            return None
    return found
