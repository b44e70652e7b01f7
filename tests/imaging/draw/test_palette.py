"""Colours stay apart for every kind of colour vision; where two come close, patterns tell their masks apart.

Simulation: Machado, Oliveira, Fernandes, IEEE TVCG 15(6), 2009, severity 1.0, on linear sRGB. Difference: CIE 1976.
"""

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from secondread.imaging.draw import palette
from secondread.imaging.draw.masks import PATTERNS, hatching, patterns
from secondread.imaging.draw.palette import colours

SEEN = {
    "usual": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def lab(colour: palette.Colour, seen: NDArray[np.float64]) -> NDArray[np.float64]:
    """CIELAB (D65) of an sRGB colour as somebody sees it."""
    c = np.array(colour) / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    xyz = TO_XYZ @ np.clip(seen @ linear, 0, 1) / (0.9505, 1.0, 1.089)
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def difference(a: palette.Colour, b: palette.Colour, vision: str) -> float:
    return float(np.linalg.norm(lab(a, SEEN[vision]) - lab(b, SEEN[vision])))


def test_the_simulation_knows_red_and_green() -> None:
    assert difference((255, 0, 0), (0, 160, 0), "usual") > 100
    assert difference((200, 60, 0), (120, 110, 0), "deuteranopia") < 20


@pytest.mark.parametrize("vision", SEEN)
def test_all_colours_differ_for_everybody(vision: str) -> None:
    """Ten units are far above what an eye tells apart side by side (about two)."""
    pairs = itertools.combinations(palette._ALL, 2)
    assert min(difference(a, b, vision) for a, b in pairs) > 10


@pytest.mark.parametrize("vision", SEEN)
def test_the_organs_of_a_chest_film_differ_more_for_everybody(vision: str) -> None:
    chosen = colours(["right_lung", "left_lung", "heart", "thorax"]).values()
    assert min(difference(a, b, vision) for a, b in itertools.combinations(chosen, 2)) > 15


def test_seven_masks_have_seven_colours_and_seven_patterns() -> None:
    names = ["heart", *"abcdef"]
    assert len(set(colours(names).values())) == 7
    assert len(set(patterns(names).values())) == 7


def test_patterns_differ_from_each_other_and_cover_little() -> None:
    drawn = {pattern: hatching(120, 90, pattern, 18) for pattern in PATTERNS}
    assert not drawn["plain"].any()
    for one, two in itertools.combinations(drawn.values(), 2):
        assert (one != two).mean() > 0.01
    assert all(0.005 < lines.mean() < 0.3 for pattern, lines in drawn.items() if pattern != "plain")
