"""A zip archive as a source of files: members are read in place, and an archive that could do harm is refused whole.

Refused in one line: members with an absolute name or one that climbs out with `..`, encrypted members, and bombs. A
bomb is told from the central directory, before anything is inflated: members that overlap in the file, a member beyond
1 GiB, or a total beyond 64 GiB or 500 times the archive. Studies deflate 2 to 20 to 1, sparse masks up to 300 to 1; a
bomb of zeros comes near 1000. A member never yields more bytes than the directory declares.
"""

import io
import os
import threading
import zipfile
from typing import IO

from secondread.imaging.limits import MAX_BYTES
from secondread.schema.errors import UnreadableImage, UnsupportedImage

MAX_TOTAL = 64 << 30
MAX_RATIO = 500
SMALL = 64 << 20
"""Totals up to this many bytes are read whatever the ratio: they cannot exhaust a machine."""
MAX_MEMBERS = 100_000


class Archive:
    """An open zip file. Thread-safe; the file stays open until the object is dropped or `close` is called.

    Args:
        path: Where it lies.
        name: As the caller typed it, for messages.

    Raises:
        UnreadableImage: Not a zip archive, damaged, or with member names or encryption that is refused.
        UnsupportedImage: Larger than what is read.
    """

    def __init__(self, path: str, name: str) -> None:
        self.name = name
        try:
            status = os.stat(path)
            self._zip = zipfile.ZipFile(path)
        except PermissionError:
            raise UnreadableImage(f"{name} may not be read: permission denied.") from None
        except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError, EOFError):
            raise UnreadableImage(f"{name} is a damaged zip archive.") from None
        try:
            self.members = _checked(self._zip, status.st_size, name)
        except Exception:
            self._zip.close()
            raise
        self._lock = threading.Lock()

    def open(self, info: zipfile.ZipInfo) -> IO[bytes]:
        """A member from its start.

        Raises:
            UnreadableImage: Its data are damaged, or the archive was closed.
            UnsupportedImage: It is packed in a way that is not read.
        """
        try:
            return self._zip.open(info)
        except (NotImplementedError, RuntimeError):
            raise UnsupportedImage(f"A member of {self.name} is packed in a way that is not read.") from None
        except (OSError, ValueError, zipfile.BadZipFile, EOFError):
            raise UnreadableImage(f"A member of {self.name} is damaged.") from None

    def read(self, info: zipfile.ZipInfo) -> bytes:
        """A whole member.

        Raises:
            UnreadableImage: As `open`.
            UnsupportedImage: As `open`.
        """
        import zlib

        with self.open(info) as stream:
            try:
                return stream.read()
            except (OSError, ValueError, zipfile.BadZipFile, EOFError, zlib.error):
                raise UnreadableImage(f"A member of {self.name} is damaged.") from None

    def close(self) -> None:
        """Close the file."""
        self._zip.close()


def is_zip(head: bytes) -> bool:
    """Whether a file that starts like this is a zip archive."""
    return head[:4] in (b"PK\x03\x04", b"PK\x05\x06")


def _checked(archive: zipfile.ZipFile, size: int, name: str) -> tuple[zipfile.ZipInfo, ...]:
    """Members that are files, in the order of their names, when none of them gives a reason to refuse the archive."""
    infos = archive.infolist()
    if len(infos) > MAX_MEMBERS:
        raise UnsupportedImage(f"{name} has more than {MAX_MEMBERS} members.", hint="Give a part of it.")
    total, end = 0, 0
    for info in sorted(infos, key=lambda item: item.header_offset):
        if _climbs(info.filename):
            raise UnreadableImage(
                f"{name} is refused: it has members whose names lead out of the archive.", hint="Pack it again."
            )
        if info.flag_bits & 0x1:
            raise UnreadableImage(f"{name} is refused: it has encrypted members.", hint="Unpack it first.")
        if info.header_offset < end:
            raise UnreadableImage(f"{name} is refused: its members overlap, as in a zip bomb.")
        end = info.header_offset + info.compress_size
        if info.file_size > MAX_BYTES:
            raise UnsupportedImage(f"{name} is refused: a member unpacks to more than {MAX_BYTES >> 30} GiB.")
        total += info.file_size
    if total > MAX_TOTAL or (total > SMALL and total > MAX_RATIO * size):
        raise UnsupportedImage(f"{name} is refused: it unpacks to {total / 2**30:.1f} GiB, as a zip bomb would.")
    return tuple(sorted((info for info in infos if not info.is_dir()), key=lambda item: item.filename))


def _climbs(member: str) -> bool:
    """Whether a member's name is absolute or leaves the archive, in the spelling of any system."""
    parts = member.replace("\\", "/").split("/")
    return parts[0] == "" or (len(parts[0]) == 2 and parts[0][1] == ":") or ".." in parts or "\0" in member


def head_of(stream: IO[bytes], length: int) -> bytes:
    """The next `length` bytes of a stream that may give them in pieces; fewer at its end."""
    buffer = io.BytesIO()
    while (left := length - buffer.tell()) > 0 and (piece := stream.read(left)):
        buffer.write(piece)
    return buffer.getvalue()
