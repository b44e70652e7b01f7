"""Segmentation of photographs: grid of the answer, size of the picture, refusals, and one eye with shipped weights."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from secondread.schema.errors import NotApplicable, ToolUnavailable
from secondread.tools.segment.vessels.inference import segment
from secondread.tools.segment.vessels.network import VesselNet
from secondread.tools.segment.vessels.weights import load_networks

Draw = Callable[..., np.ndarray]


@pytest.fixture(scope="module")
def nets() -> dict[int, VesselNet]:
    return load_networks()


def test_drawn_vessels_are_found_and_nothing_outside_the_field(draw_fundus: Draw, nets: dict[int, VesselNet]) -> None:
    picture = draw_fundus(960, 960, 918)
    found = segment(picture, nets, [0])
    assert found.mask.shape == picture.shape[:2] and found.scale == 1.0
    assert not (found.mask & ~found.field.mask).any()
    drawn = picture[..., 1] < 50
    assert (found.mask & drawn & found.field.mask).sum() > 0.6 * (drawn & found.field.mask).sum()


def test_a_smaller_picture_gives_the_same_calibre_in_its_own_pixels(
    draw_fundus: Draw, nets: dict[int, VesselNet]
) -> None:
    from PIL import Image

    picture = draw_fundus(960, 960, 918)
    small = np.asarray(Image.fromarray(picture).resize((640, 640), Image.Resampling.BOX))
    whole, found = segment(picture, nets, [0]), segment(small, nets, [0])
    assert found.mask.shape == (640, 640)
    assert found.scale == pytest.approx(640 / 960, rel=0.02)
    assert whole.shape is not None and found.shape is not None
    assert found.shape.calibre == pytest.approx(whole.shape.calibre, rel=0.15)


def test_brightness_changes_little(draw_fundus: Draw, nets: dict[int, VesselNet]) -> None:
    picture = draw_fundus(960, 960, 918)
    a, b = segment(picture, nets, [0]), segment(picture.astype(np.float32) / 400, nets, [0])
    assert (a.mask != b.mask).mean() < 0.002


def test_a_network_that_is_not_loaded_is_refused(draw_fundus: Draw, nets: dict[int, VesselNet]) -> None:
    with pytest.raises(ToolUnavailable, match=r"\[9\]"):
        segment(draw_fundus(), nets, [9])


def test_a_grey_film_is_refused(nets: dict[int, VesselNet]) -> None:
    with pytest.raises(NotApplicable):
        segment(np.random.default_rng(0).random((300, 300)), nets)


@pytest.mark.data
def test_an_eye_of_the_set_is_read_by_the_network_that_has_not_seen_it(
    data_dir: Path, nets: dict[int, VesselNet]
) -> None:
    from PIL import Image

    from secondread.evals.metrics import dice
    from secondread.training.folds import deal
    from secondread.training.vessels.data import read_index

    folder = data_dir / "retina_chase_db1"
    rows = read_index(folder)
    fold = deal([r["child"] for r in rows], ["eye"] * len(rows))[0]
    with Image.open(folder / rows[0]["file"]) as picture, Image.open(folder / rows[0]["label_file"]) as drawn:
        found = segment(np.asarray(picture.convert("RGB")), nets, [fold])
        truth = np.asarray(drawn.convert("L")) > 127
    assert found.plausible, found.reasons
    assert dice(found.mask, truth) > 0.74
