"""Folds keep groups together, spread kinds, and do not depend on the order of the rows."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from secondread.training.folds import FOLDS, deal


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 3)), min_size=1, max_size=80))
def test_a_group_is_never_split(rows: list[tuple[int, int]]) -> None:
    groups, kinds = [str(g) for g, _ in rows], [str(k) for _, k in rows]
    folds = deal(groups, kinds)
    assert all(0 <= f < FOLDS for f in folds)
    for group in set(groups):
        assert len({f for f, g in zip(folds, groups, strict=True) if g == group}) == 1


def test_kinds_are_spread_evenly() -> None:
    groups = [f"image {i}" for i in range(103)]
    kinds = ["stained" if i % 4 == 0 else "bright" for i in range(103)]
    folds = np.array(deal(groups, kinds))
    for kind in ("stained", "bright"):
        counts = np.bincount(folds[np.array(kinds) == kind], minlength=FOLDS)
        assert counts.max() - counts.min() <= 1


def test_the_order_of_the_rows_does_not_matter() -> None:
    groups = [f"image {i}" for i in range(40)]
    forward = dict(zip(groups, deal(groups, ["a"] * 40), strict=True))
    backward = dict(zip(groups[::-1], deal(groups[::-1], ["a"] * 40), strict=True))
    assert forward == backward
    assert list(forward.values()) != [i % FOLDS for i in range(40)]
