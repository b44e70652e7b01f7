"""The projection: standardised trunk features on their principal axes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from secondread.tools.retrieve.encoders.trunk import Trunk
from secondread.training.encoder.data import Row

AXES = 256
FLAT = 1e-3
"""Smallest standard deviation by which a feature is divided."""


def features(rows: Sequence[Row], cache: Path | None = None, *, progress: bool = True) -> NDArray[np.float32]:
    """Trunk features of every row, float32 (n, m); kept in a file when one is named."""
    if cache is not None and cache.is_file():
        held = np.load(cache)
        if len(held) == len(rows):
            return np.asarray(held, np.float32)
    trunk = Trunk()
    made = []
    for number, row in enumerate(rows):
        made.append(trunk.features([row.picture()])[0])
        if progress and number % 500 == 0:
            print(f"{number} of {len(rows)}", flush=True)
    found = np.stack(made)
    if cache is not None:
        np.save(cache, found)
    return found


def projection(seen: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """Mean (m,), scale (m,) and principal axes (m, 256) of features (n, m)."""
    mean = seen.mean(0, dtype=np.float64)
    scale = np.maximum(seen.std(0, dtype=np.float64), FLAT)
    _, _, axes = np.linalg.svd((seen - mean) / scale, full_matrices=False)
    signs = np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(1)])[:, None]  # so that a refit gives equal axes
    return {
        "mean": mean.astype(np.float32),
        "scale": scale.astype(np.float32),
        "axes": (axes * signs)[:AXES].T.astype(np.float32),
    }
