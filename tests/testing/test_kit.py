"""The conformance kit: a good tool passes, and every check finds the tool that breaks its rule."""

import importlib
import itertools
import json
import random
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_tools import found, make_tool, measured

from secondread.schema.errors import NotMeasurable, SecondReadError, ToolUnavailable
from secondread.schema.evidence import Finding, Findings, Measurement, Measurements, Regions
from secondread.schema.region import Box
from secondread.testing import NotConforming, Report, check_names, check_tool
from secondread.tools.base import Tool, ToolRequest, WeightsInfo
from secondread.tools.catalogue import Catalogue
from secondread.tools.runtime.runtime import Runtime


@pytest.fixture(scope="module")
def runtime() -> Iterator[Runtime]:
    made = Runtime(tools=Catalogue({}))
    yield made
    made.close()


def brightest(image: Any) -> tuple[float, float, float, float]:
    """Box around what is brighter than 0.7, in pixel-centre coordinates."""
    rows, columns = np.nonzero(image > 0.7)
    if not rows.size:
        raise NotMeasurable("Nothing is bright.")
    return float(columns.min()), float(rows.min()), float(columns.max()) + 1, float(rows.max()) + 1


def box_finder(offset: float = 0.0, fixed: bool = False, **card: Any) -> Tool:
    """Finds the box around what is bright; `fixed` looks at the middle in place of the content."""

    def run(requests: Any, ctx: Any) -> list[Any]:
        results: list[Any] = []
        for request in requests:
            try:
                ref = ctx.info(request.image).ref
                x0, y0, x1, y1 = brightest(ctx.pixels(request.image))
                if fixed:
                    x0, y0, x1, y1 = ref.columns / 4, ref.rows / 4, ref.columns / 2, ref.rows / 2
                box = Box(grid=ref.grid, x0=x0 - 0.5, y0=y0 - 0.5, x1=x1 - 0.5 + offset, y1=y1 - 0.5)
                results.append(Findings(items=(Finding(concept="bright", region=box),)))
            except SecondReadError as error:
                results.append(error)
        return results

    known = {"establishes": ("bright",), "equivariant": ("shift", "crop"), "cost_seconds": 0.01, **card}
    return make_tool("box_finder", run, request=ToolRequest, image="required", **known)


def statuses(report: Report) -> dict[str, str]:
    return {o.check: o.status for o in report.outcomes}


def failed(tool: Any, runtime: Runtime, **options: Any) -> dict[str, str]:
    report = check_tool(tool, runtime=runtime, strict=False, **options)
    return {o.check: o.detail for o in report.failed}


def test_a_good_tool_passes_every_check_that_applies(runtime: Runtime) -> None:
    report = check_tool(box_finder(), runtime=runtime)
    assert report.ok
    found_ = statuses(report)
    assert tuple(found_) == check_names()
    assert {name for name, status in found_.items() if status == "skipped"} <= {"light import", "devices", "weights"}


def test_a_tool_that_breaks_rules_is_refused_with_all_of_them(runtime: Runtime) -> None:
    with pytest.raises(NotConforming) as told:
        check_tool(make_tool("sloppy", lambda r, ctx: [found("\n")], establishes=()), runtime=runtime)
    assert "batch equals single" in str(told.value)
    tool = box_finder(offset=5000.0)
    assert {"regions inside"} <= set(failed(tool, runtime))


def per_request(answer: Any) -> Any:
    return lambda requests, ctx: [answer(r, ctx) for r in requests]


def number_of(request: Any, ctx: Any) -> Any:
    return measured(float(ctx.pixels(request.image).mean()))


MEASURING: dict[str, Any] = {"kind": "measurement", "result": Measurements, "establishes": ("m",), "image": "required"}
FINDING: dict[str, Any] = {"image": "required", "establishes": ("x",)}
count = itertools.count()


def sometimes_another(request: Any, ctx: Any) -> Any:
    return measured(float(ctx.pixels(request.image).mean()) + random.random())


def depends_on_neighbours(requests: Any, ctx: Any) -> list[Any]:
    results: list[Any] = []
    for request in requests:
        try:
            results.append(measured(float(ctx.pixels(request.image).mean()) + len(requests)))
        except SecondReadError as error:
            results.append(error)
    return results


class Racing:
    """Keeps what it works on where every thread can change it."""

    def __init__(self) -> None:
        self.now: Any = None

    def __call__(self, requests: Any, ctx: Any) -> list[Any]:
        results: list[Any] = []
        for _ in requests:
            self.now = next(count)
            mine = self.now
            time.sleep(0.01)
            results.append(measured(0.0 if self.now == mine else 1.0))
        return results


