"""Opaque keys of studies and series.

A key is `stu-` or `ser-` and 16 hexadecimal digits of a keyed hash (BLAKE2b). The message is what the images have in
common (their UIDs); the hash's own key is a digest over every header value that the scan read of every image: all
instance UIDs, positions, times and numbers. So

- equal files give an equal key, whatever their names, order or packing, on any machine and in any run;
- nobody who guesses a study UID, a name or a date can test the guess without the headers of all images, and who has
  those has nothing left to find out;
- a copy whose identifiers were replaced, or from which an image is missing, gets another key.
"""

import hashlib
from collections.abc import Iterable


def opaque_key(prefix: str, contents: Iterable[bytes], common: str) -> str:
    """The key of a study or series.

    Args:
        prefix: `stu` or `ser`.
        contents: One digest per image, in any order; equal ones count once.
        common: What they share, such as their UID and which part of a series they are.
    """
    held = hashlib.blake2b(digest_size=32)
    for content in sorted(set(contents)):
        held.update(content)
    return f"{prefix}-{hashlib.blake2b(common.encode(), key=held.digest(), digest_size=8).hexdigest()}"
