"""The images of a folder and their opaque keys."""

import csv
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from secondread.schema.errors import UsageError
from secondread.serve.export import crosswalk

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".dcm", ".dicom"})
HEADER = ("key", "path")


def is_image(path: Path) -> bool:
    """Whether a file is worth trying: by suffix, or a DICOM file without one. Broken images count: they get a row."""
    if path.suffix.lower() in SUFFIXES:
        return True
    if path.suffix and not path.suffix[1:].isdigit():
        return False
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False


def images_in(folder: Path, leave_out: Path | None = None) -> Iterator[Path]:
    """Images below a folder, in the order of their names; links that lead outside and hidden entries are passed over.

    Args:
        folder: Where to look.
        leave_out: A folder that is not searched, e.g. the output inside the input.
    """
    root = folder.resolve()
    avoid = leave_out.resolve() if leave_out is not None else None
    for base, folders, files in os.walk(root):
        folders[:] = sorted(f for f in folders if not f.startswith(".") and Path(base, f) != avoid)
        for name in sorted(files):
            path = Path(base, name)
            if name.startswith(".") or not path.is_file() or not path.resolve().is_relative_to(root):
                continue
            if is_image(path):
                yield path


def keys_for(paths: Sequence[str], file: Path) -> dict[str, str]:
    """A key for each relative path. A key once given stays; new paths get the next ones. Written before any row is.

    Raises:
        UsageError: The crosswalk of an earlier run is damaged.
    """
    known: dict[str, str] = {}
    if file.exists():
        with file.open(newline="", encoding="utf-8", errors="surrogateescape") as lines:
            rows = list(csv.reader(lines))
        if not rows or tuple(rows[0]) != HEADER or any(len(row) != 2 for row in rows):
            raise UsageError(f"{file} is not the crosswalk of a batch.")
        known = {path: key for key, path in rows[1:]}
    highest = max((int(key.removeprefix("case-")) for key in known.values()), default=0)
    for path in paths:
        if path not in known:
            highest += 1
            known[path] = f"case-{highest:06d}"
    partial = file.with_suffix(".partial")
    crosswalk(partial, HEADER, [(key, path) for path, key in known.items()])
    os.replace(partial, file)
    return {path: known[path] for path in paths}
