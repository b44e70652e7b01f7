import numpy as np
import pytest

from secondread.schema.evidence import CalibrationRecord
from secondread.tools.classify.router_features import SIDE
from secondread.tools.classify.router_model import KINDS
from secondread.training.router.augment import OUTSIDE_KINDS, outside, view
from secondread.training.router.data import KEPT, Item, Pictures
from secondread.training.router.figures import TOGETHER, accepted, decisive
from secondread.training.router.fit import fit, fold_of_pictures, quantiles, views


def record(kind):
    return CalibrationRecord(
        name=kind,
        method="by hand",
        data="none",
        data_sha256="0",
        date="2026-01-01",
        n=1,
        parameters={"least_probability": 0.6, "least_typical": 0.1, "pixels_decide": kind != "ct_slice"},
    )


RECORDS = [record(kind) for kind in KINDS]


def test_only_the_likeliest_kind_is_accepted_and_only_above_both_thresholds():
    probabilities = np.zeros((4, len(KINDS) + 1), np.float32)
    probabilities[0, 1], probabilities[1, 1], probabilities[2, 2], probabilities[3, -1] = 0.7, 0.5, 0.9, 1.0
    typical = np.full((4, len(KINDS)), 0.5, np.float32)
    typical[2, 2] = 0.05
    assert accepted(RECORDS, probabilities, typical).tolist() == [1, -1, -1, -1]


def test_a_kind_that_pixels_do_not_decide_reaches_no_expert():
    ct = KINDS.index("ct_slice")
    assert decisive(RECORDS, np.array([0, ct, -1])).tolist() == [True, False, False]


def test_quantiles_of_a_kind_are_those_of_its_own_distances_alone():
    far = np.zeros((5, len(KINDS)), np.float32)
    far[:, 0] = [0, 1, 2, 3, 90]
    found = quantiles(far, np.array([0, 0, 0, 0, 1]))
    assert (found[0, 0], found[0, 100], found[0, -1]) == (0, 1.5, 3)


def test_every_kind_of_the_unknown_is_left_out_once():
    assert sorted(k for kinds in TOGETHER for k in kinds) == sorted(OUTSIDE_KINDS)


@pytest.mark.parametrize("kind", OUTSIDE_KINDS)
def test_a_picture_of_the_unknown_has_the_size_the_router_sees_and_follows_from_its_seed(kind):
    known = np.random.default_rng(1).integers(0, 256, (3, SIDE, SIDE, 3), dtype=np.uint8)
    one, again = (outside(kind, known, np.random.default_rng(9)) for _ in range(2))
    assert (one.shape, one.dtype) == ((SIDE, SIDE, 3), np.uint8)
    assert np.array_equal(one, again)


@pytest.mark.parametrize("kind", KINDS)
def test_training_views_of_grey_kinds_stay_grey_but_for_tinted_fluorescence(kind):
    square = np.repeat(np.random.default_rng(2).integers(0, 256, (KEPT, KEPT, 1), dtype=np.uint8), 3, axis=2)
    rng = np.random.default_rng(0)
    spread = [np.ptp(view(square, kind, rng).astype(int), axis=-1).mean() for _ in range(12)]
    if kind in ("fundus_photograph", "blood_smear_image", "stained_micrograph", "fluorescence_micrograph"):
        assert max(spread) > 2
    else:
        assert max(spread) < 1


@pytest.fixture(scope="module")
def small():
    """Ten pictures of each kind: a flat tone of its own with grain, two to a group."""
    rng = np.random.default_rng(4)
    items, kept = [], []
    for k, kind in enumerate(KINDS):
        for n in range(10):
            items.append(Item(kind, f"source{k}", f"{kind}/{n // 2}"))
            base = np.kron(rng.integers(0, 60, (6, 6)), np.ones((16, 16))) + np.linspace(0, 20 * k, KEPT)
            kept.append(np.repeat(np.clip(base, 0, 255).astype(np.uint8)[..., None], 3, axis=2))
    stack = np.stack(kept)
    return Pictures(tuple(items), stack, stack[:, 16 : 16 + SIDE, 16 : 16 + SIDE])


def test_pictures_of_one_group_share_a_fold_and_unseen_ones_are_in_none(small):
    folds = fold_of_pictures(Pictures((*small.items, Item("photograph", "p", "p", "unseen")), small.kept, small.seen))
    assert folds[-1] == -1
    groups = {}
    for item, fold in zip(small.items, folds[:-1], strict=True):
        assert groups.setdefault(item.group, fold) == fold
    assert set(folds[:-1]) == {0, 1, 2, 3, 4}


@pytest.mark.slow
def test_a_model_fitted_on_views_tells_tones_apart_and_gives_rows_that_sum_to_one(small, tmp_path, monkeypatch):
    monkeypatch.setattr("secondread.training.router.fit.PER_KIND", 60)
    monkeypatch.setattr("secondread.training.router.fit.PER_OUTSIDE", 6)
    seen = views(small, tmp_path / "views.npz")
    model = fit(seen, np.ones(len(seen.moved), np.bool_))
    probabilities = model.probabilities(seen.plain)
    assert probabilities.sum(1) == pytest.approx(np.ones(len(small.items)), abs=1e-5)
    assert np.isfinite(model.far(seen.plain)).all()
    again = views(small, tmp_path / "views.npz")
    assert np.array_equal(again.moved, seen.moved)
