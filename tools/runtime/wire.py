"""Messages between two processes over two byte streams: a JSON object and arrays, nothing that can be executed."""

import json
import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from numpy.typing import NDArray

HEAD_BYTES = 64 << 20
"""Of the JSON part; more is taken for a fault of the sender."""
ARRAY_BYTES = 8 << 30
_LENGTH = struct.Struct(">Q")


class WireError(Exception):
    """The other side sent what is no message, or more than may be sent."""


def send(stream: BinaryIO, message: dict[str, Any], arrays: "Sequence[NDArray[Any]]" = ()) -> None:
    """Write one message.

    Args:
        stream: Where to.
        message: JSON values under any keys but `arrays`.
        arrays: Of any shape, of bool or number types.
    """
    import numpy as np

    held = [np.ascontiguousarray(array) for array in arrays]
    specs = [{"dtype": array.dtype.str, "shape": list(array.shape)} for array in held]
    head = json.dumps({**message, "arrays": specs}).encode()
    stream.write(_LENGTH.pack(len(head)))
    stream.write(head)
    for array in held:
        stream.write(array.reshape(-1).view(np.uint8).data)
    stream.flush()


def receive(stream: BinaryIO) -> "tuple[dict[str, Any], list[NDArray[Any]]]":
    """Read one message and its arrays, which are read-only.

    Raises:
        EOFError: The other side has ended.
        WireError: What came is no message.
    """
    import numpy as np

    length = _LENGTH.unpack(_exactly(stream, _LENGTH.size))[0]
    if length > HEAD_BYTES:
        raise WireError(f"a message of {length} bytes")
    try:
        message = json.loads(_exactly(stream, length))
        specs = [(np.dtype(spec["dtype"]), tuple(map(int, spec["shape"]))) for spec in message.pop("arrays")]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WireError("bytes that are no message") from error
    arrays: list[np.ndarray[Any, Any]] = []
    for dtype, shape in specs:
        size = dtype.itemsize * int(np.prod(shape, dtype=np.int64))
        if dtype.hasobject or not 0 <= size <= ARRAY_BYTES:
            raise WireError("an array that cannot be sent")
        arrays.append(np.frombuffer(_exactly(stream, size), dtype).reshape(shape))
    return message, arrays


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise EOFError
    return data