def changes_pixels(request: Any, ctx: Any) -> Any:
    array = ctx._store._pixels._held[request.image]
    array.flags.writeable = True
    array[0, 0] = 1.0 - array[0, 0]
    return measured(1.0)


def not_finite_on_flat(request: Any, ctx: Any) -> Any:
    pixels = ctx.pixels(request.image)
    with np.errstate(all="ignore"):
        return measured(float((pixels.max() - pixels.mean()) / pixels.std()))


def crashes_on_small(request: Any, ctx: Any) -> Any:
    return measured(float(ctx.pixels(request.image)[5, 5]))


def unfit_for_unknown(request: Any, ctx: Any) -> Any:
    try:
        return measured(float(ctx.pixels(request.image).mean()))
    except SecondReadError:
        return measured(0.0)


def names_the_person(request: Any, ctx: Any) -> Any:
    try:
        identity: Any = ctx._store.vault.identity(request.image).reveal()
    except SecondReadError:
        identity = None  # an image without a header
    return Measurements(items=(Measurement(name="m", value=1.0, caveats=(str(identity),)),))


def calls_it_calibrated(request: Any, ctx: Any) -> Any:
    ctx.info(request.image)
    return Findings(items=(Finding(concept="x", score=0.7, score_kind="calibrated probability"),))


def above_one(request: Any, ctx: Any) -> Any:
    return Findings(items=(Finding(concept="x", score=1.7, score_kind="sigmoid"),))


def large(request: Any, ctx: Any) -> Any:
    return Measurements(items=(Measurement(name="m", value=1.0, caveats=("x" * 9_000_000,)),))


def slow(request: Any, ctx: Any) -> Any:
    time.sleep(1.2)
    return measured(1.0)


