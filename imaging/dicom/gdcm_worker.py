"""Decodes JPEG frames with GDCM in a process of its own, since GDCM ends the process on some damaged streams.

Runs as a program: length-prefixed requests on standard input, replies on standard output. It imports nothing of this
package, so that it starts fast.
"""

import json
import os
import struct
import sys
import tempfile
from typing import Any

ADDRESS_SPACE = 8 << 30
"""Bytes a damaged stream may make GDCM ask for; a frame of the largest size that is read needs less than 2 GiB."""


DAMAGE = (b"premature end", b"bad Huffman code")
"""What libjpeg prints where it fills a gap in the stream with grey and goes on."""


def serve(source: Any, target: Any, printed: Any) -> None:
    """Answer requests until the input ends. A reply is the length of the cells and the cells; 0 where there are none.

    Args:
        source: Requests: lengths of the layout as JSON and of the stream, then both.
        target: Replies.
        printed: The file that standard error goes to, read back for complaints.
    """
    import gdcm

    while len(prefix := source.read(8)) == 8:
        head, body = struct.unpack("<II", prefix)
        asked = json.loads(source.read(head))
        data = source.read(body)
        printed.seek(0)
        printed.truncate()
        try:
            cells = decode(gdcm, data, **asked)
        except Exception:
            cells = b""
        printed.seek(0)
        complaints = printed.read(1 << 16)
        if any(words in complaints for words in DAMAGE):
            cells = b""
        target.write(struct.pack("<I", len(cells)))
        target.write(cells)
        target.flush()


def decode(
    gdcm: Any,
    data: bytes,
    *,
    rows: int,
    columns: int,
    samples: int,
    allocated: int,
    stored: int,
    signed: int,
    photometric: str,
    planar: int,
    syntax: str,
) -> bytes:
    """Cells of one frame, little endian, as GDCM lays them out."""
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(data)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((columns, rows, 1))
    image.SetDataElement(element)
    kind = gdcm.PhotometricInterpretation.GetPIType(photometric)
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(kind))
    if samples > 1:
        image.SetPlanarConfiguration(planar)
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(syntax)))
    image.SetPixelFormat(gdcm.PixelFormat(samples, allocated, stored, stored - 1, signed))
    cells: bytes = image.GetBuffer().encode("utf-8", "surrogateescape")
    return cells


def main() -> None:
    """Serve on the standard streams; what GDCM prints goes into a file without a name."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    except (ImportError, OSError, ValueError):
        pass  # Windows has no such limits, and a stricter one may be in force already
    replies = os.fdopen(os.dup(1), "wb")
    with tempfile.TemporaryFile(buffering=0) as printed:
        os.dup2(printed.fileno(), 1)
        os.dup2(printed.fileno(), 2)
        serve(sys.stdin.buffer, replies, printed)


if __name__ == "__main__":
    main()
