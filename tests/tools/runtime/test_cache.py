"""Kept results: in memory, on disk for later processes, never failures, never a pickle, never beyond the size."""

import pickle
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_tools import ask, found, make_tool, measured

from secondread.schema.errors import NotMeasurable
from secondread.schema.evidence import Measurements, Regions
from secondread.tools.base import Tool, ToolRequest
from secondread.tools.runtime import stamp
from secondread.tools.runtime.cache import DiskResults
from secondread.tools.runtime.runtime import Runtime

Open = Callable[..., Runtime]


def outliner(runs: list[str], **card: Any) -> Tool:
    """Outlines what is bright, with a map of its doubt."""

    def run(requests: Any, ctx: Any) -> list[Any]:
        runs.append(requests[0].image)
        pixels = ctx.pixels(requests[0].image)
        mask = ctx.put_mask(requests[0].image, "bright", pixels > 0.5)
        doubt = ctx.put_map(requests[0].image, np.abs(pixels - 0.5).astype(np.float32))
        return [Regions(masks={"bright": mask}, uncertainty=doubt)]

    return make_tool("outline", run, request=ToolRequest, result=Regions, kind="region", image="required", **card)


def test_a_second_identical_call_costs_no_tool_time(open_runtime: Open, grey: Any) -> None:
    runs: list[str] = []
    runtime = open_runtime(outliner(runs))
    image = runtime.store.add(grey).ref.id
    first, second = (ask(runtime, ("outline", {"image": image}))[0] for _ in range(2))
    assert first == second
    assert len(runs) == 1


def test_what_the_caller_states_of_an_image_is_part_of_the_key(open_runtime: Open, grey: Any) -> None:
    runs: list[str] = []
    runtime = open_runtime(outliner(runs))
    for view in ("PA", "AP", "PA"):
        image = runtime.store.add(grey, view=view).ref.id
        ask(runtime, ("outline", {"image": image}))
    assert len(runs) == 2


def test_a_later_process_finds_result_masks_and_maps_on_disk(open_runtime: Open, grey: Any, tmp_path: Path) -> None:
    runs: list[str] = []
    first = open_runtime(outliner(runs), cache_dir=tmp_path / "kept")
    [before] = ask(first, ("outline", {"image": first.store.add(grey).ref.id}))
    first.close()
    later = open_runtime(outliner(runs), cache_dir=tmp_path / "kept")
    image = later.store.add(grey).ref.id
    [after] = ask(later, ("outline", {"image": image}))
    assert len(runs) == 1
    assert later.executed == 0
    assert after == before
    assert isinstance(after.result, Regions)
    assert np.array_equal(later.store.mask(after.result.masks["bright"]), grey > 0.5)
    assert after.result.uncertainty is not None
    assert np.allclose(later.store.map(after.result.uncertainty), np.abs(grey - 0.5), atol=1e-3)


def test_a_result_whose_masks_have_left_the_store_is_made_again(open_runtime: Open, grey: Any) -> None:
    runs: list[str] = []
    runtime = open_runtime(outliner(runs))
    image = runtime.store.add(grey).ref.id
    ask(runtime, ("outline", {"image": image}))
    runtime.store.forget(image)
    runtime.store.add(grey)
    [again] = ask(runtime, ("outline", {"image": image}))
    assert len(runs) == 2
    assert isinstance(again.result, Regions)
    assert runtime.store.mask(again.result.masks["bright"]).any()


def counting(runs: list[int], **card: Any) -> Tool:
    def run(requests: Any, ctx: Any) -> list[Any]:
        runs.append(requests[0].number)
        return [NotMeasurable("odd") if requests[0].number % 2 else measured(float(requests[0].number))]

    return make_tool("count", run, kind="measurement", result=Measurements, **card)


@pytest.mark.parametrize(
    ("card", "number", "expected"),
    [
        ({}, 2, 1),
        ({"cache": "memory"}, 2, 2),
        ({"cache": "none"}, 2, 4),
        ({}, 1, 4),  # failures are never kept
    ],
)
def test_how_long_a_result_is_kept_is_up_to_the_card(
    open_runtime: Open, tmp_path: Path, card: dict[str, Any], number: int, expected: int
) -> None:
    runs: list[int] = []
    for _ in range(2):
        runtime = open_runtime(counting(runs, **card), cache_dir=tmp_path)
        for _ in range(2):
            ask(runtime, ("count", {"number": number}))
        runtime.close()
    assert len(runs) == expected


def test_another_version_other_weights_or_edited_code_are_other_results(
    open_runtime: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[int] = []

    def once(**card: Any) -> None:
        tool = counting(runs)
        type(tool).card = tool.card.model_copy(update=card)
        runtime = open_runtime(tool, cache_dir=tmp_path)
        ask(runtime, ("count", {"number": 2}))
        runtime.close()

    once()
    once(version="2")
    once(precision="bfloat16")
    monkeypatch.setattr(stamp, "_stamp", lambda modules: "edited")
    once()
    assert len(runs) == 4
    once()
    assert len(runs) == 4


def test_the_stamp_of_the_code_follows_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    package = tmp_path / "stamped_pack"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "one.py").write_text("x = 1\n")
    __import__("stamped_pack")
    before = stamp._stamp.__wrapped__(("stamped_pack",))
    assert stamp._stamp.__wrapped__(("stamped_pack",)) == before
    (package / "one.py").write_text("x = 12\n")
    assert stamp._stamp.__wrapped__(("stamped_pack",)) != before


