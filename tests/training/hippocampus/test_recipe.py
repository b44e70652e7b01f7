"""Views, loss, folds, error model and floor of the hippocampus recipe, on drawn data."""

from pathlib import Path

import numpy as np
import pytest
import torch

from secondread.schema.errors import InputError
from secondread.tools.segment.hippocampus.grid import normalise
from secondread.tools.segment.hippocampus.inference import STRUCTURES
from secondread.tools.segment.hippocampus.volumes import PARTS
from secondread.training.hippocampus.augment import SIDES, prepare, view
from secondread.training.hippocampus.data import Case, data_sha256, read_index
from secondread.training.hippocampus.fit import fit, loss_of
from secondread.training.hippocampus.out_of_fold import Row
from secondread.training.hippocampus.report import atlas_dice, covered, model_of
from secondread.training.loop import Plan


def case(name: str = "hippocampus_001", fold: int = 0) -> Case:
    """A bright anterior and a dim posterior block in a grey crop, the anterior one in front (high y)."""
    labels = np.zeros((34, 48, 36), np.uint8)
    labels[12:22, 28:40, 12:22] = 1
    labels[12:22, 10:28, 12:22] = 2
    values = np.array([100, 200, 20], np.float32)[labels]
    return Case(name, fold, values + np.random.default_rng(0).normal(0, 2, values.shape).astype(np.float32), labels)


def test_a_view_moves_image_and_labels_together() -> None:
    one, rng = case(), np.random.default_rng(1)
    prepared = prepare(normalise(one.values), one.labels)
    for _ in range(12):
        image, labels = view(prepared, rng)
        assert image.shape == (1, *SIDES) and labels.shape == SIDES
        assert torch.isfinite(image).all()
        assert set(labels.unique().tolist()) == {0, 1, 2}
        means = [float(image[0][labels == k].mean()) for k in (2, 0, 1)]
        assert means == sorted(means)


def test_a_view_is_mirrored_sideways_but_front_stays_front() -> None:
    labels = np.zeros((40, 56, 40), np.uint8)
    labels[6:14, 30:44, 14:26] = 1
    labels[6:14, 12:26, 14:26] = 2
    prepared, rng = prepare(labels.astype(np.float32), labels), np.random.default_rng(0)
    sides = []
    for _ in range(30):
        found = view(prepared, rng)[1]
        front, back = (torch.nonzero(found == k).float().mean(0) for k in (1, 2))
        assert front[1] > back[1] + 10
        sides.append(float(front[0]) > 19.5)
    assert 5 <= sum(sides) <= 25


def test_loss_is_near_zero_for_the_truth_and_large_for_its_opposite() -> None:
    target = torch.randint(0, 3, (2, 8, 8, 8), generator=torch.Generator().manual_seed(0))
    logits = 30 * torch.nn.functional.one_hot(target, 3).permute(0, 4, 1, 2, 3).float()
    assert loss_of(logits, (logits, target)) < 0.01
    assert loss_of(-logits, (logits, target)) > 1


def test_training_sees_only_the_other_folds_and_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    cases = [case("hippocampus_001", 0), case("hippocampus_002", 1)]
    poisoned = Case("hippocampus_003", 0, np.full((34, 48, 36), np.nan, np.float32), cases[0].labels)
    first = fit(0, [cases[1], poisoned], tmp_path, Plan(steps=2, warmup=1))
    assert all(torch.isfinite(v).all() for v in first.values())
    before = (tmp_path / "hippocampus_fold0.ckpt").stat().st_mtime_ns
    again = fit(0, [cases[1], poisoned], tmp_path, Plan(steps=2, warmup=1))
    assert (tmp_path / "hippocampus_fold0.ckpt").stat().st_mtime_ns == before
    assert all(torch.equal(first[k], again[k]) for k in first)


def test_an_atlas_of_equal_shapes_is_perfect_and_never_looks_at_the_image() -> None:
    cases = [case(f"hippocampus_{i:03}", i % 5) for i in range(10)]
    blank = [Case(c.name, c.fold, np.zeros_like(c.values), c.labels) for c in cases]
    for scores in (atlas_dice(cases), atlas_dice(blank)):
        assert all(scores[name] == pytest.approx(np.ones(10), abs=0.08) for name in STRUCTURES)


def rows(n: int = 120, error: float = 50.0) -> list[Row]:
    rng = np.random.default_rng(3)
    made = []
    for i in range(n):
        truth = {name: 3000.0 + 10 * i for name in PARTS}
        found = {name: truth[name] + rng.normal(30, error) for name in PARTS}
        made.append(Row(f"c{i}", i % 5, dict.fromkeys(STRUCTURES, 0.9), found, truth, dict.fromkeys(PARTS, 20.0),
                        0.1 + 0.0001 * i, True, ()))  # fmt: skip
    return made


def test_the_error_model_finds_bias_and_scale_of_known_errors() -> None:
    model = model_of(rows(), "hippocampus_volume")
    assert model.bias == pytest.approx(30, abs=12)
    assert model.q90 * model.scale(20.0, 0.105) == pytest.approx(1.645 * 50, rel=0.2)


def test_intervals_of_folds_left_out_cover_nine_in_ten() -> None:
    hits, widths = covered(rows(), "hippocampus_volume")
    assert len(hits) == 120 and 0.83 <= np.mean(hits) <= 0.96
    assert np.mean(widths) == pytest.approx(2 * 1.645 * 50, rel=0.2)


def test_a_folder_without_an_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No index"):
        read_index(tmp_path)


def test_the_hash_of_the_data_follows_its_files(tmp_path: Path) -> None:
    (tmp_path / "index.csv").write_text("file,label_file\na.nii.gz,b.nii.gz\n")
    for name in ("a.nii.gz", "b.nii.gz"):
        (tmp_path / name).write_bytes(b"1")
    before = data_sha256(tmp_path)
    assert data_sha256(tmp_path) == before
    (tmp_path / "b.nii.gz").write_bytes(b"2")
    assert data_sha256(tmp_path) != before


@pytest.mark.data
def test_every_crop_of_the_set_has_one_millimetre_voxels_in_ras_order_and_one_fold(data_dir: Path) -> None:
    import gzip

    from secondread.training.hippocampus.data import load_cases

    folder = data_dir / "mr_hippocampus_msd"
    for row in read_index(folder)[:20]:
        header = np.frombuffer(gzip.decompress((folder / row["file"]).read_bytes())[280:328], "<f4").reshape(3, 4)
        assert np.array_equal(header[:, :3], np.eye(3))
    cases = load_cases(folder)
    assert len({c.name for c in cases}) == len(cases)
    assert np.bincount([c.fold for c in cases]).max() - np.bincount([c.fold for c in cases]).min() <= 1
