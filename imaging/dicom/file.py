"""A DICOM file: its header at once, its pixels frame by frame when asked for."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.arrays import grey_of_colour
from secondread.imaging.content import image_id
from secondread.imaging.dicom.cine import frame_time
from secondread.imaging.dicom.colour import colours, supplemented
from secondread.imaging.dicom.geometry import read_geometry
from secondread.imaging.dicom.grey import display_grey
from secondread.imaging.dicom.header import describe
from secondread.imaging.dicom.meaning import meaning
from secondread.imaging.dicom.modality import Modality, read_modality, read_unit
from secondread.imaging.dicom.overlays import Overlay, present, read_overlays
from secondread.imaging.dicom.parse import parse
from secondread.imaging.dicom.pixels import Pixels
from secondread.imaging.dicom.source import Source
from secondread.imaging.dicom.values import integer, text
from secondread.imaging.dicom.voi import read_windows
from secondread.imaging.identity.split import identity_of
from secondread.imaging.identity.vault import Identity
from secondread.imaging.quiet import quiet
from secondread.schema.errors import SecondReadError, UnreadableImage, UnsupportedImage
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
        except MemoryError:
            raise UnsupportedImage(f"{called} does not fit into memory.") from None


class DicomFile:
    """The header of one DICOM object, and its frames on demand. Thread-safe; holds no open file.

    Frames count from 0. Arrays of pixels are read-only or new. Nothing here but `header`, `overlays` and `identity`
    may name a person.
    """

    def __init__(self, source: Source, name: str) -> None:
        parsed = parse(source, name)
        self.name = name
        self.header: Any = parsed.header
        """pydicom data set of all elements before the pixels."""
        self.caveats: list[str] = parsed.caveats
        """What the reader noticed of the whole file."""
        self._pixels = None
        if parsed.pixels is not None:
            self._pixels = Pixels(parsed.header, parsed.pixels, name, self.caveats)

    @property
    def has_pixels(self) -> bool:
        """False for structured reports, plans and other objects without an image."""
        return self._pixels is not None

    @property
    def rows(self) -> int:
        """Height in pixels; 0 when the header gives none."""
        with self._guarded():
            return integer(self.header, "Rows") or 0

    @property
    def columns(self) -> int:
        """Width in pixels; 0 when the header gives none."""
        with self._guarded():
            return integer(self.header, "Columns") or 0

    @property
    def frames(self) -> int:
        """Number of frames that the file holds; more than the header says when there are more.

        Raises:
            UnreadableImage: Fewer than the header says, or the header contradicts itself.
            UnsupportedImage: The object has no pixels, or such as are not read.
        """
        with self._guarded():
            return self._held().frames

    def stored(self, frame: int = 0) -> NDArray[Any]:
        """Stored values in native byte order, unused bits removed; YBR colours are given as RGB; read-only.

        Returns:
            Shape (rows, columns) or (rows, columns, 3); 1-bit pixels as uint8 0 and 1, indexed ones as indices.

        Raises:
            InputError: There is no such frame.
            UnreadableImage: The pixels are truncated or damaged.
            UnsupportedImage: No pixels, too large, or no decoder for the transfer syntax.
        """
        return self._decoded(frame)[0]

    def rescale(self, frame: int = 0) -> tuple[float, float] | None:
        """Slope and intercept of the frame; (1, 0) when the header gives none, None when a modality LUT applies."""
        with self._guarded():
            modality = self._modality(frame)[0]
        return None if modality.lut is not None else (modality.slope, modality.intercept)

    def values(self, frame: int = 0) -> NDArray[np.float32]:
        """Modality values, shape (rows, columns): Hounsfield units for CT. Padding is left in.

        Raises:
            UnsupportedImage: Colour pixels have none; else as `stored`.
        """
        stored, photometric = self._decoded(frame)
        if stored.ndim != 2 or photometric == "PALETTE COLOR":
            raise UnsupportedImage(f"{self.name} has colour pixels, which carry no measured values.")
        with self._guarded():
            return self._modality(frame)[0](stored)

    def unit(self, frame: int = 0) -> Literal["HU", "stored"]:
        """What `values` are in."""
        with self._guarded():
            return read_unit(self.header, frame, self._modality(frame)[0])

    def grey(self, frame: int = 0, window: tuple[float, float] | None = None) -> NDArray[np.float32]:
        """Display grey in [0, 1], shape (rows, columns), air dark; a new array.

        Args:
            frame: From 0.
            window: Centre and width in modality values, in place of that of the header.

        Raises:
            InputError: As `stored`.
            UnreadableImage: As `stored`.
            UnsupportedImage: As `stored`.
        """
        return self._shown(frame, window)[0]

    def colour(self, frame: int = 0) -> NDArray[np.float32] | None:
        """Colours in [0, 1], shape (rows, columns, 3); None for a frame that is grey alone.

        Raises:
            InputError: As `stored`.
            UnreadableImage: As `stored`.
            UnsupportedImage: As `stored`.
        """
        with self._guarded():
            stored, photometric = self._decoded(frame)
            rgb = colours(self.header, stored, photometric, self._bits(), self.name)
            if rgb is None and "PixelPresentation" in self.header:
                rgb = supplemented(self.header, stored, self._shown(frame, None)[0])
            return rgb

    def overlays(self, frame: int = 0) -> list[Overlay]:
        """Overlay planes that apply to the frame, as masks apart from the pixels; they may hold lettering.

        Raises:
            InputError: As `stored`.
            UnreadableImage: As `stored`.
            UnsupportedImage: As `stored`.
        """
        with self._guarded():
            held = self._held()
            return read_overlays(self.header, self.rows, self.columns, frame, lambda: held.cells(frame))[0]

    def windows(self, frame: int = 0) -> list[tuple[float, float]]:
        """Every valid window of the header for this frame as (centre, width); the first is the default."""
        with self._guarded():
            return [(window.center, window.width) for window in read_windows(self.header, frame)]

    def geometry(self, frame: int = 0) -> PlaneGeometry | None:
        """How the frame lies in the patient, in RAS mm; None when unknown or inconsistent (then a caveat of `info`)."""
        with self._guarded():
            return read_geometry(self.header, frame)[0]

    def time_s(self, frame: int = 0) -> float | None:
        """Seconds of the frame from the start of its cine loop; None when the header gives no time."""
        with self._guarded():
            return frame_time(self.header, frame, self.frames)

    def identity(self) -> Identity:
        """What of the header names a person, kept apart."""
        with self._guarded():
            return identity_of(self.header)

    def info(self, frame: int = 0) -> ImageInfo:
        """What may be known of a frame besides its pixels. Decodes the frame: its id is that of its content."""
        return self.load(frame)[0]

    def load(self, frame: int = 0, window: tuple[float, float] | None = None) -> tuple[ImageInfo, NDArray[np.float32]]:
        """`info` and `grey` of a frame from one decode.

        Raises:
            InputError: As `stored`.
            UnreadableImage: As `stored`.
            UnsupportedImage: As `stored`.
        """
        with self._guarded():
            stored, _ = self._decoded(frame)
            grey, colour, notes = self._shown(frame, window)
            identifier = image_id(stored, meaning(self.header, frame))
            place, warned = read_geometry(self.header, frame)
            if present(self.header):
                warned.append("The file carries an overlay, which is kept apart from the pixels and not shown.")
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

    def __repr__(self) -> str:
        return f"DicomFile({self.name!r})"

    def _held(self) -> Pixels:
        if self._pixels is None:
            hint = "It may be truncated." if "Rows" in self.header else "Give an image object."
            raise UnsupportedImage(f"{self.name} is a DICOM file without pixels{_sop_class(self.header)}.", hint=hint)
        return self._pixels

    def _decoded(self, frame: int) -> tuple[NDArray[Any], str]:
        with self._guarded():
            return self._held().stored(frame)

    def _modality(self, frame: int) -> tuple[Modality, list[str]]:
        return read_modality(self.header, frame, signed=integer(self.header, "PixelRepresentation") == 1)

    def _bits(self) -> int:
        return self._held().layout.stored

    def _shown(self, frame: int, window: tuple[float, float] | None) -> tuple[NDArray[np.float32], bool, list[str]]:
        """Grey, whether the frame is coloured, and caveats."""
        with self._guarded():
            stored, photometric = self._decoded(frame)
            rgb = colours(self.header, stored, photometric, self._bits(), self.name)
            notes: list[str] = []
            if rgb is None:
                grey, notes = display_grey(self.header, stored, self._bits(), frame, window)
                rgb = supplemented(self.header, stored, grey) if "PixelPresentation" in self.header else None
                if rgb is None:
                    return grey, False, notes
            grey, coloured, _ = grey_of_colour(rgb)
            return np.clip(grey, 0, 1, out=grey), coloured, notes

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Turns what pydicom and numpy raise on a damaged header into one typed error; their text may quote it."""
        with quiet():
            try:
                yield
            except SecondReadError:
                raise
            except MemoryError:
                raise UnsupportedImage(f"{self.name} does not fit into memory.") from None
            except Exception:
                raise UnreadableImage(f"{self.name} is damaged: its DICOM data cannot be read.") from None


def _sop_class(ds: Any) -> str:
    """` (name of the SOP class)` when it is a class of the standard; a private one is not echoed."""
    from pydicom.uid import UID

    uid = text(ds, "SOPClassUID") or text(ds.file_meta, "MediaStorageSOPClassUID")
    known = UID(uid).name if uid else ""
    return f" ({known})" if known and known != uid else ""
