"""Files of what a batch was given: folders, zip archives and single files, one by one, in the order of their names.

Hidden entries and links that lead outside a folder are passed over. Nothing is ever written here.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from secondread.imaging.load import shown
from secondread.imaging.study.archive import Archive, is_zip
from secondread.imaging.study.held import Held
from secondread.schema.errors import SecondReadError, UsageError


@dataclass(frozen=True, slots=True)
class Listed:
    """One file, or an archive or folder that cannot be read."""

    held: Held
    path: str
    """Absolute."""
    relative: str
    """From what was given; names the file in the crosswalk and identifies it in later runs."""
    member: str | None = None
    fault: str = ""
    """Why nothing of it can be read; empty for a file to be looked into."""


def listed(given: Path, leave_out: Path | None = None, prefix: str = "") -> Iterator[Listed]:
    """Every file of a folder, of an archive, or a single one; zip archives in a folder are opened too.

    Args:
        given: What was given.
        leave_out: A folder that is passed over.
        prefix: Put before relative names, to tell several folders apart.

    Raises:
        UsageError: It does not exist or may not be read.
    """
    try:
        status = os.stat(given)
    except FileNotFoundError:
        raise UsageError(f"{given} does not exist.") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{given} cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    root = os.path.realpath(given)
    if not stat.S_ISDIR(status.st_mode):
        yield from _file(root, prefix + given.name)
        return
    if not os.access(root, os.R_OK | os.X_OK):
        raise UsageError(f"{given} cannot be read: permission denied.")
    avoid = os.path.realpath(leave_out) if leave_out is not None else None
    yield from _folder(root, root, avoid, prefix)


def _folder(folder: str, root: str, avoid: str | None, prefix: str) -> Iterator[Listed]:
    inside: list[str] = []
    try:
        with os.scandir(folder) as found:
            names = []
            for entry in found:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    inside.append(entry.name)
                elif not entry.is_symlink() or _stays(entry.path, root):
                    names.append(entry.name)
    except OSError as error:
        relative = prefix + os.path.relpath(folder, root)
        held = Held(relative, folder, folder)
        yield Listed(held, folder, relative, fault=f"{relative} cannot be read: {error.strerror}.")
        return
    names.sort()
    for name in names:
        path = os.path.join(folder, name)
        yield from _file(path, prefix + os.path.relpath(path, root))
    for name in sorted(inside):
        path = os.path.join(folder, name)
        if path != avoid:
            yield from _folder(path, root, avoid, prefix)


def _stays(link: str, root: str) -> bool:
    """Whether a link leads to a file inside the folder."""
    target = os.path.realpath(link)
    return os.path.isfile(target) and target.startswith(root + os.sep)


def _file(path: str, relative: str) -> Iterator[Listed]:
    held = Held(shown(relative), os.path.dirname(path), path)
    if path.lower().endswith(".zip"):
        try:
            with open(path, "rb") as file:
                packed = is_zip(file.read(4))
        except OSError as error:
            yield Listed(held, path, relative, fault=f"{held.name} cannot be read: {error.strerror}.")
            return
        if packed:
            yield from _members(path, relative, held)
            return
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return
    except OSError:
        return  # it has gone since the folder was listed
    yield Listed(held, path, relative)


def _members(path: str, relative: str, held: Held) -> Iterator[Listed]:
    try:
        archive = Archive(path, held.name)
    except SecondReadError as error:
        yield Listed(held, path, relative, fault=error.message)
        return
    for info in archive.members:
        name = f"{relative}/{info.filename}"
        folder = f"{relative}!{os.path.dirname(info.filename)}"
        yield Listed(Held(shown(name), folder, None, archive, info), path, name, info.filename)
