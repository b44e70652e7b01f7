"""Corpora of drawn pictures and short texts."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from secondread.tools.retrieve.build import Report, ingest
from secondread.tools.retrieve.records import Item


@pytest.fixture
def item() -> Callable[..., Item]:
    """`item(id, ..)`: a passage unless told otherwise."""

    def make(name: str, **fields: object) -> Item:
        return Item.model_validate(
            {"kind": "passage", "source": "drawn", "text": f"text of {name}", **fields, "id": name}
        )

    return make


def unit_rows(count: int, dimension: int, seed: int = 0) -> "np.ndarray[tuple[int, int], np.dtype[np.float32]]":
    made = np.random.default_rng(seed).normal(size=(count, dimension))
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


def draw(path: Path, number: int, *, kind: str = "disc", noise: float = 3.0) -> None:
    """A grey picture of 96 x 96: a disc, or stripes, at a place that depends on `number`."""
    rng = np.random.default_rng(number)
    y, x = np.mgrid[:96, :96]
    if kind == "disc":
        cx, cy, r = rng.uniform(30, 66), rng.uniform(30, 66), rng.uniform(12, 24)
        made = 40 + 150 * ((x - cx) ** 2 + (y - cy) ** 2 < r**2)
    else:
        made = 110 + 90 * np.sin((x + y * rng.uniform(-0.3, 0.3)) / rng.uniform(2.5, 3.5))
    noisy = made + rng.normal(0, noise, made.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(path)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 30 discs and 30 stripes."""
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(30):
        draw(folder / f"disc{number:02}.png", number)
        draw(folder / f"stripes{number:02}.png", 100 + number, kind="stripes")
    return folder


@pytest.fixture(scope="session")
def picture_corpus(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Report]:
    """A corpus of them by the pixel encoder, and what its build said."""
    folder = tmp_path_factory.mktemp("corpus")
    return folder, ingest(pictures, folder, name="drawn", images="pixels", licence="CC0-1.0")
