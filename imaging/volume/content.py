"""The bytes of a volume file: peeked at, mapped, or inflated into one array, never read twice or beyond need."""

import io
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.load import read_bytes, shown
from secondread.imaging.volume.inflate import pieces
from secondread.schema.errors import InputError, UnreadableImage, UnsupportedImage

MAX_VOXEL_BYTES = 4 << 30
"""Stored voxels of one frame: 2048 slices of 1024 x 1024 in 16 bits."""

DEFLATE_RATIO = 1032
"""Most bytes that one byte of a deflate stream can stand for. Source: zlib technical details (maximum expansion)."""


class Content:
    """One file, on disk or in memory, plain or gzipped.

    Args:
        source: A path, or the whole file as bytes.
        name: The source as the caller typed it, for messages.

    Raises:
        UnreadableImage: Missing, a folder, empty or not readable.
    """

    def __init__(self, source: str | os.PathLike[str] | bytes, name: str | None = None) -> None:
        if isinstance(source, bytes):
            self.path: str | None = None
            self.data: bytes | None = source
            self.name = name or "The data"
            self.size = len(source)
            if not source:
                raise UnreadableImage(f"{self.name} is empty.")
        else:
            typed = os.fsdecode(source)
            self.path = os.path.abspath(typed)
            self.data = None
            self.name = name or shown(typed)
            self.size, self._stamp = _checked(typed, self.name)
        raw = self.raw_head(2)
        self.gzipped = raw[:2] == b"\x1f\x8b"

    def raw_head(self, length: int) -> bytes:
        """The first bytes as they are."""
        with self.stream() as file:
            return file.read(length)

    def head(self, length: int) -> bytes:
        """The first bytes, inflated; fewer when the content is shorter.

        Raises:
            UnreadableImage: The gzip stream is damaged there.
        """
        if not self.gzipped:
            return self.raw_head(length)
        try:
            return zlib.decompressobj(wbits=31).decompress(self.raw_head(2 * length + 4096), length)
        except zlib.error:
            raise UnreadableImage(f"{self.name} is damaged: its gzip stream cannot be inflated.") from None

    @contextmanager
    def stream(self) -> Iterator[BinaryIO]:
        """The bytes as they are, from the start.

        Raises:
            UnreadableImage: The file has changed or gone since it was opened.
        """
        if self.data is not None:
            yield io.BytesIO(self.data)
            return
        with self._unchanged() as file:
            yield file

    def check_room(self, offset: int, count: int, slack: int, *, deflated: bool | None = None) -> None:
        """Refuse content that cannot be `count` bytes from `offset`; the ends of gzipped content show when it is read.

        Args:
            offset: Where the voxels start, inflated.
            count: Bytes of voxels that the header promises.
            slack: Bytes that may follow them.
            deflated: Whether the voxels are compressed; None when the whole file tells.

        Raises:
            UnreadableImage: Header and size do not fit.
        """
        wanted = offset + count
        deflated = self.gzipped if deflated is None else deflated
        if wanted > self.size * (DEFLATE_RATIO if deflated else 1):
            raise UnreadableImage(
                f"{self.name} is truncated or its header is damaged: it promises {_told(wanted)}, more than "
                f"{_told(self.size)} {'can inflate to' if deflated else 'hold'}."
            )
        if not deflated and self.size - wanted > slack:
            raise self._too_long(self.size - wanted)

    def mapped(self, offset: int, shape: tuple[int, ...], dtype: np.dtype[Any], order: Any = "F") -> NDArray[Any]:
        """An array over plain content, without copying it.

        Raises:
            UnreadableImage: The file has changed or gone since it was opened.
        """
        if self.data is not None:
            count = int(np.prod(shape))
            return np.frombuffer(self.data, dtype, count, offset).reshape(shape, order=order)
        with self._unchanged() as file:
            return np.memmap(file, dtype, "r", offset, shape, order)

    def inflated(
        self, offset: int, shape: tuple[int, ...], dtype: np.dtype[Any], *, after: int, slack: int, base: int = 0
    ) -> NDArray[Any]:
        """The voxels of a gzip or zlib stream, in one array made once; check sums are verified.

        Args:
            offset: Where they start, inflated.
            shape: Of the array, first axis fastest.
            dtype: In the byte order of the file.
            after: Bytes of further frames that follow.
            slack: Bytes that may follow those.
            base: Where the stream starts in the file.

        Raises:
            UnreadableImage: Truncated, damaged, or longer than the header says.
            UnsupportedImage: It does not fit into memory.
        """
        try:
            array = np.empty(shape, dtype, order="F")
        except (MemoryError, ValueError):
            raise UnsupportedImage(f"{self.name} does not fit into memory.") from None
        bytes_of = array.reshape(-1, order="F").view(np.uint8)
        start = 0
        try:
            with self.stream() as raw:
                raw.seek(base)
                for piece in pieces(raw):
                    first, last = max(offset - start, 0), min(offset - start + bytes_of.size, len(piece))
                    if first < last:
                        at = start + first - offset
                        bytes_of[at : at + last - first] = np.frombuffer(piece, np.uint8)[first:last]
                    start += len(piece)
                    if start > offset + bytes_of.size + after + slack:
                        raise self._too_long(start - offset - bytes_of.size - after)
            if start < offset + bytes_of.size + after:
                raise EOFError
        except EOFError:
            raise UnreadableImage(f"{self.name} is truncated: its compressed stream ends too early.") from None
        except zlib.error:
            raise UnreadableImage(f"{self.name} is damaged: its compressed stream or check sum is wrong.") from None
        return array

    @contextmanager
    def _unchanged(self) -> Iterator[BinaryIO]:
        assert self.path is not None
        try:
            file = open(self.path, "rb")  # noqa: SIM115 - closed by the `with` below; only the opening is guarded here
        except OSError:
            raise UnreadableImage(f"{self.name} has gone since it was opened.") from None
        with file:
            status = os.fstat(file.fileno())
            if (status.st_mtime_ns, status.st_size) != self._stamp:
                raise UnreadableImage(f"{self.name} has changed since it was opened.")
            yield file

    def _too_long(self, rest: int) -> UnreadableImage:
        return UnreadableImage(
            f"{self.name} holds at least {_told(rest)} more than its header says; one of them is damaged."
        )


