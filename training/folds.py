"""Which fold a row belongs to, when groups must stay together and kinds should be spread evenly."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence

FOLDS = 5


def deal(groups: Sequence[str], kinds: Sequence[str], folds: int = FOLDS) -> list[int]:
    """Deal groups out to folds like cards, one kind after the other.

    Args:
        groups: One per row; rows of one group land in one fold.
        kinds: One per row; a group counts as the kind of its first row.
        folds: How many.

    Returns:
        Fold 0..folds - 1 of each row. Within a kind the order is that of the SHA-256 of the group, and each group goes
        to the fold with the fewest rows of that kind (then the fewest rows), so a hash decides and not the file order.
    """
    rows: dict[str, int] = defaultdict(int)
    kind_of: dict[str, str] = {}
    for group, kind in zip(groups, kinds, strict=True):
        rows[group] += 1
        kind_of.setdefault(group, kind)
    order = sorted(kind_of, key=lambda g: (kind_of[g], -rows[g], hashlib.sha256(g.encode()).hexdigest()))
    held = [0] * folds
    held_of_kind: dict[str, list[int]] = defaultdict(lambda: [0] * folds)
    fold_of: dict[str, int] = {}
    for group in order:
        mine = held_of_kind[kind_of[group]]
        fold = min(range(folds), key=lambda f: (mine[f], held[f], f))
        fold_of[group] = fold
        mine[fold] += rows[group]
        held[fold] += rows[group]
    return [fold_of[g] for g in groups]
