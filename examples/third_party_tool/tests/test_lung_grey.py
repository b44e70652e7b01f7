"""The tool keeps the contract, and sees a shadow that is painted into one lung."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from secondread_lung_grey import lung_grey

from secondread.imaging.load import load
from secondread.schema.evidence import Evidence, Measurements
from secondread.testing import check_tool
from secondread.tools.catalogue import Catalogue, catalogue
from secondread.tools.runtime.calls import Call
from secondread.tools.runtime.runtime import Runtime

FILMS = Path(__file__).resolve().parents[2]
STATED = {"view": "PA", "age": 60}


@pytest.fixture(scope="module")
def runtime() -> Any:
    installed = {name: catalogue().get(name) for name in catalogue().names()}
    made = Runtime(tools=Catalogue({**installed, "lung_grey": lung_grey()}))
    yield made
    made.close()


def measured(runtime: Runtime, source: Any) -> dict[str, float]:
    image = runtime.store.add(source, **STATED).ref.id
    done: dict[str, Evidence] = runtime.submit(runtime.run([Call(tool="lung_grey", args={"image": image})])).result()
    result = list(done.values())[-1].result
    assert isinstance(result, Measurements), result
    return {item.name: item.value for item in result.items if item.value is not None}


def test_it_keeps_the_contract(runtime: Runtime) -> None:
    print(check_tool(lung_grey, images=[(FILMS / "chest.png", STATED)], runtime=runtime))


@pytest.mark.parametrize(("column", "sign"), [(0.27, 1), (0.76, -1)])
def test_a_shadow_in_one_lung_makes_that_one_brighter(runtime: Runtime, column: float, sign: int) -> None:
    film = load(FILMS / "chest.png").grey
    rows, columns = film.shape
    y, x = np.mgrid[:rows, :columns]
    spot = np.exp(-(((x / columns - column) / 0.08) ** 2 + ((y / rows - 0.45) / 0.12) ** 2))
    clear = measured(runtime, film)
    shadowed = measured(runtime, np.clip(film + 0.25 * spot, 0, 1).astype(np.float32))
    assert sign * (shadowed["lung_grey_difference"] - clear["lung_grey_difference"]) > 0.04


def test_the_difference_is_that_of_the_two_greys_and_lies_between_minus_one_and_one(runtime: Runtime) -> None:
    found = measured(runtime, FILMS / "chest.png")
    assert found["lung_grey_difference"] == pytest.approx(found["right_lung_grey"] - found["left_lung_grey"])
    assert all(-1 <= value <= 1 for value in found.values())


def test_an_image_without_a_chest_is_refused_with_a_reason(runtime: Runtime) -> None:
    noise = np.random.default_rng(0).random((200, 200), np.float32)
    image = runtime.store.add(noise).ref.id
    done = runtime.submit(runtime.run([Call(tool="lung_grey", args={"image": image})])).result()
    assert list(done.values())[-1].kind == "tool_failure"
