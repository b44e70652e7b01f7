"""Which reader takes which file of a folder or manifest."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from secondread.schema.errors import InputError
from secondread.tools.retrieve.readers import images, layouts, lines, texts
from secondread.tools.retrieve.readers.draft import Defaults, Draft

Read = Callable[[lines.Report], Iterator[Draft]]
IMAGES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".dcm", ".dicom"})
VOLUMES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")
VIDEOS = frozenset({".mp4", ".avi", ".mov", ".mkv", ".webm", ".mpg", ".mpeg"})
TEXTS = frozenset({".md", ".txt", ".rst", ".markdown"})
SKIPPED = frozenset({"readme.md", "license", "license.txt", "licence.txt", "changelog.md"})


@dataclass(frozen=True)
class Source:
    """One file that is to be read.

    Attributes:
        path: The file.
        stamp: Size and time of change: a file whose stamp is known is not read again.
        read: Yields its items.
        single: It is one item, small enough to be held while others are worked on.
    """

    path: Path
    stamp: str
    read: Read
    single: bool = False


def sources(root: Path, defaults: Defaults, report: lines.Report) -> Iterator[Source]:
    """The files of a folder in a fixed order, or the one file that is named.

    Args:
        root: A folder, a file of items (JSON lines), or one file of any kind that is read.
        defaults: For what files do not say.
        report: Takes one sentence per bad row of a table.

    Raises:
        InputError: There is nothing at `root`.
    """
    if root.is_file():
        yield _source(root, _reader(root, defaults) or partial(_unknown, root))
        return
    if not root.is_dir():
        raise InputError(f"There is no file or folder {root}.")
    if layouts.is_mimic(root):
        tables = layouts.MimicTables(root, report)
        for path in layouts.mimic_files(root):
            yield _source(path, partial(_one, partial(layouts.mimic_draft, path, tables, defaults)))
        return
    for folder, folders, files in os.walk(root, followlinks=False):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        for name in sorted(files):
            path = Path(folder, name)
            if name.startswith(".") or name.lower() in SKIPPED or path.is_symlink():
                continue
            reader = _reader(path, defaults)
            if reader is not None:
                yield _source(path, reader)


def _source(path: Path, read: Read) -> Source:
    held = path.stat()
    return Source(path, f"{held.st_size} {held.st_mtime_ns}", read, single=path.suffix.lower() in IMAGES)


def _reader(path: Path, defaults: Defaults) -> Read | None:
    """The reader for a file, by its name; None for files that are not read."""
    name, suffix = path.name.lower(), path.suffix.lower()
    if name.endswith((".jsonl", ".jsonl.gz", ".ndjson")):
        return partial(lines.read_lines, path, defaults)
    if name.endswith((".json", ".json.gz")):
        return partial(lines.read_json, path, defaults)
    if name.endswith(VOLUMES):
        return partial(_one, partial(images.volume_draft, path, defaults))
    if suffix in IMAGES:
        return partial(_one, partial(images.image_draft, path, defaults))
    if suffix in VIDEOS:
        return partial(_many, partial(images.video_drafts, path, defaults))
    if suffix in TEXTS:
        return partial(_many, partial(texts.read_text, path, defaults))
    if suffix == ".pdf":
        return partial(_many, partial(texts.read_pdf, path, defaults))
    if suffix == ".xml":
        return partial(_one, partial(layouts.openi_draft, path, defaults))
    return None


def _one(make: Callable[[], Draft], report: lines.Report) -> Iterator[Draft]:
    yield make()


def _many(make: Callable[[], Iterator[Draft]], report: lines.Report) -> Iterator[Draft]:
    yield from make()


def _unknown(path: Path, report: lines.Report) -> Iterator[Draft]:
    raise InputError(f"{path.name} is of no kind that a corpus takes.")
    yield
