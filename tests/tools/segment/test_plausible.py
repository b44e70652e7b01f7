"""Masks of a chest pass, absurd ones are refused with the reason, the side of the heart is told."""

import numpy as np
import pytest
from numpy.typing import NDArray

from secondread.tools.segment.plausible import judge


def masks(offset: float = 0.08) -> dict[str, NDArray[np.bool_]]:
    y, x = (np.mgrid[:200, :200] + 0.5) / 200

    def ellipse(cx: float, cy: float, rx: float, ry: float) -> NDArray[np.bool_]:
        return np.asarray(((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 <= 1)

    heart = ellipse(0.5 + offset, 0.62, 0.14, 0.15)
    return {
        "right_lung": ellipse(0.28, 0.5, 0.14, 0.33) & ~heart,
        "left_lung": ellipse(0.72, 0.5, 0.14, 0.33) & ~heart,
        "heart": heart,
    }


def test_a_chest_is_plausible() -> None:
    assert judge(masks()) == (True, (), "image_right")


@pytest.mark.parametrize("offset", [0.0, 0.005, -0.005])
def test_a_heart_in_the_middle_takes_no_side(offset: float) -> None:
    plausible, reasons, side = judge(masks(offset))
    assert (plausible, reasons, side) == (True, (), "midline")


def test_a_heart_on_the_image_left_is_plausible_but_said() -> None:
    plausible, reasons, side = judge(masks(-0.08))
    assert plausible and side == "image_left"
    assert "mirrored" in reasons[0] and "dextrocardia" in reasons[0]


def test_mirrored_masks_give_the_mirrored_side() -> None:
    mirrored = {k: v[:, ::-1] for k, v in masks().items()}
    mirrored["right_lung"], mirrored["left_lung"] = mirrored["left_lung"], mirrored["right_lung"]
    assert judge(mirrored)[2] == "image_left"


@pytest.mark.parametrize("name", ["right_lung", "left_lung", "heart"])
def test_a_missing_structure_is_named(name: str) -> None:
    found = masks() | {name: np.zeros((200, 200), bool)}
    plausible, reasons, side = judge(found)
    assert not plausible and side == "unknown"
    assert name.replace("_", " ") in reasons[0]


def test_lungs_on_the_wrong_sides_are_refused() -> None:
    found = masks()
    found["right_lung"], found["left_lung"] = found["left_lung"], found["right_lung"]
    assert not judge(found)[0]


def test_a_heart_above_the_lungs_is_refused() -> None:
    found = masks()
    found["heart"] = np.roll(found["heart"], -90, axis=0)
    plausible, reasons, _ = judge(found)
    assert not plausible and any("below lung top" in r for r in reasons)


def test_specks_are_refused() -> None:
    tiny = {k: np.pad(v[::10, ::10], ((0, 180), (0, 180))) for k, v in masks().items()}
    plausible, reasons, _ = judge(tiny)
    assert not plausible and any("film area" in r for r in reasons)


def test_masks_of_unsure_networks_are_refused() -> None:
    assert judge(masks(), 0.2)[0]
    plausible, reasons, _ = judge(masks(), 0.4)
    assert not plausible and "unsure" in reasons[0]
