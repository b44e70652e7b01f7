"""Windows for CT, and how a window makes grey of values."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

CT_WINDOWS: dict[str, tuple[float, float]] = {
    "lung": (-600.0, 1500.0),
    "mediastinum": (50.0, 350.0),
    "abdomen": (50.0, 400.0),
    "liver": (30.0, 150.0),
    "bone": (400.0, 1800.0),
    "brain": (40.0, 80.0),
    "subdural": (75.0, 215.0),
    "stroke": (40.0, 40.0),
    "temporal_bone": (600.0, 2800.0),
    "spine": (50.0, 250.0),
}
"""Name -> centre and width in Hounsfield units.

Source: Murphy A, Baba Y, et al. "Windowing (CT)", Radiopaedia.org, rID 52108: head and neck (brain, subdural, stroke,
temporal bone), chest (lung, mediastinum), abdomen (soft tissue, liver), spine (soft tissue, bone). It gives the
subdural window as level 50 to 100 and width 130 to 300; the middle of both is taken."""


def apply_window(values: ArrayLike, centre: float, width: float) -> NDArray[np.float32]:
    """Values to grey: centre - width / 2 is black, centre + width / 2 white, in between a straight line.

    This is the function LINEAR_EXACT of DICOM PS3.3 C.11.2.1.3.2, which holds for any width above 0. The windows of a
    DICOM header follow the function that the header names (`secondread.imaging.dicom.voi.Window`), by default LINEAR,
    whose line is steeper by one part in the width.

    Args:
        values: Any shape; values that are not finite become black.
        centre: The value that is mid-grey.
        width: Above 0.

    Returns:
        float32 in [0, 1], of the same shape.

    Raises:
        ValueError: A width that is not above 0, or a window that is not finite.
    """
    if not (np.isfinite(centre) and np.isfinite(width) and width > 0):
        raise ValueError("a window is a finite centre and a width above 0")
    grey = np.array(values, dtype=np.float32)
    with np.errstate(invalid="ignore", over="ignore"):
        grey -= np.float32(centre - width / 2)
        grey *= np.float32(1 / width)
        np.clip(grey, 0, 1, out=grey)
    return np.nan_to_num(grey, copy=False, nan=0.0)
