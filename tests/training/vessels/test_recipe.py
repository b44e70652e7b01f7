"""Pieces, loss, folds and figures of the vessel recipe, on drawn data."""

from pathlib import Path

import numpy as np
import pytest
import torch

from secondread.schema.errors import InputError
from secondread.tools.segment.vessels.appearance import Frame
from secondread.tools.segment.vessels.values import UNITS
from secondread.training.loop import Plan
from secondread.training.vessels.augment import SIDE, piece, prepare
from secondread.training.vessels.data import Eye, read_index
from secondread.training.vessels.fit import fit, loss_of
from secondread.training.vessels.out_of_fold import Row
from secondread.training.vessels.report import covered, figures, measure_figures, model_of


def eye(child: str = "01", fold: int = 0) -> Eye:
    """Dark bars on an even ground in a round field."""
    y, x = np.mgrid[:300, :300] - 149.5
    inside = np.hypot(x, y) < 140
    truth = (np.abs(x % 40 - 20) < 4) & inside
    green = np.where(inside, np.where(truth, -2.0, 0.3), 0).astype(np.float32)
    return Eye(f"Image_{child}L", child, fold, np.zeros((300, 300, 3), np.uint8), truth, truth, green, inside, truth,
               Frame(0, 0, 300, 300, 1.0, (300, 300)))  # fmt: skip


def test_a_piece_moves_image_vessels_and_field_together() -> None:
    prepared, rng = prepare(eye()), np.random.default_rng(0)
    for _ in range(10):
        image, vessels, inside = piece(prepared, rng)
        assert image.shape == (SIDE, SIDE) and torch.isfinite(image).all()
        assert set(vessels.unique().tolist()) <= {0.0, 1.0}
        assert not image[inside == 0].any()
        ground = (vessels == 0) & (inside == 1)
        assert image[vessels == 1].mean() < image[ground].mean() - 0.5


def test_loss_does_not_see_what_lies_outside_the_field() -> None:
    rng = torch.Generator().manual_seed(0)
    truth = (torch.rand((2, 1, 16, 16), generator=rng) > 0.8).float()
    inside = torch.ones_like(truth)
    inside[..., :8] = 0
    logits = 30 * (2 * truth - 1)
    spoilt = logits.clone()
    spoilt[..., :8] *= -1
    batch = (logits, torch.cat([truth * inside, inside], 1))
    assert loss_of(logits, batch) < 0.01
    assert loss_of(spoilt, batch) == loss_of(logits, batch)
    assert loss_of(-logits, batch) > 1


def test_training_sees_only_the_other_folds(tmp_path: Path) -> None:
    mine = eye("02", 0)
    poisoned = Eye(**{**mine.__dict__, "green": np.full((300, 300), np.nan, np.float32)})
    found = fit(0, [eye("01", 1), poisoned], tmp_path, Plan(steps=1, warmup=1))
    assert all(torch.isfinite(v).all() for v in found.values())


def rows() -> list[Row]:
    rng = np.random.default_rng(0)
    made = []
    for i in range(20):
        first = {name: 1.0 + 0.02 * (i // 2) for name in UNITS}
        found = {name: v + 0.1 + rng.normal(0, 0.05) for name, v in first.items()}
        made.append(Row(f"i{i}", f"c{i // 2}", i // 4, 0.8, 0.77, 0.78, 0.8, 0.8, found, first, first, 0.3, True, ()))
    return made


def test_the_error_model_finds_bias_and_scale_of_known_errors() -> None:
    model = model_of(rows(), "retinal_vessel_calibre")
    assert model.bias == pytest.approx(0.1, abs=0.04)
    assert model.q90 * model.scale(0.0) == pytest.approx(1.645 * 0.05, rel=0.5)
    assert model.uncertainty_range == (0.3, 0.3)


def test_scale_of_the_error_follows_the_unit_of_the_measure() -> None:
    small = [
        Row(**{**r.__dict__, "found": {k: v / 100 for k, v in r.found.items()},
               "first": {k: v / 100 for k, v in r.first.items()}}) for r in rows()
    ]  # fmt: skip
    one, other = model_of(rows(), "retinal_vessel_calibre"), model_of(small, "retinal_vessel_calibre")
    assert other.bias == pytest.approx(one.bias / 100, rel=0.01)
    assert other.q90 * other.scale(0.0) == pytest.approx(one.q90 * one.scale(0.0) / 100, rel=0.01)


def test_figures_hold_value_interval_and_number() -> None:
    found = figures(rows())["Dice against the first observer"]
    assert found == {"value": 0.8, "low": 0.8, "high": 0.8, "n": 20}
    error = measure_figures(rows(), "retinal_vessel_density")["mean error"]
    assert error["low"] < 0.1 < error["high"]
    assert sum(covered(rows(), "retinal_vessel_density")) >= 15


def test_a_folder_without_an_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No index"):
        read_index(tmp_path)


@pytest.mark.data
def test_both_eyes_of_a_child_are_in_one_fold(data_dir: Path) -> None:
    from secondread.training.folds import FOLDS, deal

    children = [r["child"] for r in read_index(data_dir / "retina_chase_db1")]
    folds = deal(children, ["eye"] * len(children))
    assert len({(c, f) for c, f in zip(children, folds, strict=True)}) == len(set(children))
    assert set(folds) == set(range(FOLDS))
