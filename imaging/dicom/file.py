"""A DICOM file: its header at once, its pixels frame by frame when asked for."""

import os
import threading
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.arrays import grey_of_colour
from secondread.imaging.content import image_id
from secondread.imaging.dicom.cine import frame_time
from secondread.imaging.dicom.decode import compressed, native, native_cells
from secondread.imaging.dicom.fragments import Span, frame_spans
from secondread.imaging.dicom.geometry import read_geometry
from secondread.imaging.dicom.grey import display_grey, modality
from secondread.imaging.dicom.groups import frame_or_root
from secondread.imaging.dicom.header import describe
from secondread.imaging.dicom.layout import Layout, read_layout
from secondread.imaging.dicom.meaning import meaning
from secondread.imaging.dicom.parse import UNDEFINED, parse
from secondread.imaging.dicom.source import Source
from secondread.imaging.dicom.values import integer, items, number, numbers, text, value
from secondread.imaging.identity.split import identity_of
from secondread.imaging.identity.vault import Identity
from secondread.imaging.quiet import quiet
from secondread.schema.errors import InputError, SecondReadError, UnreadableImage, UnsupportedImage
from secondread.schema.image import ImageInfo, ImageRef
from secondread.schema.study import PlaneGeometry


def open_dicom(source: str | os.PathLike[str] | bytes, name: str | None = None) -> "DicomFile":
    """Read the header of a DICOM file; no pixel is decoded.

    Args:
        source: A path or the bytes of the file.
        name: How messages call it; the path as typed when not given.

    Raises:
        UnreadableImage: Missing, truncated, damaged or not DICOM.
        UnsupportedImage: A deflated file that inflates beyond 1 GiB.
    """
    origin = source if isinstance(source, bytes) else os.fspath(Path(source))
    called = name if name is not None else "The data" if isinstance(source, bytes) else os.fsdecode(source)
    try:
        held = Source(origin, called)
    except (OSError, ValueError):
        raise UnreadableImage(f"{called} does not exist or may not be read.") from None
    with quiet():
        try:
            return DicomFile(held, called)
        except SecondReadError:
            raise
        except MemoryError:
            raise UnsupportedImage(f"{called} does not fit into memory.") from None


