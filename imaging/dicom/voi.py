"""Values of interest: which modality values are black and white.

Source: DICOM PS3.3 C.11.2 (VOI LUT, windows and their functions), C.7.6.16.2.10 (of a frame).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.dicom.groups import frame_or_root
from secondread.imaging.dicom.lut import Lut, read_lut
from secondread.imaging.dicom.values import items, numbers, text

FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")


@dataclass(frozen=True)
class Window:
    """A window of values of interest."""

    center: float
    width: float
    function: str = "LINEAR"

    def __call__(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """Values to [0, 1]. Source: PS3.3 C.11.2.1.2 (linear) and C.11.2.1.3 (linear exact, sigmoid)."""
        line = self.line()
        if line is not None:
            return ramp(values, *line)
        x = values.astype(np.float32)
        if self.function == "SIGMOID":
            x -= np.float32(self.center)
            x *= np.float32(-4 / self.width)
            np.clip(x, -60, 60, out=x)
            np.exp(x, out=x)
            x += 1
            np.reciprocal(x, out=x)
            return x
        return np.asarray(x > self.center - 0.5, dtype=np.float32)

    def line(self) -> tuple[float, float] | None:
        """The value that is black and grey per value, where the window is a ramp; None for a curve or a step."""
        if self.function == "SIGMOID" or (self.function == "LINEAR" and self.width <= 1):
            return None
        if self.function == "LINEAR":
            return self.center - 0.5 - (self.width - 1) / 2, 1 / (self.width - 1)
        return self.center - self.width / 2, 1 / self.width


def ramp(values: NDArray[Any], black: float, gain: float) -> NDArray[np.float32]:
    """(values - black) x gain, clipped to [0, 1], with one array made."""
    wide = values.dtype.itemsize > (4 if values.dtype.kind == "f" else 2)
    grey: NDArray[Any] = values.astype(np.float64 if wide else np.float32)
    np.subtract(grey, black, out=grey)
    np.multiply(grey, gain, out=grey)
    np.clip(grey, 0, 1, out=grey)
    return grey.astype(np.float32, copy=False)


def read_windows(ds: Any, frame: int = 0) -> list[Window]:
    """Every valid window of the header for a frame, in its order."""
    source = frame_or_root(ds, "FrameVOILUTSequence", frame)
    function = text(source, "VOILUTFunction").upper()
    function = function if function in FUNCTIONS else "LINEAR"
    pairs = zip(numbers(source, "WindowCenter"), numbers(source, "WindowWidth"), strict=False)
    return [Window(center, width, function) for center, width in pairs if 0 < width < 1e30 and abs(center) < 1e30]


def read_voi_lut(ds: Any, frame: int = 0, *, signed: bool) -> Lut | None:
    """The first VOI LUT of the header for a frame, or None.

    Args:
        ds: The header.
        frame: From 0.
        signed: The modality values may be negative.
    """
    for item in items(frame_or_root(ds, "FrameVOILUTSequence", frame), "VOILUTSequence")[:1]:
        return read_lut(item, signed=signed)
    return None