def check_voxels(name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Refuse volumes that are too large to hold, on the header alone.

    Args:
        name: The source as the caller typed it.
        shape: Of one frame.
        dtype: Stored dtype.

    Raises:
        UnsupportedImage: More than 4 GiB of stored voxels.
    """
    size = dtype.itemsize
    for side in shape:
        size *= int(side)
    if size > MAX_VOXEL_BYTES:
        sides = " x ".join(str(side) for side in shape)
        raise UnsupportedImage(
            f"{name} claims {sides} voxels of {dtype.itemsize} bytes, {_told(size)}: "
            f"above the limit of {MAX_VOXEL_BYTES >> 30} GiB.",
            hint="Crop or resample it first.",
        )


def _checked(typed: str, name: str) -> tuple[int, tuple[int, int]]:
    """Size and stamp of a regular file with something in it."""
    try:
        status = os.stat(typed)
        usable = stat.S_ISREG(status.st_mode) and status.st_size > 0 and os.access(typed, os.R_OK)
    except (OSError, ValueError):
        usable = False
    if not usable:
        try:
            read_bytes(typed)  # raises the error that names the cause
        except InputError as error:
            raise type(error)(error.message.replace(shown(typed), name), hint=error.hint) from None
        raise UnreadableImage(f"{name} changed while it was read.")
    return status.st_size, (status.st_mtime_ns, status.st_size)


def _told(count: int) -> str:
    return f"{count} bytes" if count < 1 << 20 else f"{count / (1 << 20):.1f} MiB"
