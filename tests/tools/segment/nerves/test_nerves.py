"""Nerves and vessels: input, masks, pieces, areas, units, refusals, and real images by the shipped networks."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from secondread.schema.errors import InputError, NotApplicable, ToolUnavailable
from secondread.tools.segment.nerves.inference import (
    _area,
    calibrated,
    chroma,
    list_pieces,
    load_networks,
    masks_of,
    segment,
)
from secondread.tools.segment.nerves.scan import LONG_SIDE, as_grey, to_input

MODEL = {
    "scores": {"nerve": [1.0, 0.0], "vessel": [2.0, 0.0]},
    "log_error": {"nerve": math.log(2), "vessel": math.log(1.5)},
    "level": 0.9,
}


def maps() -> NDArray[np.float32]:
    """A nerve of 20 x 30 pixels with a hole, a round vessel, and a crumb; probabilities of ground, nerve, vessel."""
    nerve, vessel = np.zeros((200, 240), bool), np.zeros((200, 240), bool)
    nerve[40:60, 50:80] = True
    nerve[48:50, 60:63] = False
    nerve[150:152, 10:13] = True
    y, x = np.mgrid[:200, :240]
    vessel[np.hypot(y - 120, x - 150) <= 25] = True
    stack = np.stack([~(nerve | vessel), nerve, vessel]).astype(np.float32) * 0.7 + 0.1
    return stack


def scan(rows: int = 200, columns: int = 240) -> NDArray[np.float32]:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:rows, :columns]
    image = 60 + 30 * np.sin(y / 5) + rng.normal(0, 12, (rows, columns))
    image[np.hypot(y - 0.6 * rows, x - 0.6 * columns) <= 0.12 * rows] = 8
    return np.clip(image, 0, 255).astype(np.float32)


@pytest.fixture(scope="module")
def networks() -> Any:
    try:
        return load_networks()
    except ToolUnavailable as error:
        pytest.skip(str(error))


def test_holes_are_filled_and_crumbs_dropped() -> None:
    masks = masks_of(maps())
    assert masks["nerve"].sum() == 20 * 30
    assert masks["nerve"][48:50, 60:63].all() and not masks["nerve"][150:152].any()
    assert not (masks["nerve"] & masks["vessel"]).any()


def test_a_vessel_inside_a_nerve_stays_a_vessel() -> None:
    stack = maps()
    stack[:, 46:54, 58:66] = np.array([0.1, 0.1, 0.8], np.float32)[:, None, None]
    masks = masks_of(stack)
    assert masks["vessel"][46:54, 58:66].all() and not masks["nerve"][46:54, 58:66].any()


def test_pieces_know_their_place_size_and_probability() -> None:
    stack = maps()
    masks = masks_of(stack)
    (vessel,) = list_pieces(masks["vessel"], stack, "vessel", MODEL)
    assert (round(vessel.x), round(vessel.y)) == (150, 120)
    assert vessel.area_px == masks["vessel"].sum()
    assert vessel.box == (124.5, 94.5, 175.5, 145.5)
    assert vessel.probability == pytest.approx(1 / (1 + math.exp(-2 * math.log(0.8 / 0.2))), abs=1e-3)
    (raw,) = list_pieces(masks["vessel"], stack, "vessel", None)
    assert raw.probability == pytest.approx(0.8, abs=1e-3)
    assert calibrated(0.5, "nerve", MODEL) == pytest.approx(0.5)


def test_square_millimetres_need_a_spacing() -> None:
    mask = masks_of(maps())["nerve"]
    without, given = _area("nerve", mask, None, MODEL), _area("nerve", mask, (0.1, 0.2), MODEL)
    assert without.mm2 is None and given.mm2 == pytest.approx(600 * 0.02)
    assert (without.low_px, without.high_px) == (pytest.approx(300), pytest.approx(1200))
    assert without.share == 600 / mask.size
    nothing = _area("nerve", np.zeros_like(mask), None, MODEL)
    assert (nothing.pixels, nothing.low_px, nothing.high_px) == (0, None, None)


def test_input_has_its_long_side_and_ignores_gain() -> None:
    shown = to_input(scan(400, 480))
    assert max(shown.shape) == LONG_SIDE and 0 <= shown.min() <= shown.max() <= 1
    assert np.allclose(shown, to_input(scan(400, 480) * 3 + 5), atol=0.01)
    assert not to_input(np.full((80, 80), 3.0, np.float32)).any()


def test_colour_is_measured_and_taken_away() -> None:
    grey = scan()
    assert chroma(grey) == 0 == chroma(np.repeat(grey[..., None], 3, 2))
    coloured = np.stack([grey, grey * 0.5, grey * 0.2], 2)
    assert chroma(coloured) > 0.1
    assert as_grey(coloured).shape == grey.shape


@pytest.mark.parametrize("shape", [(40, 200), (100, 500), (100,), (100, 100, 2)])
def test_what_cannot_be_a_scan_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(NotApplicable):
        as_grey(np.zeros(shape))


@pytest.mark.parametrize("spacing", [(0.0, 0.1), (-1.0, 1.0), (float("nan"), 0.1)])
def test_an_impossible_spacing_is_refused(spacing: tuple[float, float]) -> None:
    with pytest.raises(InputError, match="spacing"):
        segment(scan(), [], spacing_mm=spacing)


def test_millimetres_follow_the_spacing_and_nothing_else(networks: Any) -> None:
    plain, fine = segment(scan(), networks), segment(scan(), networks, spacing_mm=(0.1, 0.1))
    for a, b in zip(plain.areas, fine.areas, strict=True):
        assert a.mm2 is None and b.mm2 == pytest.approx(0.01 * a.pixels)


def test_foreign_images_are_not_believed(networks: Any) -> None:
    rng = np.random.default_rng(1)
    for image in (np.zeros((200, 200)), rng.random((200, 200)), np.linspace(0, 1, 200)[None].repeat(200, 0)):
        found = segment(image.astype(np.float32), networks)
        assert not found.plausible and found.reasons


def test_a_network_that_is_not_loaded_is_refused(networks: Any) -> None:
    with pytest.raises(ToolUnavailable):
        segment(scan(), networks, members=[9])


@pytest.mark.data
def test_the_network_that_has_not_seen_an_image_finds_its_vessels(networks: Any, data_dir: Path) -> None:
    from secondread.evals.metrics import dice
    from secondread.training.nerves.data import load_scans

    scans = load_scans(data_dir / "ultrasound_usgra")[:8]
    scores = []
    for one in scans:
        if (one.labels == 2).any():
            found = segment(one.grey, networks, [one.fold])
            scores.append(dice(found.masks["vessel"], one.labels == 2))
    assert np.mean(scores) > 0.6
