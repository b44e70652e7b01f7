"""A drawn film of known lungs and heart, and the shipped networks."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

Grey = NDArray[np.float32]
Drawing = tuple[Grey, dict[str, NDArray[np.bool_]]]


def ellipse(rows: int, columns: int, cx: float, cy: float, rx: float, ry: float) -> NDArray[np.bool_]:
    y, x = np.mgrid[:rows, :columns]
    x, y = (x + 0.5) / columns, (y + 0.5) / rows
    return ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 <= 1


def drawing(rows: int = 512, columns: int = 512) -> Drawing:
    """Body, spine, two lungs with ribs, a heart mostly on the image right; and the masks it was drawn from."""
    from scipy import ndimage

    below = np.mgrid[:rows, :columns][0] / rows
    heart = ellipse(rows, columns, 0.54, 0.62, 0.15, 0.17)
    dome_right = ellipse(rows, columns, 0.30, 0.98, 0.24, 0.22)
    dome_left = ellipse(rows, columns, 0.70, 1.0, 0.24, 0.22)
    right = ellipse(rows, columns, 0.30, 0.50, 0.155, 0.36) & ~heart & ~dome_right
    left = ellipse(rows, columns, 0.70, 0.50, 0.155, 0.36) & ~heart & ~dome_left
    film = np.full((rows, columns), 0.05)
    film[ellipse(rows, columns, 0.5, 0.75, 0.45, 0.72)] = 0.62
    film[ellipse(rows, columns, 0.5, 0.0, 0.1, 0.2)] = 0.62
    film += 0.18 * below * (film > 0.1)
    film[right | left] = 0.22
    ribs = (np.sin((below + 0.25 * np.abs(np.mgrid[:rows, :columns][1] / columns - 0.5)) * 70) > 0.6) & (right | left)
    film[ribs] += 0.07
    film[heart] = 0.72
    film[ellipse(rows, columns, 0.5, 0.5, 0.05, 0.6) & ~(right | left)] += 0.12
    film = ndimage.gaussian_filter(film, (rows / 160, columns / 160))
    return film.astype(np.float32), {"right_lung": right, "left_lung": left, "heart": heart}


@pytest.fixture(scope="session")
def networks() -> Any:
    """The shipped ensemble."""
    from secondread.tools.segment.weights import load_networks

    return load_networks()


@pytest.fixture(scope="session")
def chest() -> Callable[..., Drawing]:
    """`chest(rows, columns)` draws a film and its masks."""
    return drawing