def test_another_result_of_a_prerequisite_is_another_key(open_runtime: Open, tmp_path: Path) -> None:
    class Above(ToolRequest):
        """Reads base."""

        base: str

    runs: list[str] = []
    words = iter(["first", "second"])

    def run(requests: Any, ctx: Any) -> list[Any]:
        runs.append(ctx.evidence(requests[0].base).result.items[0].note)
        return [found("x")]

    for _ in range(2):
        base = make_tool("base", lambda requests, ctx: [found(next(words))], cache="none")
        runtime = open_runtime(base, make_tool("top", run, request=Above, needs=("base",)), cache_dir=tmp_path)
        ask(runtime, ("top", {}))
        runtime.close()
    assert runs == ["first", "second"]


def test_folder_and_file_are_the_users_alone_and_hold_no_names(open_runtime: Open, grey: Any, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    runtime = open_runtime(outliner([]), cache_dir=folder)
    image = runtime.store.add(grey).ref.id
    ask(runtime, ("outline", {"image": image}))
    runtime.close()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    files = list(folder.iterdir())
    assert files
    assert {stat.S_IMODE(f.stat().st_mode) for f in files} == {0o600}
    keys = [row[0] for row in sqlite3.connect(folder / "cache.db").execute("select key from Cache")]
    assert all(len(key) == 64 and set(key) <= set("0123456789abcdef") for key in keys)


class Bomb:
    def __reduce__(self) -> Any:
        return (Path.touch, (Path("exploded"),))


def test_a_pickle_planted_in_the_file_is_never_loaded(
    open_runtime: Open, grey: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "kept"
    runs: list[str] = []
    for round_ in range(2):
        runtime = open_runtime(outliner(runs), cache_dir=folder)
        [evidence] = ask(runtime, ("outline", {"image": runtime.store.add(grey).ref.id}))
        runtime.close()
        assert evidence.kind == "region"
        with sqlite3.connect(folder / "cache.db") as file:
            if round_ == 0:
                file.execute("update Cache set mode = 4, value = ?", (pickle.dumps(Bomb()),))
    assert len(runs) == 2
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("damage", ["cut", "flip", "text", "json", "file"])
def test_damage_costs_the_kept_result_and_nothing_else(
    open_runtime: Open, grey: Any, tmp_path: Path, damage: str
) -> None:
    runs: list[str] = []
    runtime = open_runtime(outliner(runs), cache_dir=tmp_path)
    ask(runtime, ("outline", {"image": runtime.store.add(grey).ref.id}))
    runtime.close()
    if damage == "file":
        (tmp_path / "cache.db").write_bytes(b"this is no database, " * 400)
    else:
        with sqlite3.connect(tmp_path / "cache.db") as file:
            [(value,)] = file.execute("select value from Cache").fetchall()
            bad: Any = {
                "cut": value[:-20],
                "flip": value[:-1] + bytes([value[-1] ^ 1]),
                "text": "words",
                "json": value[:8] + b"x" * (len(value) - 8),
            }[damage]
            file.execute("update Cache set value = ?", (bad,))
    again = open_runtime(outliner(runs), cache_dir=tmp_path)
    [evidence] = ask(again, ("outline", {"image": again.store.add(grey).ref.id}))
    assert evidence.kind == "region"
    assert len(runs) == 2


def test_a_folder_that_cannot_be_made_costs_nothing_but_the_cache(open_runtime: Open, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    runtime = open_runtime(counting([]), cache_dir=tmp_path / "file" / "kept")
    assert ask(runtime, ("count", {"number": 2}))[0].kind == "measurement"


def test_the_size_on_disk_is_bounded_and_the_least_recently_used_leave(open_runtime: Open, tmp_path: Path) -> None:
    noise = np.random.default_rng(0)

    def run(requests: Any, ctx: Any) -> list[Any]:
        image = requests[0].image
        doubt = ctx.put_map(image, noise.random((512, 512), np.float32))
        return [Regions(masks={}, uncertainty=doubt)]

    tool = make_tool("noisy", run, request=ToolRequest, result=Regions, kind="region", image="required")
    runtime = open_runtime(tool, cache_dir=tmp_path, cache_mb=8)
    for number in range(30):  # of 0.5 MB each
        image = runtime.store.add(np.full((512, 512), number / 30, np.float32)).ref.id
        ask(runtime, ("noisy", {"image": image}))
    runtime.close()
    assert (tmp_path / "cache.db").stat().st_size < 12 << 20
    rows = sqlite3.connect(tmp_path / "cache.db").execute("select count(*) from Cache").fetchone()[0]
    assert 5 <= rows <= 20


def test_derived_images_are_not_kept_beyond_the_process(open_runtime: Open, grey: Any, tmp_path: Path) -> None:
    from secondread.tools.catalogue import catalogue

    crop = catalogue().get("crop")
    for _ in range(2):
        runtime = open_runtime(crop, cache_dir=tmp_path)
        image = runtime.store.add(grey).ref.id
        box = {"x0": 5, "y0": 5, "x1": 30, "y1": 30}
        [evidence] = ask(runtime, ("crop", {"image": image, **box}))
        assert evidence.result.image in runtime.store  # type: ignore[union-attr]
        runtime.close()


def test_the_file_can_be_opened_ahead_and_closed_without_a_call(tmp_path: Path) -> None:
    kept = DiskResults(tmp_path / "ahead", 8)
    assert not (tmp_path / "ahead").exists()
    kept.open_ahead()
    kept.close()
    assert (tmp_path / "ahead" / "cache.db").is_file()
