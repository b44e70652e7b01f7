"""Where models run: the choice, the move, memory errors, threads; nothing forks."""

import ast
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_tools import ask, found, make_tool

from secondread.schema.errors import UsageError
from secondread.schema.evidence import Findings
from secondread.tools.base import Card
from secondread.tools.runtime.devices import Devices, out_of_memory, placed
from secondread.tools.runtime.runtime import Runtime, model_slots

Open = Callable[..., Runtime]
TOP = Path(__file__).parents[3]


def card(*devices: Any) -> Card:
    return Card(name="c", version="1", summary="c", kind="finding", establishes=(), devices=devices or ("cpu",))


def pretend(setting: str, **here: str) -> Devices:
    """Devices of a machine with these accelerators."""
    made = Devices("cpu")
    made.setting, made._found = setting, here
    return made


@pytest.mark.parametrize(
    ("setting", "here", "devices", "expected"),
    [
        ("auto", {"cuda": "cuda:0"}, ("cpu", "cuda"), "cuda:0"),
        ("auto", {"cuda": "cuda:0"}, ("cpu",), "cpu"),
        ("auto", {}, ("cpu", "cuda", "mps"), "cpu"),
        ("auto", {"mps": "mps"}, ("cpu", "cuda", "mps"), "mps"),
        ("cpu", {"cuda": "cuda:0"}, ("cpu", "cuda"), "cpu"),
        ("cuda:1", {"cuda": "cuda:0"}, ("cpu", "cuda"), "cuda:1"),
        ("cuda", {"cuda": "cuda:0"}, ("cpu", "cuda"), "cuda:0"),
        ("cuda", {"cuda": "cuda:0"}, ("cpu", "mps"), "cpu"),
    ],
)
def test_a_tool_runs_on_the_chosen_device_when_its_card_names_it(
    setting: str, here: dict[str, str], devices: tuple[str, ...], expected: str
) -> None:
    assert pretend(setting, **here).of(card(*devices)) == expected


def test_a_device_that_is_not_there_is_refused_by_name() -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        with pytest.raises(UsageError, match="cuda:99"):
            Devices("cuda:99")
    else:
        with pytest.raises(UsageError, match="no cuda"):
            Runtime(device="cuda:0")


def test_models_are_moved_wherever_they_lie_and_the_tool_learns_where(open_runtime: Open) -> None:
    torch = pytest.importorskip("torch")
    nets = placed({"a": [torch.nn.Linear(2, 2)], "b": (torch.nn.Linear(2, 2), "words")}, "meta")
    assert nets["a"][0].weight.device.type == nets["b"][0].weight.device.type == "meta"
    assert nets["b"][1] == "words"

    def run(requests: Any, ctx: Any) -> list[Any]:
        return [found(f"{ctx.device('net')} {ctx.model('net').weight.device}")]

    runtime = open_runtime(make_tool("net", run, load=lambda: torch.nn.Linear(2, 2), devices=("cpu", "cuda")))
    runtime.devices.setting, runtime.devices._found = "auto", {"cuda": "meta"}
    [evidence] = ask(runtime, ("net", {}))
    assert isinstance(evidence.result, Findings)
    assert evidence.result.items[0].note == "meta meta"


def test_memory_that_runs_out_is_told_from_other_errors() -> None:
    torch = pytest.importorskip("torch")
    assert out_of_memory(MemoryError())
    assert out_of_memory(torch.OutOfMemoryError("x"))
    with pytest.raises(RuntimeError) as told:
        torch.empty(1 << 62, dtype=torch.uint8)
    assert out_of_memory(told.value)
    assert not out_of_memory(RuntimeError("shapes differ"))
    assert not out_of_memory(ValueError("out of memory"))


def test_threads_are_set_once_per_process_and_a_tool_without_torch_loads_none() -> None:
    script = (
        "import sys\n"
        "from secondread.tools.runtime.devices import set_threads\n"
        "set_threads(None)\n"
        "assert 'torch' not in sys.modules\n"
        "set_threads(1)\nset_threads(3)\n"
        "import torch\nassert torch.get_num_threads() == 1, torch.get_num_threads()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_one_batch_with_a_model_runs_on_a_gpu_at_a_time() -> None:
    assert model_slots("cuda:0") == model_slots("mps") == 1
    assert model_slots("cpu") >= 1


def test_nothing_in_the_package_forks() -> None:
    """A fork after CUDA has started breaks the child; processes are started afresh."""
    for part in ("schema", "imaging", "kg", "tools", "agent", "serve"):
        for path in (TOP / part).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                forks = isinstance(node, ast.Attribute) and node.attr in ("fork", "forkpty", "ProcessPoolExecutor")
                context = isinstance(node, ast.Constant) and node.value in ("fork", "forkserver")
                assert not forks and not context, f"{path.relative_to(TOP)}:{getattr(node, 'lineno', 0)}"
