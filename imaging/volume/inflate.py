"""Deflated bytes in pieces, with every check sum verified and no more than a piece in memory."""

import zlib
from collections.abc import Iterator
from typing import BinaryIO

PIECE = 1 << 20
_READ = 1 << 18
_AUTO = 32 + zlib.MAX_WBITS
"""zlib tells gzip from zlib streams by their header."""


def pieces(raw: BinaryIO) -> Iterator[bytes]:
    """Inflate a gzip stream (of one member or several) or a zlib stream, from where `raw` stands.

    Bytes after the last member that start no further one are ignored, as gzip does.

    Raises:
        EOFError: The stream ends early.
        zlib.error: It is damaged, or a check sum is wrong.
    """
    inflater = zlib.decompressobj(_AUTO)
    pending = raw.read(_READ)
    while pending:
        yield inflater.decompress(pending, PIECE)
        pending = inflater.unconsumed_tail
        if inflater.eof:
            pending = (inflater.unused_data or raw.read(_READ)).lstrip(b"\0")
            if len(pending) == 1:
                pending += raw.read(_READ)
            if not pending.startswith(b"\x1f\x8b"):
                return
            inflater = zlib.decompressobj(_AUTO)
        elif not pending:
            pending = raw.read(_READ)
    if not inflater.eof:
        raise EOFError("the stream ends early")
