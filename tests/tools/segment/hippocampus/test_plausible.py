"""Drawn hippocampi of believable and unbelievable size and place."""

import numpy as np
import pytest

from secondread.tools.segment.hippocampus.grid import turn_of
from secondread.tools.segment.hippocampus.plausible import MAX_UNCERTAINTY, judge, measure

TURN = turn_of((36, 50, 36), np.eye(4))


def drawn(radius: float = 6.5, before: float = 18.0, above: float = -7.0) -> dict[str, np.ndarray]:
    """Two ellipsoids, the anterior `before` mm in front of the posterior one, together shaped like a bent sausage."""
    x, y, z = np.mgrid[:36, :50, :36]

    def part(at: tuple[float, float, float]) -> np.ndarray:
        return ((x - at[0]) ** 2 + ((y - at[1]) / 1.5) ** 2 + (z - at[2]) ** 2) <= radius**2

    front = part((20, 24.5 + before / 2, 18 + above / 2))
    return {
        "anterior_hippocampus": front,
        "posterior_hippocampus": part((16, 24.5 - before / 2, 18 - above / 2)) & ~front,
    }


def test_known_places_are_measured() -> None:
    found = measure(drawn(radius=5, before=20, above=-6), TURN, 1.0)
    assert found["anterior centre before posterior centre in mm"] == pytest.approx(20, abs=0.01)
    assert found["anterior centre above posterior centre in mm"] == pytest.approx(-6, abs=0.01)
    assert found["anterior volume in mm3"] == pytest.approx(4 / 3 * np.pi * 1.5 * 125, rel=0.05)


def test_millimetres_follow_the_voxel_sides() -> None:
    half = turn_of((36, 50, 36), np.diag([0.5, 0.5, 0.5, 1.0]))
    found = measure(drawn(before=20, above=-6), half, 0.125)
    assert found["anterior centre before posterior centre in mm"] == pytest.approx(10, abs=0.01)


def test_a_hippocampus_of_usual_size_and_place_is_believed() -> None:
    assert judge(drawn(), TURN, 1.0, 0.1) == (True, ())


@pytest.mark.parametrize(
    ("masks", "reason"),
    [
        (drawn(radius=3), "anterior volume"),
        (drawn(before=-18), "before posterior centre"),
        (drawn(above=9), "above posterior centre"),
    ],
)
def test_absurd_masks_are_refused_with_the_reason(masks: dict[str, np.ndarray], reason: str) -> None:
    good, reasons = judge(masks, TURN, 1.0, 0.1)
    assert not good and any(reason in r for r in reasons)


def test_a_missing_part_is_refused() -> None:
    masks = drawn() | {"posterior_hippocampus": np.zeros((36, 50, 36), bool)}
    assert judge(masks, TURN, 1.0, 0.1) == (False, ("Not found: posterior hippocampus.",))


def test_masks_at_the_border_are_refused() -> None:
    masks = {k: np.roll(m, 9, axis=0) for k, m in drawn(radius=7).items()}
    assert any("border" in r for r in judge(masks, TURN, 1.0, 0.1)[1])


def test_unsure_networks_are_not_believed() -> None:
    good, reasons = judge(drawn(), TURN, 1.0, MAX_UNCERTAINTY + 0.01)
    assert not good and "unsure" in reasons[0]
