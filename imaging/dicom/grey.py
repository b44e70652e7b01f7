"""Stored DICOM values to display grey, in the order of the standard.

stored -> modality (LUT or rescale) -> values of interest (VOI LUT, or window) -> inversion for MONOCHROME1 -> [0, 1].

Source: DICOM PS3.3 C.7.6.3 (pixels, padding), C.11.1 (modality LUT), C.11.2 (VOI LUT, windows and their functions);
PS3.4 N.2 (order of the transformations).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.arrays import bits_needed
from secondread.imaging.dicom.groups import frame_or_root
from secondread.imaging.dicom.values import items, number, numbers, text

SPARSE = 0.25
"""Unsigned pixels that fill less than this share of their bit depth are scaled to the bits they need."""


@dataclass(frozen=True)
class Lut:
    """A lookup table with its outputs in [0, 1] x `full`."""

    first: int
    outputs: NDArray[np.float32]
    full: float

    def __call__(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """Look up; inputs below the first entry take the first, above the last the last."""
        index = np.clip(np.rint(values).astype(np.int64) - self.first, 0, self.outputs.size - 1)
        return np.asarray(self.outputs[index], dtype=np.float32)


@dataclass(frozen=True)
class Window:
    """A window of values of interest."""

    center: float
    width: float
    function: str

    def __call__(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """Values to [0, 1]. Source: PS3.3 C.11.2.1.2 (linear) and C.11.2.1.3 (linear exact, sigmoid)."""
        x = values.astype(np.float32)
        if self.function == "SIGMOID":
            grey = 1 / (1 + np.exp(np.clip(-4 * (x - self.center) / self.width, -60, 60)))
        elif self.function == "LINEAR_EXACT":
            grey = np.clip((x - self.center) / self.width + 0.5, 0, 1)
        elif self.width <= 1:
            grey = x > self.center - 0.5
        else:
            grey = np.clip((x - (self.center - 0.5)) / (self.width - 1) + 0.5, 0, 1)
        return np.asarray(grey, dtype=np.float32)


def display_grey(
    ds: Any, stored: NDArray[Any], bits: int, frame: int = 0, window: tuple[float, float] | None = None
) -> tuple[NDArray[np.float32], list[str]]:
    """Display grey of a monochrome image.

    Args:
        ds: The data set.
        stored: Stored values, shape (rows, columns).
        bits: Bits Stored; ignored for float values.
        frame: From 0.
        window: Centre and width in place of those of the header.

    Returns:
        Grey in [0, 1], air dark where the file is a film of the usual kind, and caveats.
    """
    caveats: list[str] = []
    padded = padding(ds, stored)
    if padded is not None and padded.all():
        padded = None
        caveats.append("Every pixel equals the padding value; padding was ignored.")
    values, low, high = modality(ds, stored, padded, bits, frame)
    grey, notes = of_interest(ds, values, low, high, padded, frame, window)
    caveats += notes
    inverse = text(ds, "PhotometricInterpretation") == "MONOCHROME1"
    shape = text(ds, "PresentationLUTShape")
    if shape and (shape == "INVERSE") != inverse:
        caveats.append("Photometric Interpretation and Presentation LUT Shape disagree; the former was followed.")
    if inverse:
        grey = np.float32(1) - grey
    if padded is not None:
        grey = np.where(padded, np.float32(0), grey)
    return grey, caveats


def padding(ds: Any, stored: NDArray[Any]) -> NDArray[np.bool_] | None:
    """Where the stored value is padding; None when the header names no padding value, or no pixel has it.

    A padding value that was written with the wrong sign is compared by its bits.
    """
    if "FloatPixelPaddingValue" in ds and stored.dtype.kind == "f":
        low = number(ds, "FloatPixelPaddingValue")
        mask = None if low is None else stored == np.float32(low)
        return mask if mask is not None and mask.any() else None
    value, limit = number(ds, "PixelPaddingValue"), number(ds, "PixelPaddingRangeLimit")
    if value is None or stored.dtype.kind == "f":
        return None
    ends = [_as_stored(int(v), stored.dtype) for v in (value, value if limit is None else limit)]
    mask = (stored >= min(ends)) & (stored <= max(ends))
    return mask if mask.any() else None


def _as_stored(value: int, dtype: np.dtype[Any]) -> int:
    bits = 8 * dtype.itemsize
    value &= (1 << bits) - 1
    return value - (1 << bits) if dtype.kind == "i" and value >> (bits - 1) else value


def modality(
    ds: Any, stored: NDArray[Any], padded: NDArray[np.bool_] | None, bits: int, frame: int = 0
) -> tuple[NDArray[np.float32], float, float]:
    """Modality LUT or rescale, and the range to show when no window says otherwise.

    Returns:
        Values, and what black and white stand for.
    """
    for item in items(ds, "ModalityLUTSequence")[:1]:
        lut = read_lut(item, signed=stored.dtype.kind == "i")
        if lut is not None:
            return lut(stored), 0.0, lut.full
    low, high = full_range(stored if padded is None else stored[~padded], bits)
    source = frame_or_root(ds, "PixelValueTransformationSequence", frame)
    slope, intercept = number(source, "RescaleSlope"), number(source, "RescaleIntercept")
    slope = 1.0 if slope is None or slope == 0 else slope
    intercept = 0.0 if intercept is None else intercept
    if slope == 1 and intercept == 0:
        return stored.astype(np.float32), low, high
    ends = sorted((low * slope + intercept, high * slope + intercept))
    return (stored.astype(np.float64) * slope + intercept).astype(np.float32), ends[0], ends[1]


def full_range(stored: NDArray[Any], bits: int) -> tuple[float, float]:
    """Which stored values are black and white when nothing in the header says so.

    Unsigned pixels: 0 to the largest value of Bits Stored, so that a film has the same grey at any depth; when they
    fill less than a quarter of it, 0 to the largest value of the bits they need. Signed and float pixels: smallest to
    largest value, or their central 99.9 % when a few outliers stretch that range more than four times.

    Args:
        stored: Values without padding, at least one.
        bits: Bits Stored.
    """
    low, high = float(stored.min()), float(stored.max())
    if stored.dtype.kind == "u":
        if high < SPARSE * 2**bits:
            bits = min(bits, bits_needed(int(high), 1))
        return 0.0, float(2**bits - 1)
    inner_low, inner_high = (float(v) for v in np.percentile(stored, (0.05, 99.95)))
    if inner_high > inner_low and (high - low) > 4 * (inner_high - inner_low):
        return inner_low, inner_high
    return low, high


def of_interest(
    ds: Any,
    values: NDArray[np.float32],
    low: float,
    high: float,
    padded: NDArray[np.bool_] | None,
    frame: int = 0,
    wanted: tuple[float, float] | None = None,
) -> tuple[NDArray[np.float32], list[str]]:
    """VOI LUT, else the first window, else the range from `low` to `high`.

    A window or LUT that leaves no contrast where the pixels have some is passed over, with a caveat.
    """
    if wanted is not None:
        return Window(*wanted, "LINEAR")(values), []
    source = frame_or_root(ds, "FrameVOILUTSequence", frame)
    shown = values if padded is None else values[~padded]
    varied = bool(shown.min() < shown.max())
    caveats: list[str] = []
    for item in items(source, "VOILUTSequence")[:1]:
        lut = read_lut(item, signed=bool(shown.min() < 0))
        if lut is not None:
            if not varied or np.ptp(lut(shown)) > 0:
                return lut(values) / np.float32(lut.full), caveats
            caveats.append("The VOI LUT of the header leaves no contrast and was passed over.")
    window = read_window(source)
    if window is not None:
        grey = window(shown)
        if not varied or float(grey.max()) - float(grey.min()) > 0.05:
            return window(values), caveats
        caveats.append("The window of the header leaves no contrast and was passed over.")
    if high <= low:
        return np.zeros(values.shape, np.float32), caveats
    return np.clip((values - np.float32(low)) / np.float32(high - low), 0, 1).astype(np.float32), caveats


def read_window(ds: Any) -> Window | None:
    """The first window of the header that is valid, or None."""
    centers, widths = numbers(ds, "WindowCenter"), numbers(ds, "WindowWidth")
    function = text(ds, "VOILUTFunction") or "LINEAR"
    for center, width in zip(centers, widths, strict=False):
        if width >= 1 or (width > 0 and function != "LINEAR"):
            return Window(center, width, function)
    return None


def read_lut(item: Any, *, signed: bool) -> Lut | None:
    """A lookup table from a sequence item, or None when it is malformed.

    Args:
        item: Holds LUT Descriptor (entries, first input, bits per entry) and LUT Data.
        signed: How to read the first input, whose sign an implicit file does not say.

    Source: DICOM PS3.3 C.11.1.1.1 and C.11.2.1.1: 0 entries stand for 65536.
    """
    descriptor = numbers(item, "LUTDescriptor")
    if len(descriptor) != 3:
        return None
    count, start, bits = (int(v) for v in descriptor)
    count = 65536 if count == 0 else count & 0xFFFF
    if signed and start >= 32768:
        start -= 65536
    elif not signed and start < 0:
        start += 65536
    data = item.get("LUTData")
    if isinstance(data, bytes):
        little = getattr(item, "is_little_endian", True) is not False
        wide = len(data) >= 2 * count
        table = np.frombuffer(data, ("<u2" if little else ">u2") if wide else np.uint8)
    else:
        try:
            table = np.atleast_1d(np.asarray(data, dtype=np.int64)) & 0xFFFF
        except (TypeError, ValueError):
            return None
    table = table[:count]
    if table.size < 1 or not 1 <= bits <= 16:
        return None
    full = 2**bits - 1
    largest = int(table.max())
    if largest > full or largest < full / 2:  # descriptors with the wrong depth are common
        full = 2 ** bits_needed(largest, 1) - 1
    return Lut(start, table.astype(np.float32), float(full))
