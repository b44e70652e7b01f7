"""One piece per structure, no holes, probabilities stay probabilities."""

import numpy as np
from numpy.typing import NDArray

from secondread.tools.segment.postprocess import clean, holes, largest_piece, masks_of, winner


def drawn() -> NDArray[np.float32]:
    """Right lung 20 x 10 with a hole and a stray piece; heart in a left lung's hole."""
    labels = np.zeros((40, 40), int)
    labels[5:25, 3:13] = 1
    labels[10:12, 6:8] = 0
    labels[35:37, 35:37] = 1
    labels[5:25, 20:35] = 2
    labels[12:16, 24:28] = 3
    return (np.eye(4)[labels].transpose(2, 0, 1) * 0.9 + 0.025).astype(np.float32)


def test_stray_pieces_go_and_holes_close() -> None:
    given = drawn()
    found, classes = clean(given)
    assert np.array_equal(given, drawn())
    assert np.array_equal(classes, found.argmax(0))
    masks = masks_of(classes)
    assert masks["right_lung"].sum() == 200
    assert not masks["right_lung"][35:, 35:].any()
    assert masks["heart"].sum() == 16
    assert masks["left_lung"].sum() == 20 * 15 - 16
    assert np.allclose(found.sum(0), 1, atol=1e-5)


def test_masks_never_overlap() -> None:
    noise = np.random.default_rng(3).dirichlet([0.4] * 4, (30, 30)).transpose(2, 0, 1).astype(np.float32)
    found, classes = clean(noise)
    assert np.array_equal(classes, found.argmax(0))
    masks = masks_of(classes)
    assert sum(m.astype(int) for m in masks.values()).max() <= 1  # type: ignore[union-attr]  # the sum is an array
    for mask in masks.values():
        assert (largest_piece(mask) == mask).all()


def test_empty_masks_are_left_alone() -> None:
    empty = np.zeros((5, 5), bool)
    assert not largest_piece(empty).any()
    assert holes(empty) is None
    assert holes(~empty) is None
    found, classes = clean(np.eye(4, dtype=np.float32)[np.zeros((5, 5), int)].transpose(2, 0, 1).copy())
    assert not classes.any() and (found[0] == 1).all()


def test_what_is_clean_already_is_not_copied() -> None:
    once, _ = clean(drawn())
    again, _ = clean(once)
    assert again is once


def test_winner_is_argmax_with_ties_to_the_lower_class() -> None:
    noise = np.random.default_rng(4).integers(0, 3, (4, 20, 20)).astype(np.float32)
    assert np.array_equal(winner(noise), noise.argmax(0))
