"""How the pixels of a file are stored, from a header that may be incomplete or wrong."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from secondread.imaging.dicom.parse import UNDEFINED, PixelElement
from secondread.imaging.dicom.values import integer, number, text
from secondread.imaging.limits import check_size
from secondread.schema.errors import UnreadableImage, UnsupportedImage

NATIVE = frozenset(("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"))
"""Transfer syntaxes with plain pixels: implicit, explicit and deflated little endian, explicit big endian."""

_DEPTHS = (1, 8, 16, 32, 64)

_FAMILIES = {
    "1.2.840.10008.1.2.1.98": "uncompressed",
    "1.2.840.10008.1.2.4.50": "baseline",
    "1.2.840.10008.1.2.4.51": "extended",
    "1.2.840.10008.1.2.4.57": "lossless",
    "1.2.840.10008.1.2.4.70": "lossless",
    "1.2.840.10008.1.2.4.80": "jpegls",
    "1.2.840.10008.1.2.4.81": "jpegls",
    "1.2.840.10008.1.2.4.90": "jpeg2000",
    "1.2.840.10008.1.2.4.91": "jpeg2000",
    "1.2.840.10008.1.2.4.201": "jpeg2000",
    "1.2.840.10008.1.2.4.202": "jpeg2000",
    "1.2.840.10008.1.2.4.203": "jpeg2000",
    "1.2.840.10008.1.2.5": "rle",
}
"""Transfer syntaxes with encapsulated pixels that are decoded. Source: DICOM PS3.6 A-1."""

_HALVED = ("YBR_FULL_422", "YBR_PARTIAL_422")
_COLOURS = frozenset(("RGB", "YBR_FULL", "YBR_ICT", "YBR_RCT", "YBR_PARTIAL_420", *_HALVED))
_INDEXED = frozenset(("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR"))


@dataclass(frozen=True)
class Layout:
    """How one frame is stored."""

    rows: int
    columns: int
    samples: int
    allocated: int
    """Bits of a cell: 1, 8, 16, 32 or 64."""
    stored: int
    """Bits of a cell that hold the value."""
    shift: int
    """Bits below the value; 0 unless High Bit says otherwise."""
    signed: bool
    photometric: str
    planar: int
    """1: colour by plane, 0: colour by pixel."""
    kind: str
    """`PixelData`, `FloatPixelData` or `DoubleFloatPixelData`."""
    swapped: bool
    """8-bit pixels in 16-bit words of a big endian file: neighbours are swapped."""
    syntax: str
    """Transfer syntax UID."""
    big_endian: bool
    encapsulated: bool
    """The pixels are fragments, compressed or not; else plain cells."""

    @property
    def frame_bits(self) -> int:
        """Bits of one uncompressed frame in the file."""
        if self.halved:
            return self.rows * self.columns * 2 * self.allocated
        return self.rows * self.columns * self.samples * self.allocated

    @property
    def halved(self) -> bool:
        """Two neighbours share their colour in the file; only uncompressed pixels are laid out so."""
        return self.photometric in _HALVED and self.samples == 3 and not self.encapsulated

    @property
    def family(self) -> str:
        """How encapsulated pixels are coded; empty for a transfer syntax that is not decoded."""
        return _FAMILIES.get(self.syntax, "")

    @property
    def cell_type(self) -> np.dtype[Any]:
        """Of a cell, native byte order; 1-bit pixels unpacked to bytes."""
        letter = "f" if self.kind != "PixelData" else "i" if self.signed and self.allocated > 1 else "u"
        return np.dtype(f"{letter}{max(1, self.allocated // 8)}")


def read_layout(ds: Any, pixels: PixelElement, name: str, caveats: list[str]) -> Layout:
    """The layout that the header states, put right where it contradicts itself.

    Args:
        ds: The header.
        pixels: Where the pixels lie.
        name: As the caller typed it, for messages.
        caveats: What was put right is added here.

    Raises:
        UnreadableImage: No size, or a depth that cannot be.
        UnsupportedImage: Too large, or a depth or number of channels that is not read.
    """
    rows, columns = integer(ds, "Rows"), integer(ds, "Columns")
    if not rows or not columns or rows < 0 or columns < 0:
        raise UnreadableImage(f"{name} is a damaged DICOM file: it does not say how many rows and columns it has.")
    check_size(name, rows, columns)
    syntax = text(ds.file_meta, "TransferSyntaxUID")
    samples, photometric = _channels(ds, name, caveats)
    allocated = {"FloatPixelData": 32, "DoubleFloatPixelData": 64}.get(pixels.keyword) or integer(ds, "BitsAllocated")
    if allocated is None:
        raise UnreadableImage(f"{name} is a damaged DICOM file: it does not say how many bits a pixel has.")
    if allocated not in _DEPTHS:
        raise UnsupportedImage(f"{name} has {allocated} bits per pixel, which is not read.")
    big = syntax == "1.2.840.10008.1.2.2"
    layout = Layout(
        rows=rows,
        columns=columns,
        samples=samples,
        allocated=allocated,
        stored=allocated,
        shift=0,
        signed=pixels.keyword == "PixelData" and integer(ds, "PixelRepresentation") == 1,
        photometric=photometric,
        planar=1 if integer(ds, "PlanarConfiguration") == 1 else 0,
        kind=pixels.keyword,
        swapped=big and allocated == 8 and pixels.vr == "OW",
        syntax=syntax,
        big_endian=big,
        encapsulated=pixels.length == UNDEFINED or syntax not in NATIVE,
    )
    if layout.encapsulated and syntax in NATIVE:
        raise UnreadableImage(f"{name} is damaged: its pixels are compressed, but its header says they are not.")
    if layout.family and pixels.length != UNDEFINED:
        frames = max(1, integer(ds, "NumberOfFrames") or 1)
        plain = replace(layout, encapsulated=False)
        if pixels.length - -(-frames * plain.frame_bits // 8) not in (0, 1):
            raise UnreadableImage(
                f"{name} is damaged: its header says that its pixels are compressed, but they are not."
            )
        caveats.append("The header says that the pixels are compressed, but they are not; they were read as they are.")
        layout = plain
    if samples > 1 and (layout.kind != "PixelData" or layout.signed):
        raise UnsupportedImage(f"{name} has colour pixels that are signed or fractional, which are not read.")
    if layout.halved and columns % 2:
        raise UnreadableImage(f"{name} is damaged: its pixels share colours in pairs, but its rows have an odd length.")
    if pixels.keyword != "PixelData":
        return layout
    stored = integer(ds, "BitsStored")
    if stored is None or not 1 <= stored <= allocated:
        caveats.append("Bits Stored is missing or impossible; all bits of a pixel were read.")
        return layout
    high = number(ds, "HighBit")
    shift = 0 if high is None else int(high) + 1 - stored
    if not 0 <= shift <= allocated - stored:
        caveats.append("High Bit contradicts Bits Stored and was ignored.")
        shift = 0
    return replace(layout, stored=stored, shift=shift)


def _channels(ds: Any, name: str, caveats: list[str]) -> tuple[int, str]:
    """Samples per pixel and photometric interpretation, each told from the other when one is missing."""
    photometric = text(ds, "PhotometricInterpretation").upper()
    samples = integer(ds, "SamplesPerPixel")
    if photometric in ("HSV", "ARGB", "CMYK"):
        raise UnsupportedImage(f"{name} has pixels in the retired colour space {photometric}, which is not read.")
    known = photometric in _INDEXED or photometric in _COLOURS
    if samples is None:
        samples = 3 if photometric in _COLOURS else 1
        caveats.append("The header does not say how many channels a pixel has.")
    if samples not in (1, 3):
        raise UnsupportedImage(f"{name} has pixels of {samples} channels, which are not read.")
    if not known:
        photometric = "RGB" if samples == 3 else "MONOCHROME2"
        caveats.append(f"The header does not say what the pixel values stand for; they were read as {photometric}.")
    elif (photometric in _COLOURS) != (samples == 3):
        raise UnreadableImage(f"{name} is damaged: {photometric} pixels do not have {samples} channels.")
    return samples, photometric
