"""Identity of an image by content, and by file bytes."""

import hashlib
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from secondread.schema.record import canonical_json


def image_id(pixels: NDArray[Any], header: dict[str, Any]) -> str:
    """`img-` and 16 hexadecimal digits over the stored pixels and what of the header changes their meaning.

    Args:
        pixels: Stored values in native byte order, any shape.
        header: JSON values that decode or scale the pixels; never an identifier, a view or an age.

    The pixels go in through XXH3, which takes a tenth of the time of a cryptographic hash; with that, hashing would be
    most of the work of loading an uncompressed film. An id of 64 bits withstands accidents, not a forger, with either.
    """
    digest = hashlib.blake2b(digest_size=8)
    digest.update(canonical_json({"shape": pixels.shape, "kind": pixels.dtype.kind, **header}).encode())
    digest.update(xxhash.xxh3_128_digest(np.ascontiguousarray(_little_endian(pixels)).data))
    return f"img-{digest.hexdigest()}"


def bytes_key(data: bytes) -> str:
    """Hash of encoded bytes, so that a copy of a file is not decoded a second time."""
    return xxhash.xxh3_128_hexdigest(data)


def _little_endian(pixels: NDArray[Any]) -> NDArray[Any]:
    """Byte order made little endian, so that the id does not depend on the machine."""
    return pixels.astype(pixels.dtype.newbyteorder("<"), copy=False)
