"""Where the bytes of one file are: on disk, or in an archive that is read in place."""

import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import BinaryIO, cast

from secondread.imaging.dicom.source import Source
from secondread.imaging.load import read_bytes
from secondread.imaging.study.archive import Archive
from secondread.schema.errors import UnreadableImage


@dataclass(frozen=True, slots=True)
class Held:
    """One file of what was handed over."""

    name: str = field(repr=False)
    """As typed, with the way inside a folder or archive. It may name a person: for messages at the terminal only."""
    folder: str = field(repr=False)
    """Of files without identifiers, those of one folder belong together."""
    path: str | None = field(default=None, repr=False)
    """On disk; None for a member of an archive."""
    archive: Archive | None = field(default=None, repr=False)
    member: zipfile.ZipInfo | None = field(default=None, repr=False)

    def stream(self) -> BinaryIO:
        """The file from its start, unbuffered on disk: the reader asks for large pieces.

        Raises:
            UnreadableImage: It has gone, may not be read, or is damaged.
            UnsupportedImage: Packed in a way that is not read.
        """
        if self.archive is not None and self.member is not None:
            return cast(BinaryIO, self.archive.open(self.member))
        try:
            return cast(BinaryIO, open(self.path or "", "rb", buffering=0))
        except PermissionError:
            raise UnreadableImage(f"{self.name} may not be read: permission denied.") from None
        except (OSError, ValueError):
            raise UnreadableImage(f"{self.name} cannot be opened.") from None

    @contextmanager
    def bounded(self) -> Iterator[BinaryIO]:
        """As `stream`, for readers that trust lengths in the file: it never asks the system for more than there is.

        Raises:
            UnreadableImage: As `stream`.
            UnsupportedImage: As `stream`.
        """
        if self.archive is not None:
            with self.stream() as stream:
                yield stream
            return
        try:
            source = Source(self.path or "", self.name)
        except OSError:
            raise UnreadableImage(f"{self.name} cannot be opened.") from None
        with source.stream() as stream:
            yield stream

    def size(self, stream: BinaryIO) -> int:
        """Bytes of the file behind an open stream of it."""
        return self.member.file_size if self.member is not None else os.fstat(stream.fileno()).st_size

    def origin(self) -> str | bytes:
        """What readers of whole files take: the path, or the bytes of a member.

        Raises:
            UnreadableImage: A damaged member.
            UnsupportedImage: Packed in a way that is not read.
        """
        if self.archive is not None and self.member is not None:
            return self.archive.read(self.member)
        return self.path or ""

    def data(self) -> bytes:
        """The whole file.

        Raises:
            UnreadableImage: Missing, empty, not readable or damaged.
            UnsupportedImage: Too large, or packed in a way that is not read.
        """
        found = self.origin()
        return found if isinstance(found, bytes) else read_bytes(found)
