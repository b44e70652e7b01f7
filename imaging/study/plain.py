"""Pictures, volumes and videos without a DICOM header: what tells one from another without decoding it."""

import hashlib
from dataclasses import dataclass
from typing import BinaryIO

from secondread.imaging.study.archive import head_of
from secondread.imaging.study.held import Held
from secondread.imaging.study.kinds import FileKind
from secondread.schema.errors import SecondReadError

PIECE = 4096
PLACES = (0.25, 0.5, 0.75, 1.0)
"""Where in a file pieces are looked at besides its beginning, as shares of its length."""


@dataclass(frozen=True, slots=True)
class Plain:
    """One file."""

    held: Held
    kind: FileKind
    content: bytes
    """Digest of its length and of pieces of it, or of all of it where that is needed to tell two files apart."""


def look(held: Held, kind: FileKind, stream: BinaryIO, head: bytes, size: int) -> Plain:
    """Digest a file by its length, its beginning and four pieces; of an archive member, its checksum replaces these.

    Args:
        held: The file.
        kind: What it is.
        stream: Its bytes, read up to the end of `head`.
        head: Its first bytes.
        size: Its length.
    """
    digest = hashlib.blake2b(digest_size=16)
    digest.update(size.to_bytes(8, "little") + head)
    if held.member is not None:
        digest.update(held.member.CRC.to_bytes(4, "little"))
    elif size > len(head):
        for place in PLACES:
            stream.seek(max(len(head), round(place * size) - PIECE))
            digest.update(head_of(stream, PIECE))
    return Plain(held, kind, digest.digest())


def distinct(found: list[Plain]) -> tuple[list[Plain], list[Held]]:
    """Files that differ, and copies of them; those that look alike are read whole to be sure.

    Args:
        found: In order; the first of equal files is kept.
    """
    alike: dict[bytes, int] = {}
    for plain in found:
        alike[plain.content] = alike.get(plain.content, 0) + 1
    kept: dict[bytes, Plain] = {}
    copies: list[Held] = []
    for plain in found:
        sure = plain if alike[plain.content] == 1 else Plain(plain.held, plain.kind, _whole(plain))
        if sure.content in kept:
            copies.append(plain.held)
        else:
            kept[sure.content] = sure
    return list(kept.values()), copies


def _whole(plain: Plain) -> bytes:
    """Digest of the whole file; of one that has become unreadable, of its name, so that it is kept and fails later."""
    digest = hashlib.blake2b(digest_size=16)
    try:
        with plain.held.stream() as stream:
            while piece := stream.read(1 << 20):
                digest.update(piece)
    except (SecondReadError, OSError):
        digest.update(plain.held.name.encode(errors="replace"))
    return digest.digest()
