"""Stored DICOM values to display grey, in the order of the standard.

stored -> modality (LUT or rescale) -> values of interest (VOI LUT, or window) -> inversion for MONOCHROME1 -> [0, 1].

Where both steps are lines they are one: a subtraction, a multiplication and a clip in one float32 array. Where one is a
curve and the pixels have at most 16 bits, it is computed once per value rather than once per pixel.

Source: DICOM PS3.3 C.7.6.3 (pixels, padding), C.11.1 (modality LUT), C.11.2 (VOI LUT, windows and their functions);
PS3.4 N.2 (order of the transformations).
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.arrays import bits_needed
from secondread.imaging.dicom.lut import Lut
from secondread.imaging.dicom.modality import Modality, read_modality
from secondread.imaging.dicom.padding import Spread, padding
from secondread.imaging.dicom.values import text
from secondread.imaging.dicom.voi import Window, ramp, read_voi_lut, read_windows

SPARSE = 0.25
"""Unsigned pixels that fill less than this share of their bit depth are scaled to the bits they need."""

FLAT = 0.05
"""A window or LUT that spreads pixels which differ over less grey than this shows nothing."""


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
    signed = stored.dtype.kind == "i"
    modality, caveats = read_modality(ds, frame, signed=signed)
    padded = padding(ds, stored, bits)
    if padded is not None and padded.all():
        padded = None
        caveats.append("Every pixel equals the padding value; padding was ignored.")
    spread = Spread(stored, padded)
    shown, notes = _chosen(ds, frame, modality, spread, stored.dtype, bits, window)
    caveats += notes
    inverse = text(ds, "PhotometricInterpretation").upper() == "MONOCHROME1"
    shape = text(ds, "PresentationLUTShape").upper()
    if shape and (shape == "INVERSE") != inverse:
        caveats.append("Photometric Interpretation and Presentation LUT Shape disagree; the former was followed.")
    grey = _painted(stored, modality, shown, inverse=inverse)
    if padded is not None:
        grey[padded] = 0
    return grey, caveats


def _chosen(
    ds: Any,
    frame: int,
    modality: Modality,
    spread: Spread,
    dtype: np.dtype[Any],
    bits: int,
    wanted: tuple[float, float] | None,
) -> tuple[Window | Lut, list[str]]:
    """What maps modality values to grey: the wanted window, else VOI LUT, first window or range of the pixels."""
    windows = [_fitting(window, modality, dtype) for window in read_windows(ds, frame)]
    if wanted is not None:
        same = (w for w in windows if (w.center, w.width) == wanted)
        return next(same, _fitting(Window(*wanted), modality, dtype)), []
    caveats: list[str] = []
    low, high = spread.ends()
    ends = modality(np.array([low, high], dtype))
    varied = low < high
    lut = read_voi_lut(ds, frame, signed=bool(ends.min() < 0))
    if lut is not None:
        inputs = np.linspace(float(ends.min()), float(ends.max()), 4096, dtype=np.float64)
        if not varied or np.ptp(lut(inputs)) > 0:
            return lut, caveats
        caveats.append("The VOI LUT of the header leaves no contrast and was passed over.")
    if windows:
        if not varied or np.ptp(windows[0](ends)) > FLAT:
            return windows[0], caveats
        caveats.append("The window of the header leaves no contrast and was passed over.")
    elif "WindowCenter" in ds and "WindowWidth" in ds and text(ds, "WindowWidth"):
        caveats.append("The window of the header is not valid and was ignored.")
    return _whole_range(modality, spread, dtype, bits), caveats


def _fitting(window: Window, modality: Modality, dtype: np.dtype[Any]) -> Window:
    """The window, exact where the linear function, made for whole numbers, would cut fractional values short."""
    fractional = dtype.kind == "f" or (window.width <= 1 and not float(modality.slope).is_integer())
    if window.function == "LINEAR" and (fractional or window.width < 1):
        return replace(window, function="LINEAR_EXACT")
    return window


def _whole_range(modality: Modality, spread: Spread, dtype: np.dtype[Any], bits: int) -> Window:
    """A window over the range of the pixels, or of a modality LUT."""
    if modality.lut is not None:
        black, white = 0.0, modality.lut.full
    else:
        low, high = full_range(spread, dtype, bits)
        black, white = sorted(v * modality.slope + modality.intercept for v in (low, high))
    if white <= black:  # flat: all black
        return Window(black + 0.5, 1.0, "LINEAR_EXACT")
    return Window((black + white) / 2, white - black, "LINEAR_EXACT")


def full_range(spread: Spread, dtype: np.dtype[Any], bits: int) -> tuple[float, float]:
    """Which stored values are black and white when nothing in the header says so.

    Unsigned pixels: 0 to the largest value of Bits Stored, so that a film has the same grey at any depth; when they
    fill less than a quarter of it, 0 to the largest value of the bits they need. Signed and float pixels: smallest to
    largest value, or their central 99.9 % when a few outliers stretch that range more than four times.

    Args:
        spread: Range of the pixels that are not padding.
        dtype: Of the stored values.
        bits: Bits Stored.
    """
    low, high = spread.ends()
    if dtype.kind == "u":
        if high < SPARSE * 2**bits:
            bits = min(bits, bits_needed(int(high), 1))
        return 0.0, float(2**bits - 1)
    if low == high:
        return low, high
    inner_low, inner_high = spread.inner()
    if inner_high > inner_low and (high - low) > 4 * (inner_high - inner_low):
        return inner_low, inner_high
    return low, high


def _painted(stored: NDArray[Any], modality: Modality, shown: Window | Lut, *, inverse: bool) -> NDArray[np.float32]:
    """Grey of stored values; a new array."""
    line = shown.line() if isinstance(shown, Window) else None
    if line is not None and modality.lut is None:
        black, gain = (line[0] - modality.intercept) / modality.slope, line[1] * modality.slope
        if inverse:
            black, gain = black + 1 / gain, -gain
        return ramp(stored, black, gain)
    if stored.dtype.kind in "iu" and stored.dtype.itemsize <= 2:
        low, high = int(stored.min()), int(stored.max())
        table = _curve(np.arange(low, high + 1, dtype=np.int32), modality, shown, inverse=inverse)
        if low:
            unsigned = f"u{stored.dtype.itemsize}"
            offset = np.array([low], stored.dtype).view(unsigned)[0]
            stored = np.ascontiguousarray(stored).view(unsigned) - offset  # wraps as it should
        return np.asarray(np.take(table, stored), dtype=np.float32)
    return _curve(stored, modality, shown, inverse=inverse)


def _curve(stored: NDArray[Any], modality: Modality, shown: Window | Lut, *, inverse: bool) -> NDArray[np.float32]:
    """Grey of each value, step by step."""
    values = modality(stored)
    grey = shown(values)
    if isinstance(shown, Lut):
        grey /= np.float32(shown.full)
    if inverse:
        np.subtract(1, grey, out=grey)
    return grey