class DicomFile:
    """The header of one DICOM object, and its frames on demand. Thread-safe; holds no open file.

    Frames count from 0. Nothing here but `header` and `identity` names a person.
    """

    def __init__(self, source: Source, name: str) -> None:
        parsed = parse(source, name)
        self.name = name
        self.header: Any = parsed.header
        """pydicom data set of all elements before the pixels."""
        self.caveats: list[str] = parsed.caveats
        """What the reader noticed of the whole file."""
        self._pixels = parsed.pixels
        self._layout: Layout | None = None
        self._spans: list[list[Span]] | None = None
        self._frames: int | None = None
        self._lock = threading.RLock()

    @property
    def has_pixels(self) -> bool:
        """False for structured reports, plans and other objects without an image."""
        return self._pixels is not None

    @property
    def rows(self) -> int:
        """Height in pixels; 0 when the object has no pixels."""
        return integer(self.header, "Rows") or 0

    @property
    def columns(self) -> int:
        """Width in pixels; 0 when the object has no pixels."""
        return integer(self.header, "Columns") or 0

    @property
    def frames(self) -> int:
        """Number of frames: what the header says, or how many whole ones the file holds.

        Raises:
            UnreadableImage: The header gives no number that can be.
            UnsupportedImage: The object has no pixels.
        """
        with self._lock, quiet():
            if self._frames is None:
                self._frames = self._count()
            return self._frames

    def stored(self, frame: int = 0) -> NDArray[Any]:
        """Stored values in native byte order, unused bits removed; YBR_FULL is given as RGB.

        Returns:
            Shape (rows, columns) or (rows, columns, channels); 1-bit pixels as uint8 0 and 1.

        Raises:
            InputError: There is no such frame.
            UnreadableImage: The pixels are truncated or damaged.
            UnsupportedImage: No pixels, too large, or no decoder for the transfer syntax.
        """
        return self._decoded(frame)[0]

    def rescale(self, frame: int = 0) -> tuple[float, float] | None:
        """Slope and intercept of the frame; (1, 0) when the header gives none, None when a modality LUT applies."""
        if items(self.header, "ModalityLUTSequence"):
            return None
        source = frame_or_root(self.header, "PixelValueTransformationSequence", frame)
        slope, intercept = number(source, "RescaleSlope"), number(source, "RescaleIntercept")
        return (1.0 if slope is None or slope == 0 else slope), (0.0 if intercept is None else intercept)

    def values(self, frame: int = 0) -> NDArray[np.float32]:
        """Modality values, shape (rows, columns): Hounsfield units for CT. Padding is left in.

        Raises:
            UnsupportedImage: Colour pixels have none; else as `stored`.
        """
        stored, photometric = self._decoded(frame)
        if stored.ndim != 2 or photometric == "PALETTE COLOR":
            raise UnsupportedImage(f"{self.name} has colour pixels, which carry no measured values.")
        return modality(self.header, stored, None, self._bits(stored), frame)[0]

    def unit(self, frame: int = 0) -> Literal["HU", "stored"]:
        """What `values` are in."""
        if items(self.header, "ModalityLUTSequence"):
            return "stored"
        source = frame_or_root(self.header, "PixelValueTransformationSequence", frame)
        kind = text(source, "RescaleType").upper()
        computed = text(self.header, "Modality").upper() == "CT" and number(source, "RescaleIntercept") is not None
        return "HU" if kind == "HU" or (computed and kind in ("", "HU")) else "stored"

    def grey(self, frame: int = 0, window: tuple[float, float] | None = None) -> NDArray[np.float32]:
        """Display grey in [0, 1], shape (rows, columns), air dark.

        Args:
            frame: From 0.
            window: Centre and width in modality values, in place of that of the header.

        Raises:
            UnreadableImage: As `stored`.
            UnsupportedImage: As `stored`.
        """
        return self._grey(frame, window)[0]

    def windows(self, frame: int = 0) -> list[tuple[float, float]]:
        """Every valid window of the header for this frame as (centre, width); the first is the default."""
        source = frame_or_root(self.header, "FrameVOILUTSequence", frame)
        pairs = zip(numbers(source, "WindowCenter"), numbers(source, "WindowWidth"), strict=False)
        return [(centre, width) for centre, width in pairs if width > 0]

    def geometry(self, frame: int = 0) -> PlaneGeometry | None:
        """How the frame lies in the patient, in RAS mm; None when unknown or inconsistent (then a caveat of `info`)."""
        return read_geometry(self.header, frame)[0]

    def time_s(self, frame: int = 0) -> float | None:
        """Seconds of the frame from the start of its cine loop; None when the header gives no time."""
        return frame_time(self.header, frame, self.frames)

    def identity(self) -> Identity:
        """What of the header names a person, kept apart."""
        return identity_of(self.header)

    def info(self, frame: int = 0) -> ImageInfo:
        """What may be known of a frame besides its pixels. Decodes the frame: its id is that of its content."""
        return self.load(frame)[0]

    def load(self, frame: int = 0, window: tuple[float, float] | None = None) -> tuple[ImageInfo, NDArray[np.float32]]:
        """`info` and `grey` of a frame from one decode.

        Raises:
            UnreadableImage: As `stored`.
            UnsupportedImage: As `stored`.
        """
        with quiet():
            try:
                stored, _ = self._decoded(frame)
                grey, colour, notes = self._grey(frame, window)
                identifier = image_id(stored, meaning(self.header, frame))
                place, warned = read_geometry(self.header, frame)
                info = ImageInfo(
                    ref=ImageRef(id=identifier, rows=self.rows, columns=self.columns, grid=identifier, frame=frame),
                    source_format="dicom",
                    colour=colour,
                    bits_stored=integer(self.header, "BitsStored"),
                    frames=self.frames,
                    geometry=place,
                    **describe(self.header, [*self.caveats, *notes, *warned], frame),
                )
                return info, grey
            except SecondReadError:
                raise
            except MemoryError:
                raise UnsupportedImage(f"{self.name} does not fit into memory.") from None
            except Exception:  # a damaged header makes pydicom raise almost any type; its text may quote the header
                raise UnreadableImage(f"{self.name} is damaged: its DICOM data cannot be read.") from None

    def __repr__(self) -> str:
        return f"DicomFile({self.name!r})"

    def _checked(self) -> Layout:
        with self._lock:
            if self._layout is None:
                if self._pixels is None:
                    hint = "It may be truncated." if "Rows" in self.header else "Give an image object."
                    kind = _sop_class(self.header)
                    raise UnsupportedImage(f"{self.name} is a DICOM file without pixels{kind}.", hint=hint)
                self._layout = read_layout(self.header, self._pixels, self.name, self.caveats)
            return self._layout

    def _count(self) -> int:
        layout = self._checked()
        assert self._pixels is not None
        stated = integer(self.header, "NumberOfFrames")
        if "NumberOfFrames" in self.header and not numbers(self.header, "NumberOfFrames"):
            if value(self.header, "NumberOfFrames") is not None:
                raise UnreadableImage(f"{self.name} is damaged: its number of frames is not a number.")
            stated = None
        stated = 1 if stated is None or stated < 1 else stated
        if layout.compressed or self._pixels.length == UNDEFINED:
            self._spans = frame_spans(self.header, self._pixels, stated, self.name)
            held = len(self._spans)
        else:
            there = min(self._pixels.length, self._pixels.source.size - self._pixels.offset)
            held = there * 8 // layout.frame_bits
            if held == 0:
                raise UnreadableImage(f"{self.name} is truncated: it holds fewer pixels than its header says.")
        if held < stated:
            raise UnreadableImage(f"{self.name} is truncated: it holds {held} of {stated} frames.")
        if held > stated:
            self.caveats.append(f"The file holds {held} frames, more than the {stated} that its header states.")
        return held

    def _decoded(self, frame: int) -> tuple[NDArray[Any], str]:
        layout, frames = self._checked(), self.frames
        if not 0 <= frame < frames:
            raise InputError(f"{self.name} has no frame {frame + 1}: it holds {frames}.")
        with quiet():
            if self._spans is not None:
                assert self._pixels is not None
                data = b"".join(self._pixels.source.read(*span) for span in self._spans[frame])
                array, photometric = compressed(layout, data, self.name)
            else:
                array, photometric = native(layout, self._cells(layout, frame))
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise UnreadableImage(f"{self.name} holds pixel values that are not finite.")
        return array, photometric

    def _cells(self, layout: Layout, frame: int) -> NDArray[Any]:
        """Cells of an uncompressed frame, flat."""
        assert self._pixels is not None
        start = frame * layout.frame_bits
        first, last = start // 8, -(-(start + layout.frame_bits) // 8)
        skip = start % 8 if layout.allocated == 1 else 0
        if layout.swapped:
            skip = first % 2
            first, last = first - skip, last + last % 2
        data = self._pixels.source.read(self._pixels.offset + first, last - first)
        return native_cells(layout, data, skip)

    def _grey(self, frame: int, window: tuple[float, float] | None) -> tuple[NDArray[np.float32], bool, list[str]]:
        """Grey, whether it was colour, and caveats."""
        stored, photometric = self._decoded(frame)
        if photometric == "PALETTE COLOR" and stored.ndim == 2:
            grey, colour, _ = grey_of_colour(_palette(self.header, stored))
            return grey, colour, []
        if stored.ndim == 3:
            full = np.float32(2 ** self._bits(stored) - 1)
            grey, colour, _ = grey_of_colour(np.asarray(stored[..., :3] / full, dtype=np.float32))
            return grey, colour, []
        grey, notes = display_grey(self.header, stored, self._bits(stored), frame, window)
        return grey, False, notes

    def _bits(self, stored: NDArray[Any]) -> int:
        return min(integer(self.header, "BitsStored") or 8 * stored.dtype.itemsize, 8 * stored.dtype.itemsize)


def _palette(ds: Any, pixels: NDArray[Any]) -> NDArray[np.float32]:
    """Colours of an indexed image in [0, 1]."""
    from pydicom.pixels import apply_color_lut

    rgb = apply_color_lut(pixels, ds)[..., :3]
    depth = 16 if rgb.dtype.itemsize == 2 else 8
    return np.asarray(rgb / np.float32(2**depth - 1), dtype=np.float32)


def _sop_class(ds: Any) -> str:
    """` (name of the SOP class)` when it is a class of the standard; a private one is not echoed."""
    from pydicom.uid import UID

    uid = text(ds, "SOPClassUID") or text(ds.file_meta, "MediaStorageSOPClassUID")
    known = UID(uid).name if uid else ""
    return f" ({known})" if known and known != uid else ""