@pytest.mark.parametrize(
    ("check", "run", "card", "words"),
    [
        ("repeats", per_request(sometimes_another), MEASURING, "second call differs"),
        ("batch equals single", depends_on_neighbours, MEASURING, "differs from the same request alone"),
        ("batch equals single", per_request(number_of), MEASURING, "run_batch raised StoreError"),
        ("threads", Racing(), MEASURING, "from 4 threads"),
        ("inputs untouched", per_request(changes_pixels), {**MEASURING, "dimension": 2}, "changed the pixels"),
        ("odd images", per_request(not_finite_on_flat), MEASURING, "not finite"),
        ("odd images", per_request(crashes_on_small), MEASURING, "one pixel: run_batch raised IndexError"),
        ("unknown image", per_request(unfit_for_unknown), MEASURING, "unknown image gave a result"),
        ("no identifiers", per_request(names_the_person), MEASURING, "stands in what it returns"),
        ("names", per_request(number_of), {**MEASURING, "establishes": ("another",)}, "does not establish: m"),
        ("probabilities", per_request(calls_it_calibrated), FINDING, "no calibration record"),
        ("probabilities", per_request(above_one), FINDING, "sigmoid of 1.7"),
        ("bounds", per_request(large), MEASURING, "9 MB"),
        ("bounds", per_request(slow), {**MEASURING, "cost_seconds": 0.001}, "its card says"),
        ("answers", per_request(lambda r, ctx: NotMeasurable("never")), MEASURING, "never"),
        ("card", per_request(number_of), {**MEASURING, "licence": "ask me"}, "licence"),
        ("result", per_request(lambda r, ctx: found("x")), MEASURING, "returned a Findings"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_rule_has_a_check_that_finds_its_breach(
    check: str, run: Any, card: dict[str, Any], words: str, runtime: Runtime
) -> None:
    tool = make_tool("broken", run, request=ToolRequest, **card)
    assert words in failed(tool, runtime, only=[check])[check]


def test_a_summary_of_several_lines_is_found(runtime: Runtime) -> None:
    tool = box_finder()
    type(tool).summarise = lambda self, result: "one\ntwo"  # type: ignore[method-assign]
    assert "one line" in failed(tool, runtime, only=["summary"])["summary"]


@pytest.mark.parametrize("check", ["follows a shift", "follows a crop"])
def test_regions_that_do_not_follow_the_content_are_found(check: str, runtime: Runtime) -> None:
    assert check not in failed(box_finder(), runtime, only=[check])
    assert "px off" in failed(box_finder(fixed=True), runtime, only=[check])[check]


def test_a_request_with_a_path_or_open_to_anything_is_found(runtime: Runtime) -> None:
    class Loose(ToolRequest):
        """A path."""

        file: Path = Path("x")

    tool = make_tool("loose", per_request(number_of), **{**MEASURING, "request": Loose})
    assert "paths or arrays" in failed(tool, runtime, only=["request"])["request"]


def test_a_heavy_import_at_the_top_of_a_module_is_found(
    runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = (
        '"""A heavy tool."""\nimport torch\n'
        "from secondread.schema.evidence import Finding, Findings\n"
        "from secondread.tools.base import Card, ToolRequest, tool\n"
        '@tool(Card(name="heavy_tool", version="1", summary="x", kind="finding", establishes=("x",), image="none"),\n'
        "      request=ToolRequest, result=Findings, summary=lambda r: 'x')\n"
        'def run(request, ctx):\n    """A test."""\n    return Findings(items=(Finding(concept="x"),))\n'
    )
    for name, text in (("heavy_module", source), ("light_module", source.replace("import torch\n", ""))):
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    heavy = importlib.import_module("heavy_module").run
    light = importlib.import_module("light_module").run
    assert "torch" in failed(heavy, runtime, only=["light import"])["light import"]
    assert not failed(light, runtime)
    sys.modules.pop("heavy_module"), sys.modules.pop("light_module")


def with_weights(folder: Path, *, checked: bool) -> Tool:
    """A tool whose weights are one file with its checksum in the card's manifest."""
    import hashlib

    header = json.dumps({"a": {"dtype": "F16", "shape": [4], "data_offsets": [0, 8]}}).encode()
    blob = struct.pack("<Q", len(header)) + header + bytes(8)
    (folder / "w.safetensors").write_bytes(blob)
    sha256 = hashlib.sha256(blob).hexdigest()
    info = WeightsInfo(files=("w.safetensors",), sha256=sha256, source="here", licence="MIT")

    def run(requests: Any, ctx: Any) -> list[Any]:
        ctx.model("weighed")
        return [found("x") for _ in requests]

    tool = make_tool("weighed", run, load=lambda: None, weights=info)

    def load(self: Tool) -> Any:
        try:
            data = (self.weights_folder / "w.safetensors").read_bytes()
        except OSError:
            raise ToolUnavailable("The weights are missing.") from None
        if checked and hashlib.sha256(data).hexdigest() != sha256:
            raise ToolUnavailable("The weights are damaged.")
        return data

    type(tool).load = load  # type: ignore[method-assign]
    tool.weights_folder = folder
    return tool


def test_damaged_weights_that_nobody_notices_are_found(runtime: Runtime, tmp_path: Path) -> None:
    assert not failed(with_weights(tmp_path, checked=True), runtime, only=["weights"])
    told = failed(with_weights(tmp_path, checked=False), runtime, only=["weights"])
    assert "did not notice" in told["weights"]


def test_a_model_without_weights_on_the_card_is_found(runtime: Runtime) -> None:
    tool = make_tool("hidden", lambda r, ctx: [found("x")], load=lambda: object())
    assert "names no weights" in failed(tool, runtime, only=["card"])["card"]


def test_masks_may_differ_by_little_only_where_the_card_allows_it(runtime: Runtime) -> None:
    def run(requests: Any, ctx: Any) -> list[Any]:
        mask = ctx.pixels(requests[0].image) > 0.5
        rows, columns = np.nonzero(mask)
        if rows.size > 1000:
            mask[rows[rows.size // 2], columns[rows.size // 2]] = next(count) % 2 == 0
        return [Regions(masks={"m": ctx.put_mask(requests[0].image, "m", mask)})]

    card: dict[str, Any] = {"kind": "region", "result": Regions, "establishes": ("m",), "image": "required"}
    strict = make_tool("strict", run, request=ToolRequest, **card, tolerance=0.0)
    lenient = make_tool("lenient", run, request=ToolRequest, **card, tolerance=0.01)
    assert "repeats" in failed(strict, runtime, only=["repeats"])
    assert "repeats" not in failed(lenient, runtime, only=["repeats"])


def test_a_check_is_left_out_only_by_name_and_with_a_reason(runtime: Runtime) -> None:
    report = check_tool(box_finder(), runtime=runtime, skip={"odd images": "read by a clinician first"})
    assert [o.detail for o in report.outcomes if o.check == "odd images"] == ["read by a clinician first"]
    with pytest.raises(ValueError, match="no check"):
        check_tool(box_finder(), runtime=runtime, only=["charm"])


def test_what_is_no_tool_is_refused_at_once(runtime: Runtime) -> None:
    with pytest.raises(NotConforming, match="not a Tool class"):
        check_tool(int, runtime=runtime)  # type: ignore[arg-type]
