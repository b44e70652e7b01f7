"""Every tool that is installed keeps the contract, as the conformance kit sees it.

Tools that read neither a chest film nor the kit's drawings get an image of the research data, and are left out where
that is not there. A new tool that needs an image of its own gets a line in `FOLDERS`.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from secondread.testing import check_tool
from secondread.tools.catalogue import catalogue
from secondread.tools.runtime.runtime import Runtime

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
FILM: Any = (EXAMPLES / "chest.png", {"view": "PA", "age": 60})
FOLDERS = {
    "blood_cells": "cells_bccd/images",
    "nucleus_count": "nuclei_dsb2018/images",
    "retinal_vessels": "retina_chase_db1/images",
    "nerves_and_vessels": "ultrasound_usgra/images",
    "hippocampus_volume": "mr_hippocampus_msd/images",
}
"""Where images lie that a tool is made for; the middle one by name is taken: a data set may begin with odd ones."""


def outline(store: Any, image: str | None) -> Mapping[str, Any]:
    """What a caller who marks a structure gives: a block in the middle of the image or volume."""
    if image is None:
        return {}
    shape = store.grid(image)[1]
    mask = np.zeros(shape, np.bool_)
    mask[tuple(slice(n // 4, n // 4 + max(1, n // 2)) for n in shape)] = True
    return {"given_masks": {"masks": {"liver": store.put_mask(image, "liver", mask).model_dump(mode="json")}}}


DEFAULTS: dict[str, Callable[[Any, str | None], Mapping[str, Any]]] = {
    "given_masks": outline,
    "structure_measures": outline,
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Films of nobody with a label, for the tools that search."""
    from PIL import Image

    from secondread.evals.phantom import generate
    from secondread.tools.retrieve.build import ingest

    folder, out = tmp_path_factory.mktemp("films"), tmp_path_factory.mktemp("corpus")
    for seed in range(6):
        Image.fromarray((generate(seed).grey * 255).astype(np.uint8)).save(folder / f"{seed}.png")
    lines = [json.dumps({"image": f"{seed}.png", "labels": ["Pleural effusion"]}) for seed in range(6)]
    (folder / "films.jsonl").write_text("\n".join(lines))
    ingest(folder / "films.jsonl", out)
    return out


@pytest.fixture(scope="module")
def runtime(corpus: Path) -> Iterator[Runtime]:
    """Shared, so that what several tools need runs once."""
    made = Runtime(corpora=(corpus,))
    yield made
    made.close()


def images_for(name: str, request: pytest.FixtureRequest) -> tuple[Any, ...]:
    if name not in FOLDERS:
        return (FILM,)
    folder = request.getfixturevalue("data_dir") / FOLDERS[name]
    files = sorted(folder.iterdir())
    first = files[len(files) // 2]
    if first.name.endswith((".nii", ".nii.gz")):
        from secondread.imaging.volume.open import open_volume

        return (open_volume(first),)
    return (first,)


@pytest.mark.parametrize("name", catalogue().names())
def test_a_built_in_tool_keeps_the_contract(name: str, runtime: Runtime, request: pytest.FixtureRequest) -> None:
    report = check_tool(
        catalogue().get(name), images=images_for(name, request), defaults=DEFAULTS.get(name), runtime=runtime
    )
    assert report.ok
