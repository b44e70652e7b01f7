"""Where the bytes of a file lie: in memory or on disk, read in parts and never beyond what is there."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from secondread.schema.errors import UnreadableImage, UnsupportedImage

LARGEST = 4 << 30
"""Bytes of one element or frame that are read into memory."""


class _Bounded(io.BufferedReader):
    """A file that never asks for more than it holds: a damaged length field else allocates gigabytes."""

    size = 0

    def read(self, size: int | None = -1, /) -> bytes:
        left = max(0, self.size - self.tell())
        size = left if size is None or size < 0 or size > left else size
        if size > LARGEST:
            raise UnsupportedImage(f"A part of the file is larger than {LARGEST >> 30} GiB, which is not read.")
        return super().read(size)


class Source:
    """The bytes of one file; opened for each read, so that thousands of sources hold no file handle."""

    def __init__(self, origin: bytes | str, name: str) -> None:
        self._origin = origin
        self._name = name
        self._stamp: tuple[int, int] | None = None
        if isinstance(origin, bytes):
            self.size = len(origin)
        else:
            status = os.stat(origin)
            self.size = status.st_size
            self._stamp = (status.st_mtime_ns, status.st_size)

    @contextmanager
    def stream(self) -> Iterator[BinaryIO]:
        """The file from its start.

        Raises:
            UnreadableImage: The file on disk has changed since the source was made, or has gone.
        """
        if isinstance(self._origin, bytes):
            yield io.BytesIO(self._origin)
            return
        try:
            file = _Bounded(io.FileIO(self._origin))
        except OSError:
            raise UnreadableImage(f"{self._name} has gone since it was opened.") from None
        with file:
            status = os.fstat(file.fileno())
            if (status.st_mtime_ns, status.st_size) != self._stamp:
                raise UnreadableImage(f"{self._name} has changed since it was opened.")
            file.size = self.size
            yield file

    def read(self, offset: int, length: int) -> bytes:
        """At most `length` bytes from `offset`; fewer at the end of the file."""
        return bytes(self.view(offset, length))

    def view(self, offset: int, length: int) -> bytes | memoryview:
        """As `read`, without a copy of what is in memory already."""
        if isinstance(self._origin, bytes):
            return memoryview(self._origin)[offset : offset + length]
        with self.stream() as file:
            file.seek(offset)
            return file.read(length)
