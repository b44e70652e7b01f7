"""On a GPU: the same results as on the processor, memory that is given back, memory that runs out."""

from collections.abc import Callable
from typing import Any

import pytest
from small_tools import ask, ask_at_once, make_tool, measured

from secondread.schema.evidence import Measurements, ToolFailure
from secondread.tools.base import Tool, ToolRequest
from secondread.tools.runtime.runtime import Runtime

torch = pytest.importorskip("torch")
GPU = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else None
pytestmark = pytest.mark.skipif(GPU is None, reason="there is no GPU here")
Open = Callable[..., Runtime]


def network() -> Tool:
    """Mean of a small convolutional network over an image."""

    def load() -> Any:
        torch.manual_seed(0)
        return torch.nn.Sequential(torch.nn.Conv2d(1, 8, 3), torch.nn.ReLU(), torch.nn.Conv2d(8, 1, 3)).eval()

    def run(requests: Any, ctx: Any) -> list[Any]:
        net, device = ctx.model("net"), ctx.device("net")
        batch = torch.stack([torch.tensor(ctx.pixels(r.image)) for r in requests])[:, None].to(device)
        with torch.inference_mode():
            return [measured(float(v)) for v in net(batch).mean((1, 2, 3)).cpu()]

    known: dict[str, Any] = {"kind": "measurement", "result": Measurements, "request": ToolRequest}
    return make_tool("net", run, load=load, image="required", max_batch=4, devices=("cpu", "cuda", "mps"), **known)


def value(evidence: Any) -> float:
    assert isinstance(evidence.result, Measurements), evidence.summary
    return float(evidence.result.items[0].value or 0.0)


def test_processor_and_gpu_give_the_same_within_the_tolerance(open_runtime: Open, grey: Any) -> None:
    values: dict[str, list[float]] = {}
    for device in ("cpu", str(GPU)):
        runtime = open_runtime(network(), device=device)
        images = [runtime.store.add(grey * (1 - k / 10)).ref.id for k in range(6)]
        values[device] = [value(e) for e in ask_at_once(runtime, *(("net", {"image": i}) for i in images))]
        assert runtime.devices.of(network().card).startswith(device)
    assert values["cpu"] == pytest.approx(values[str(GPU)], rel=1e-3, abs=1e-4)


@pytest.mark.skipif(GPU != "cuda", reason="memory is counted on CUDA only")
def test_an_unloaded_model_gives_its_memory_back(open_runtime: Open) -> None:
    def load() -> Any:
        return torch.nn.Linear(4096, 4096)  # 64 MB

    def run(requests: Any, ctx: Any) -> list[Any]:
        return [measured(float(next(ctx.model("big").parameters()).sum()))]

    tool = make_tool("big", run, load=load, kind="measurement", result=Measurements, devices=("cpu", "cuda"))
    runtime = open_runtime(tool, device="cuda")
    before = torch.cuda.memory_allocated()
    ask(runtime, ("big", {}))
    assert torch.cuda.memory_allocated() - before >= 60 << 20
    assert runtime.pool.unload("big")
    assert torch.cuda.memory_allocated() - before < 8 << 20


@pytest.mark.skipif(GPU != "cuda", reason="memory is counted on CUDA only")
def test_memory_that_runs_out_on_the_gpu_is_evidence_and_the_next_call_works(open_runtime: Open) -> None:
    def run(requests: Any, ctx: Any) -> list[Any]:
        if requests[0].number == 0:
            torch.empty(torch.cuda.get_device_properties(0).total_memory * 2, dtype=torch.uint8, device="cuda")
        return [measured(float(torch.ones(10, device="cuda").sum()))]

    tool = make_tool(
        "hungry", run, load=lambda: torch.nn.Linear(2, 2), kind="measurement", result=Measurements,
        devices=("cpu", "cuda"),
    )  # fmt: skip
    runtime = open_runtime(tool, device="cuda")
    [failed] = ask(runtime, ("hungry", {"number": 0}))
    assert isinstance(failed.result, ToolFailure)
    assert failed.result.code == "out_of_memory"
    assert value(ask(runtime, ("hungry", {"number": 1}))[0]) == 10


@pytest.mark.skipif(GPU != "cuda", reason="the shipped networks run on the processor and on CUDA")
def test_the_shipped_networks_find_the_same_on_the_gpu(tmp_path: Any) -> None:
    from secondread.evals.phantom import generate
    from secondread.testing import check_tool
    from secondread.tools.catalogue import catalogue

    film = generate(5, ctr=0.52).grey
    ratios = {}
    for device in ("cpu", "cuda"):
        runtime = Runtime(device=device)
        image = runtime.store.add(film, view="PA", age=60).ref.id
        ratios[device] = value(ask(runtime, ("cardiothoracic_ratio", {"image": image}))[-1])
        runtime.close()
    assert ratios["cuda"] == pytest.approx(ratios["cpu"], abs=0.005)
    for name in ("chest_anatomy", "chest_film_guard"):
        check_tool(catalogue().get(name), images=[(film, {"view": "PA", "age": 60})], only=["devices"])
