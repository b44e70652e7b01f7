"""How the pixels of a file are stored, from a header that may be incomplete or wrong."""

from dataclasses import dataclass, replace
from typing import Any

from secondread.imaging.dicom.parse import PixelElement
from secondread.imaging.dicom.values import integer, number, text
from secondread.imaging.limits import check_size
from secondread.schema.errors import UnreadableImage, UnsupportedImage

_DEPTHS = (1, 8, 16, 32, 64)


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

    @property
    def frame_bits(self) -> int:
        """Bits of one uncompressed frame in the file."""
        if self.photometric == "YBR_FULL_422" and self.samples == 3 and not self.compressed:
            return self.rows * self.columns * 2 * self.allocated
        return self.rows * self.columns * self.samples * self.allocated

    @property
    def compressed(self) -> bool:
        """The pixels are encapsulated."""
        return self.syntax not in NATIVE


NATIVE = frozenset(
    ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2",
     "1.2.840.10008.1.2.1.98")
)  # fmt: skip
"""Transfer syntaxes with uncompressed pixels: implicit, explicit, deflated, big endian, encapsulated uncompressed."""


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
    photometric = text(ds, "PhotometricInterpretation").upper()
    samples = integer(ds, "SamplesPerPixel") or (3 if photometric in ("RGB", "YBR_FULL", "YBR_FULL_422") else 1)
    if samples not in (1, 3, 4):
        raise UnsupportedImage(f"{name} has pixels of {samples} channels, which are not read.")
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
    )
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
