"""Which files a source holds: a folder with all below it, a zip archive, a file, or a list of these."""

import os
import stat
from collections.abc import Iterable, Iterator
from typing import Any

from secondread.imaging.load import shown
from secondread.imaging.study.archive import Archive, is_zip
from secondread.imaging.study.held import Held
from secondread.schema.errors import UnreadableImage, UnsupportedImage, UsageError

MAX_FILES = 100_000
"""More than this in one call is a mistake of the caller (a whole disk), not a study; each image takes about 9 kB."""

_LITTER = ("__MACOSX/", ".DS_Store", "Thumbs.db", "desktop.ini", "._")


def files(source: Any) -> Iterator[Held]:
    """Every regular file, folders in the order of their names; symbolic links to folders are not followed.

    Args:
        source: A path, or a list or tuple of paths.

    Raises:
        UnreadableImage: A path that does not exist or may not be read, or a refused archive.
        UnsupportedImage: An archive larger than what is read, or too many files.
        UsageError: Something that is not a path, or an empty list.
    """
    if isinstance(source, str | os.PathLike):
        listed: Iterable[Any] = (source,)
    elif isinstance(source, list | tuple):
        listed = source
        if not source:
            raise UsageError("No file was given.", hint="Give a folder, a zip archive or files.")
    else:
        raise UsageError(f"A {type(source).__name__} is not a study source.", hint="Give a path or a list of paths.")
    count = 0
    for item in listed:
        if not isinstance(item, str | os.PathLike):
            raise UsageError(f"A {type(item).__name__} is not a path.", hint="Give a path or a list of paths.")
        for held in _below(os.fsdecode(item)):
            count += 1
            if count > MAX_FILES:
                raise UnsupportedImage(f"More than {MAX_FILES} files were given.", hint="Give one study.")
            yield held


def _below(path: str) -> Iterator[Held]:
    name = shown(path)
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            os.scandir(path).close()
        elif stat.S_ISREG(status.st_mode):
            with open(path, "rb") as file:
                head = file.read(4)
    except FileNotFoundError:
        raise UnreadableImage(f"{name} does not exist.") from None
    except PermissionError:
        raise UnreadableImage(f"{name} may not be read: permission denied.") from None
    except (OSError, ValueError):
        raise UnreadableImage(f"{name} cannot be read: the name or the disk does not allow it.") from None
    if stat.S_ISDIR(status.st_mode):
        yield from _folder(path, name)
    elif not stat.S_ISREG(status.st_mode):
        raise UnreadableImage(f"{name} is not a regular file.")
    elif is_zip(head):
        yield from _members(Archive(path, name))
    else:
        yield Held(name, os.path.dirname(os.path.abspath(path)), path)


def _folder(path: str, name: str) -> Iterator[Held]:
    """Files of a folder by name, then those of its folders; a folder that may not be read counts as one such file."""
    try:
        with os.scandir(path) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError:
        yield Held(name, path, path)
        return
    inside: list[os.DirEntry[str]] = []
    for entry in entries:
        try:
            if entry.is_dir(follow_symlinks=False):
                inside.append(entry)
            elif entry.is_file():
                yield Held(f"{name}{os.sep}{shown(entry.name)}", path, entry.path)
        except OSError:
            yield Held(f"{name}{os.sep}{shown(entry.name)}", path, entry.path)
    for entry in inside:
        yield from _folder(entry.path, f"{name}{os.sep}{shown(entry.name)}")


def _members(archive: Archive) -> Iterator[Held]:
    for info in archive.members:
        folder = f"{archive.name}!{os.path.dirname(info.filename)}"
        yield Held(f"{archive.name}{os.sep}{shown(info.filename)}", folder, None, archive, info)


def is_litter(name: str) -> bool:
    """Files that systems leave behind beside the real ones."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return last in _LITTER or last.startswith("._") or "__MACOSX/" in name
