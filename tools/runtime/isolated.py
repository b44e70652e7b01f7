"""A tool in a process of its own: it may crash, or be killed when it hangs, and nothing else is harmed.

The child is a fresh interpreter (nothing is forked, so that no CUDA state is shared). It holds the tool and its model;
whatever the tool asks its context for is answered by the parent, so that pixels, masks and maps stay in one store.
"""

import contextlib
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

from secondread.imaging.regrade import Regrade
from secondread.schema import errors
from secondread.schema.errors import SecondReadError, ToolCrashed, ToolError, ToolUnavailable
from secondread.schema.region import Box, MaskRef
from secondread.tools.base import Context, Tool
from secondread.tools.runtime import offline
from secondread.tools.runtime.wire import WireError, receive, send

MODULE = "secondread.tools.runtime.isolated_child"
START_SECONDS = 120.0
"""A child that has not loaded its tool by then is given up; imports of heavy libraries take some twenty seconds."""


class IsolatedProcess:
    """The process of one tool; started and loaded by the constructor.

    Args:
        tool: Its class must lie in a module that can be imported by name.
        device: Where its model goes.
        threads: Of torch; None leaves its own choice.

    Raises:
        ToolUnavailable: It cannot be started, or the tool's own reason for not loading.
        ToolCrashed: It ended while it was loading.
    """

    def __init__(self, tool: Tool, *, device: str = "cpu", threads: int | None = None) -> None:
        self._tool, self.name = tool, tool.card.name
        module = type(tool).__module__
        if module == "__main__":
            raise ToolUnavailable(f"{self.name} runs in a process of its own and has to lie in a module.")
        self._process = subprocess.Popen(
            [sys.executable, "-m", MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._lock = threading.Lock()
        late = threading.Timer(START_SECONDS, self.close)
        late.daemon = True
        late.start()
        try:
            hello = {
                "path": [part for part in sys.path if part],
                "module": module,
                "tool": self.name,
                "device": device,
                "threads": threads,
                "weights": str(tool.weights_folder),
                "reach": offline.level(),
            }
            message, _ = self._exchange(hello)
        except BaseException:
            self.close()
            raise
        finally:
            late.cancel()
        if "error" in message:
            self.close()
            raise error_of(message["error"])
        self.nbytes: int = int(message["nbytes"])
        """Bytes of the model in the process."""

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def run(self, requests: Sequence[Any], ctx: Context) -> list[Any]:
        """What `run_batch` gives in the process: one result or error per request.

        Raises:
            ToolCrashed: The process has ended, or sent what is no message.
            MemoryError: Memory ran out there.
            SecondReadError: What the tool raised.
        """
        with self._lock:
            asked = {"requests": [request.model_dump(mode="json") for request in requests], "reach": offline.level()}
            message, arrays = self._exchange(asked)
            while "call" in message:
                message, arrays = self._exchange(*_answer(ctx, message["call"], message["given"], arrays))
        if message.get("memory"):
            raise MemoryError
        if "error" in message:
            raise error_of(message["error"])
        return [self._result(one) for one in message["results"]]

    def close(self) -> None:
        """End the process; a call that waits for it fails."""
        with contextlib.suppress(OSError):
            self._process.kill()
        threading.Thread(target=self._process.wait, daemon=True).start()  # collects the exit status

    def _result(self, one: dict[str, Any]) -> Any:
        return error_of(one["error"]) if "error" in one else self._tool.Result.model_validate_json(one["result"])

    def _exchange(self, message: dict[str, Any], arrays: Sequence[Any] = ()) -> tuple[dict[str, Any], list[Any]]:
        to: BinaryIO = self._process.stdin  # type: ignore[assignment]  # a pipe was asked for
        back: BinaryIO = self._process.stdout  # type: ignore[assignment]  # likewise
        try:
            send(to, message, arrays)
            return receive(back)
        except WireError as error:
            self.close()
            raise ToolCrashed(f"The process of {self.name} sent {error}.") from None
        except (EOFError, OSError, ValueError):  # ValueError: the stream was closed
            self.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(5)
            code = self._process.returncode
            raise ToolCrashed(f"The process of {self.name} ended with {code} before it answered.") from None


def error_of(told: dict[str, str]) -> SecondReadError:
    """The error that a child told of, of its own class."""
    cls = getattr(errors, told["class"], None)
    kind = cls if isinstance(cls, type) and issubclass(cls, SecondReadError) else ToolError
    return kind(told["message"], hint=told["hint"])


def _json(value: Any) -> tuple[dict[str, Any], list[Any]]:
    return {"value": value.model_dump(mode="json")}, []


def _array(value: Any) -> tuple[dict[str, Any], list[Any]]:
    return {}, [value]


def _volume(ctx: Context, image: str) -> tuple[dict[str, Any], list[Any]]:
    import numpy as np

    volume = ctx.volume(image)
    scale = np.array([volume.scale(k) for k in range(volume.shape[2])], np.float64)
    return {"value": volume.info.model_dump(mode="json")}, [volume.stored, scale]


_ANSWERS: dict[str, Callable[[Context, list[Any], list[Any]], tuple[dict[str, Any], list[Any]]]] = {
    "info": lambda ctx, g, a: _json(ctx.info(g[0])),
    "pixels": lambda ctx, g, a: _array(ctx.pixels(g[0])),
    "values": lambda ctx, g, a: _array(ctx.values(g[0])),
    "colour": lambda ctx, g, a: _array(ctx.colour(g[0])),
    "volume": lambda ctx, g, a: _volume(ctx, g[0]),
    "study": lambda ctx, g, a: _json(ctx.study(g[0])),
    "slice": lambda ctx, g, a: _json(ctx.slice(g[0], g[1], g[2], tuple(g[3]) if g[3] else None)),
    "evidence": lambda ctx, g, a: _json(ctx.evidence(g[0])),
    "mask": lambda ctx, g, a: _array(ctx.mask(MaskRef.model_validate(g[0]))),
    "put_mask": lambda ctx, g, a: _json(ctx.put_mask(g[0], g[1], a[0])),
    "bits": lambda ctx, g, a: _array(ctx.bits(g[0])),
    "put_bits": lambda ctx, g, a: ({"value": ctx.put_bits(g[0], a[0])}, []),
    "map": lambda ctx, g, a: _array(ctx.map(g[0])),
    "put_map": lambda ctx, g, a: ({"value": ctx.put_map(g[0], a[0])}, []),
    "derive": lambda ctx, g, a: _json(ctx.derive(g[0], Box.model_validate(g[1]), scale=g[2])),
    "regrade": lambda ctx, g, a: _json(ctx.regrade(g[0], Regrade.model_validate(g[1]))),
    "person": lambda ctx, g, a: ({"value": ctx.person(g[0], g[1])}, []),
    "cards": lambda ctx, g, a: ({"value": [card.model_dump(mode="json") for card in ctx.cards()]}, []),
}
"""What a child may ask the parent's context for."""


def _answer(ctx: Context, call: str, given: list[Any], arrays: list[Any]) -> tuple[dict[str, Any], list[Any]]:
    try:
        return _ANSWERS[call](ctx, given, arrays)
    except SecondReadError as error:
        return {"error": {"class": type(error).__name__, "message": error.message, "hint": error.hint}}, []
    except Exception as error:  # the child asked with what makes no sense: its own fault, told to it
        told = f"The context cannot answer {call}: {type(error).__name__}."
        return {"error": {"class": "ToolError", "message": told, "hint": ""}}, []
