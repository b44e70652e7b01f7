"""Folds, augmentation and loss of the chest anatomy recipe, on drawn data."""

import numpy as np
import pytest
import torch

from secondread.schema.errors import InputError
from secondread.training.anatomy.augment import draw_batch
from secondread.training.anatomy.data import FOLDS, fold_of, masked_rows
from secondread.training.anatomy.fit import Recipe, _rate, loss_of
from secondread.training.anatomy.predict import dice, extent, ratio, spread, summary

HEADER = "file,mask_file,licence_class,patient_id,split\n"


def test_a_patient_is_always_in_the_same_fold() -> None:
    assert [fold_of(p) for p in ("a", "b", "wingspan_01b090e0")] == [
        fold_of(p) for p in ("a", "b", "wingspan_01b090e0")
    ]
    counts = np.bincount([fold_of(f"patient {i}") for i in range(5000)], minlength=FOLDS)
    assert counts.min() > 850 and len(counts) == FOLDS


def test_only_permissive_rows_of_the_one_mask_convention_are_used(tmp_path) -> None:  # type: ignore[no-untyped-def]  # pytest's path
    (tmp_path / "index.csv").write_text(
        HEADER
        + "images/wingspan/a.png,masks/wingspan/a.png,permissive,a,train\n"
        + "images/wingspan/b.png,masks/wingspan/b.png,non-commercial-share-alike,b,train\n"
        + "images/wingspan/c.png,masks/wingspan/c.png,permissive,c,val\n"
        + "images/cohen_covid/d.png,masks/cohen_covid/d.png,permissive,d,train\n"
    )
    assert [r.patient for r in masked_rows(tmp_path, "train")] == ["a"]


def test_a_folder_without_an_index_is_refused(tmp_path) -> None:  # type: ignore[no-untyped-def]  # pytest's path
    with pytest.raises(InputError, match="No index"):
        masked_rows(tmp_path, "train")


def test_a_mirrored_film_exchanges_the_lung_labels() -> None:
    images = np.zeros((40, 64, 64), np.uint8)
    labels = np.zeros((40, 64, 64), np.uint8)
    images[:, 20:50, 8:24], images[:, 20:50, 40:56] = 80, 160
    labels[:, 20:50, 8:24], labels[:, 20:50, 40:56] = 1, 2
    films, targets = draw_batch(images, labels, 64, np.random.default_rng(0), strength=0.0)
    mirrored = 0
    for film, target in zip(films[:, 0].numpy(), targets.numpy(), strict=True):
        columns = np.arange(64)[None].repeat(64, 0)
        assert columns[target == 1].mean() < columns[target == 2].mean()
        mirrored += film[target == 1].mean() > film[target == 2].mean()
    assert 4 <= mirrored <= 24


def test_augmented_films_stay_in_range_and_labels_stay_labels() -> None:
    rng = np.random.default_rng(1)
    images = rng.integers(0, 255, (12, 80, 80)).astype(np.uint8)
    labels = rng.choice(np.array([0, 1, 2, 3, 255], np.uint8), (12, 80, 80))
    films, targets = draw_batch(images, labels, 64, rng)
    assert films.shape == (12, 1, 64, 64) and targets.shape == (12, 64, 64)
    assert torch.isfinite(films).all() and films.min() >= 0 and films.max() <= 1
    assert set(targets.unique().tolist()) <= {0, 1, 2, 3, 255}


def test_loss_is_near_zero_for_the_truth_and_blind_to_ignored_pixels() -> None:
    target = torch.randint(0, 4, (2, 16, 16), generator=torch.Generator().manual_seed(0))
    logits = 30 * torch.nn.functional.one_hot(target, 4).permute(0, 3, 1, 2).float()
    assert loss_of(logits, target) < 0.01
    assert loss_of(-logits, target) > 1
    hidden = target.clone()
    hidden[:, :8] = 255
    spoilt = logits.clone()
    spoilt[:, :, :8] *= -1
    assert loss_of(spoilt, hidden) < 0.02


def test_rate_rises_then_falls_to_zero() -> None:
    recipe = Recipe(steps=100, warmup=10)
    rates = [_rate(i, recipe) for i in range(100)]
    assert int(np.argmax(rates)) in (9, 10) and max(rates) == pytest.approx(recipe.learning_rate)
    assert rates[-1] < 0.02 * recipe.learning_rate


def test_measures_on_known_masks() -> None:
    masks = {n: np.zeros((10, 40), bool) for n in ("right_lung", "left_lung", "heart")}
    masks["right_lung"][:, 2:12] = masks["left_lung"][:, 20:32] = masks["heart"][:, 10:22] = True
    assert extent(masks["heart"]) == 12
    assert ratio(masks) == pytest.approx(12 / 30)
    assert dice(masks["heart"], masks["heart"]) == 1.0
    assert dice(masks["heart"], ~masks["heart"]) == 0.0
    assert np.isnan(ratio(masks | {"heart": np.zeros((10, 40), bool)}))


def test_spread_is_taken_within_and_between_networks() -> None:
    within, between = spread([(0, 0.4), (0, 0.6), (1, 0.7), (1, 0.9)])
    assert within == pytest.approx(np.std([0.4, 0.6], ddof=1))
    assert between == pytest.approx(np.std([0.5, 0.8], ddof=1))
    assert np.isnan(spread([(0, 0.4), (0, 0.6)])[1])


def test_summary_holds_mean_and_interval() -> None:
    rows = [
        {"dice_right": 0.9, "dice_left": 0.9, "dice_heart": d, "ctr_pred": 0.5, "ctr_true": 0.48} for d in (0.8, 1.0)
    ]
    lines = summary(rows)
    assert lines[0] == "n = 2 films"
    assert lines[3].startswith("dice_heart: 0.9000 (95 % 0.8000 to 1.0000)")
    assert "0.0200" in lines[4]
