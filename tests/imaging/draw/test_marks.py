"""Letters of the edges follow the geometry; bars are as long as they say, also with long pixels."""

import numpy as np
import pytest

from secondread.imaging.draw.canvas import fit, scaled, thumbnail
from secondread.imaging.draw.marks import edge_letters
from secondread.imaging.draw.render import overlay
from secondread.schema.image import Spacing
from secondread.schema.study import PlaneGeometry

O = (0.0, 0.0, 0.0)  # noqa: E741 - the origin


@pytest.mark.parametrize(
    ("per_column", "per_row", "expected"),
    [
        ((-1.0, 0.0, 0.0), (0.0, -1.0, 0.0), "R L A P"),  # axial as displayed: to the patient's left, to the back
        ((-1.0, 0.0, 0.0), (0.0, 0.0, -1.0), "R L H F"),
        ((0.0, -1.0, 0.0), (0.0, 0.0, -1.0), "A P H F"),
        ((1.0, 0.0, 0.0), (0.0, -1.0, 0.0), "L R A P"),  # mirrored
        ((-0.8, -0.6, 0.0), (0.6, -0.8, 0.0), "RA LP AL PR"),
        ((-0.99, -0.1, 0.0), (0.0, 0.0, 2.0), "R L F H"),
    ],
)
def test_edges_are_named_after_the_patient(
    per_column: tuple[float, float, float], per_row: tuple[float, float, float], expected: str
) -> None:
    found = edge_letters(PlaneGeometry(origin=O, per_column=per_column, per_row=per_row))
    assert " ".join(found[edge] for edge in ("left", "right", "top", "bottom")) == expected


def spacing(row: float, column: float, kind: str = "calibrated") -> Spacing:
    return Spacing(row_mm=row, column_mm=column, kind=kind, source="stated")  # type: ignore[arg-type]  # a literal


def test_long_pixels_are_drawn_long() -> None:
    shown = fit(50, 200, spacing(3.0, 0.75), (800, 800))
    assert (shown.width, shown.height) == (800, 800)
    assert shown.scale_y == pytest.approx(4 * shown.scale_x)
    assert thumbnail(np.zeros((50, 200), np.float32), 100, spacing=spacing(3.0, 0.75)).size == (100, 100)
    assert thumbnail(np.zeros((50, 200), np.float32), 100).size == (100, 25)


def test_a_mask_lies_on_its_structure_when_pixels_are_long() -> None:
    grey = np.zeros((50, 200), np.float32)
    mask = np.zeros((50, 200), bool)
    mask[10:20, 40:80] = True
    picture = np.asarray(overlay(grey, masks={"heart": mask}, sides="none", spacing=spacing(3.0, 0.75)))
    ys, xs = np.nonzero((picture[:900] == (213, 94, 0)).all(-1))
    assert (xs.min() / 4.5, xs.max() / 4.5) == pytest.approx((40, 80), abs=1.5)
    assert (ys.min() / 18, ys.max() / 18) == pytest.approx((10, 20), abs=0.7)


@pytest.mark.parametrize("mm", [0.001, 0.05, 0.2, 1.0, 8.0])
def test_the_bar_is_as_long_as_it_says(mm: float) -> None:
    grey = np.zeros((300, 300), np.float32)
    plain, barred = (np.asarray(overlay(grey, sides="none", spacing=s))[:900] for s in (None, spacing(mm, mm)))
    ys, _ = np.nonzero((barred != plain).any(-1))
    long = int((barred[ys.max() - 2] == 255).all(-1).sum())
    length = long / 3 * mm
    mantissa = length / 10 ** np.floor(np.log10(length))
    assert min(abs(mantissa - round_one) for round_one in (1, 2, 5, 10)) < 0.15
    assert long <= 302


def test_magnified_spacing_is_marked() -> None:
    grey = np.zeros((300, 300), np.float32)
    known, magnified = (
        np.asarray(overlay(grey, sides="none", spacing=spacing(1, 1, kind)))
        for kind in ("calibrated", "detector_plane")
    )
    assert ((magnified != 0).sum() - (known != 0).sum()) > 500


def test_a_geometry_puts_letters_at_the_edges_and_none_keeps_them_off() -> None:
    grey = np.zeros((300, 300), np.float32)
    geometry = PlaneGeometry(origin=O, per_column=(-1.0, 0.0, 0.0), per_row=(0.0, -1.0, 0.0))
    picture = np.asarray(overlay(grey, geometry=geometry))
    for part in (picture[430:470, :40], picture[430:470, 860:900], picture[:40, 430:470], picture[860:900, 430:470]):
        assert part.max() == 255
    assert np.asarray(overlay(grey, geometry=geometry, sides="none"))[:900].max() == 0


def test_few_pixels_are_drawn_as_blocks_and_what_is_not_finite_is_black() -> None:
    grey = np.array([[0.0, 1.0], [np.nan, 0.5]], np.float32)
    picture = np.asarray(scaled(grey, 64, 64))
    assert sorted(np.unique(picture)) == [0, 128, 255]
