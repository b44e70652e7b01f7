"""The whole way from film to masks, with a network of known answer and with the shipped ones."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from secondread.schema.errors import NotApplicable, ToolUnavailable
from secondread.tools.segment.inference import LOOKS, Look, segment, segment_batch

SHAPES = [(512, 512), (400, 620), (700, 300)]


def overlap(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    return 2 * float((a & b).sum()) / float(a.sum() + b.sum())


def fitting(shape: tuple[int, int], side: int) -> tuple[int, int]:
    shrink = min(1, side / max(shape))
    return round(shape[0] * shrink), round(shape[1] * shrink)


class Halves(torch.nn.Module):
    """Dark pixels are lung, by half of the image; bright ones are heart. Exactly symmetric."""

    def forward(self, film: torch.Tensor) -> torch.Tensor:
        dark, bright = (film < 0.2).float(), (film > 0.8).float()
        first = (torch.arange(film.shape[-1]) < film.shape[-1] // 2).float()
        maps = [1 - dark - bright, dark * first, dark * (1 - first), bright]
        return 20 * torch.cat([m.expand_as(film) for m in maps], 1)


def blocks() -> NDArray[np.float32]:
    film = np.full((256, 256), 0.5, np.float32)
    film[40:200, 30:110] = 0.0
    film[50:190, 150:220] = 0.0
    film[120:200, 100:160] = 1.0
    return film


def test_a_mirrored_film_exchanges_right_and_left_exactly() -> None:
    plain: tuple[Look, ...] = (Look("plain"),)
    networks: Any = {0: Halves()}
    there = segment(blocks(), networks, looks=plain)
    back = segment(np.ascontiguousarray(blocks()[:, ::-1]), networks, looks=plain)
    assert there.masks["right_lung"].sum() > 5000
    assert np.array_equal(there.masks["right_lung"], back.masks["left_lung"][:, ::-1])
    assert np.array_equal(there.masks["left_lung"], back.masks["right_lung"][:, ::-1])
    assert np.array_equal(there.masks["heart"], back.masks["heart"][:, ::-1])


def test_looks_are_turned_back_to_where_they_came_from() -> None:
    found = segment(blocks(), {0: Halves()})  # type: ignore[dict-item]  # a stand-in network
    heart = found.masks["heart"]
    assert [s.look for s in found.samples] == [look.name for look in LOOKS]
    for sample in found.samples:
        assert sample.classes.shape == heart.shape == (256, 256)
        assert overlap(sample.masks["heart"], heart) > 0.97


@pytest.mark.parametrize("shape", SHAPES)
def test_drawn_chest_is_found_on_its_own_grid(shape: tuple[int, int], networks: Any, chest: Any) -> None:
    film, truth = chest(*shape)
    found = segment(film, networks)
    for name, mask in truth.items():
        assert found.masks[name].shape == shape and found.masks[name].dtype == bool
        assert overlap(found.masks[name], mask) > 0.85, name
    assert found.plausible and found.heart_side == "image_right"
    assert max(found.uncertainty.shape) == 256 and 0 <= found.uncertainty.min() <= found.uncertainty.max() <= 1
    assert len(found.samples) == len(networks) * len(LOOKS)
    assert {s.classes.shape for s in found.samples} == {found.uncertainty.shape} == {fitting(shape, 256)}


def test_a_mirrored_chest_says_so_and_names_sides_by_the_image(networks: Any, chest: Any) -> None:
    film, truth = chest()
    found = segment(np.ascontiguousarray(film[:, ::-1]), networks)
    assert found.heart_side == "image_left"
    assert any("mirrored" in reason for reason in found.reasons)
    assert overlap(found.masks["left_lung"], truth["right_lung"][:, ::-1]) > 0.85


def test_a_batch_equals_its_films_one_by_one(networks: Any, chest: Any) -> None:
    films = [chest(*shape)[0] for shape in SHAPES]
    together = segment_batch(films, networks, members=[0])
    for film, batched in zip(films, together, strict=True):
        alone = segment(film, networks, members=[0])
        for name, mask in alone.masks.items():
            assert np.array_equal(mask, batched.masks[name])
        assert np.array_equal(alone.uncertainty, batched.uncertainty)


def test_exposure_and_size_hardly_change_the_masks(networks: Any, chest: Any) -> None:
    film, _ = chest()
    usual = segment(film, networks)
    dim = segment((film * 0.2 + 0.3).astype(np.float32), networks)
    large = segment(np.kron(film, np.ones((3, 3), np.float32)), networks)
    for name, mask in usual.masks.items():
        assert overlap(mask, dim.masks[name]) > 0.98
        assert overlap(mask, large.masks[name][1::3, 1::3]) > 0.97
        sample = large.samples[0].masks[name]
        assert overlap(sample, usual.samples[0].masks[name]) > 0.97
        assert overlap(sample, mask[:: len(mask) // 256, :: len(mask) // 256]) > 0.85


@pytest.mark.parametrize("make", ["black", "noise", "ramp"])
def test_what_is_no_chest_is_not_plausible(make: str, networks: Any, chest: Any) -> None:
    film = {
        "black": np.zeros((256, 256)),
        "noise": np.random.default_rng(0).random((256, 256)),
        "ramp": np.linspace(0, 1, 256)[None].repeat(256, 0),
    }[make].astype(np.float32)
    found = segment(film, networks)
    assert not found.plausible and found.reasons


@pytest.mark.parametrize("shape", [(1, 1), (20, 500), (300, 1300), (3, 64, 64)])
def test_images_that_cannot_be_a_chest_film_are_refused(shape: tuple[int, ...], networks: Any, chest: Any) -> None:
    with pytest.raises(NotApplicable):
        segment(np.zeros(shape, np.float32), networks)


def test_a_network_that_is_not_loaded_is_refused(networks: Any, chest: Any) -> None:
    with pytest.raises(ToolUnavailable):
        segment(chest()[0], networks, members=[9])
    with pytest.raises(ToolUnavailable):
        segment(chest()[0], {})


@pytest.mark.data
@pytest.mark.slow
def test_films_of_its_own_fold_are_outlined_by_the_network_that_has_not_seen_them(networks: Any, chest: Any) -> None:
    from secondread.training.anatomy.data import fold_of, masked_rows, read_grey, read_labels

    folder = Path(os.environ.get("SECONDREAD_DATA", "absent")) / "cxr"
    if not folder.is_dir():
        pytest.skip("SECONDREAD_DATA is not set to the research data")
    scores = []
    for row in masked_rows(folder, "train")[:10]:
        found = segment(read_grey(folder / row.file), networks, [fold_of(row.patient)])
        label = read_labels(folder / row.mask_file)
        scores.append(
            [overlap(found.masks[n], label == k) for k, n in enumerate(("right_lung", "left_lung", "heart"), 1)]
        )
    right, left, heart = np.mean(scores, 0)
    assert right > 0.95 and left > 0.93 and heart > 0.89
