"""The pixels of a DICOM file: how many frames there are, and the stored values of each."""

import threading
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.dicom.decode import compressed, native, native_cells
from secondread.imaging.dicom.fragments import Span, frame_spans
from secondread.imaging.dicom.layout import Layout, read_layout
from secondread.imaging.dicom.parse import PixelElement
from secondread.imaging.dicom.values import integer, numbers, value
from secondread.imaging.quiet import quiet
from secondread.schema.errors import InputError, UnreadableImage


class Pixels:
    """Frames on demand; the last one decoded is kept. Thread-safe.

    Args:
        header: Data set without the pixels.
        element: Where the pixels lie.
        name: The file as the caller typed it, for messages.
        caveats: What is noticed of the whole file is added here.
    """

    def __init__(self, header: Any, element: PixelElement, name: str, caveats: list[str]) -> None:
        self._header = header
        self._element = element
        self._name = name
        self._caveats = caveats
        self._lock = threading.RLock()
        self._known: tuple[Layout, int, list[list[Span]]] | None = None
        self._last: tuple[int, NDArray[Any], str] | None = None

    @property
    def layout(self) -> Layout:
        """How a frame is stored.

        Raises:
            UnreadableImage: The header contradicts itself or the data.
            UnsupportedImage: Too large, or pixels of a kind that is not read.
        """
        return self._checked()[0]

    @property
    def frames(self) -> int:
        """How many frames the file holds.

        Raises:
            UnreadableImage: As `layout`; or fewer frames than the header says, or no number of them.
            UnsupportedImage: As `layout`.
        """
        return self._checked()[1]

    def stored(self, frame: int) -> tuple[NDArray[Any], str]:
        """Stored values (rows, columns[, 3]), read-only, and what they stand for (photometric interpretation).

        Raises:
            InputError: There is no such frame.
            UnreadableImage: The pixels are truncated or damaged.
            UnsupportedImage: No decoder for the transfer syntax; else as `layout`.
        """
        layout, frames, spans = self._checked()
        self._exists(frame, frames)
        with self._lock:
            if self._last is not None and self._last[0] == frame:
                return self._last[1:]
        if layout.encapsulated:
            parts = [self._element.source.view(*span) for span in spans[frame]]
            data = parts[0] if len(parts) == 1 else b"".join(parts)
            array, photometric = compressed(layout, data, self._name)
        else:
            array, photometric = native(layout, self._cells(layout, frame))
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise UnreadableImage(f"{self._name} holds pixel values that are not finite.")
        array.flags.writeable = False
        with self._lock:
            self._last = frame, array, photometric
        return array, photometric

    def cells(self, frame: int) -> NDArray[Any] | None:
        """Cells with all their bits, (rows, columns), of an uncompressed monochrome frame; None for any other."""
        layout, frames, _ = self._checked()
        self._exists(frame, frames)
        if layout.encapsulated or layout.samples != 1:
            return None
        return self._cells(layout, frame).reshape(layout.rows, layout.columns)

    def _exists(self, frame: int, frames: int) -> None:
        if not 0 <= frame < frames:
            raise InputError(f"{self._name} has no frame {frame + 1}: it holds {frames}.")

    def _checked(self) -> tuple[Layout, int, list[list[Span]]]:
        with self._lock:
            if self._known is None:
                with quiet():
                    notes: list[str] = []
                    layout = read_layout(self._header, self._element, self._name, notes)
                    frames, spans = self._count(layout, notes)
                    if layout.shift and not layout.encapsulated:
                        layout = self._with_true_shift(layout, notes)
                    self._caveats += notes
                    self._known = layout, frames, spans
            return self._known

    def _count(self, layout: Layout, notes: list[str]) -> tuple[int, list[list[Span]]]:
        """Frames in the file, and where their fragments are when they are encapsulated."""
        stated = integer(self._header, "NumberOfFrames")
        if "NumberOfFrames" in self._header and not numbers(self._header, "NumberOfFrames"):
            if value(self._header, "NumberOfFrames") is not None:
                raise UnreadableImage(f"{self._name} is damaged: its number of frames is not a number.")
            stated = None
        stated = 1 if stated is None or stated < 1 else stated
        spans: list[list[Span]] = []
        if layout.encapsulated:
            spans = frame_spans(self._header, self._element, stated, self._name)
            held = len(spans)
        else:
            there = min(self._element.length, self._element.source.size - self._element.offset)
            needed = -(-stated * layout.frame_bits // 8)
            # an odd length is filled up with one byte, in which another tiny frame might seem to fit
            held = stated if needed <= there <= needed + 1 else there * 8 // layout.frame_bits
            if held == 0:
                raise UnreadableImage(f"{self._name} is truncated: it holds fewer pixels than its header says.")
        if held < stated:
            raise UnreadableImage(f"{self._name} is truncated: it holds {held} of {stated} frames.")
        if held > stated:
            notes.append(f"The file holds {held} frames, more than the {stated} that its header states.")
        return held, spans

    def _with_true_shift(self, layout: Layout, notes: list[str]) -> Layout:
        """The layout without a shift that the pixels belie: their high bits are empty and their low ones are not."""
        cells = self._cells(layout, 0)
        unsigned = cells.view(f"u{cells.dtype.itemsize}")
        high, low = int(unsigned.max()) >> layout.stored, unsigned & unsigned.dtype.type(2**layout.shift - 1)
        if high == 0 and low.any():
            notes.append("High Bit says that the pixels are shifted, but they are not.")
            return replace(layout, shift=0)
        return layout

    def _cells(self, layout: Layout, frame: int) -> NDArray[Any]:
        """Cells of an uncompressed frame, flat."""
        start = frame * layout.frame_bits
        first, last = start // 8, -(-(start + layout.frame_bits) // 8)
        skip = start % 8 if layout.allocated == 1 else 0
        if layout.swapped:
            skip = first % 2
            first, last = first - skip, last + last % 2
        data = self._element.source.view(self._element.offset + first, last - first)
        if len(data) < last - first:
            raise UnreadableImage(f"{self._name} is truncated: it holds fewer pixels than its header says.")
        return native_cells(layout, data, skip)
