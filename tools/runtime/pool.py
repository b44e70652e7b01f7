"""Loaded models under a byte budget: loaded once, in use, idle or pinned; the least recently used idle one leaves."""

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import prod
from typing import Any

from secondread.schema.errors import ToolUnavailable
from secondread.tools.base import Card, Tool
from secondread.tools.runtime.devices import placed, release_cached

MEGABYTE = 1 << 20


def model_bytes(model: Any) -> int:
    """Bytes of the parameters and buffers of a model, a container of models, or an object that holds some.

    Shared parts count once. An object that knows its own `nbytes` is believed.
    """
    seen: set[int] = set()

    def size(value: Any) -> int:
        if value is None or isinstance(value, str | bytes | int | float | bool) or id(value) in seen:
            return 0
        seen.add(id(value))
        if isinstance(value, dict):
            return sum(size(v) for v in value.values())
        if isinstance(value, list | tuple | set | frozenset):
            return sum(size(v) for v in value)
        if callable(getattr(value, "parameters", None)):
            parts = [*value.parameters(), *(value.buffers() if callable(getattr(value, "buffers", None)) else ())]
            fresh = [part for part in parts if id(part) not in seen]
            seen.update(map(id, fresh))
            return sum(int(part.numel()) * int(part.element_size()) for part in fresh)
        nbytes = getattr(value, "nbytes", None)
        if isinstance(nbytes, int):
            return nbytes
        return size(vars(value)) if hasattr(value, "__dict__") and not isinstance(value, type) else 0

    return size(model)


def stored_bytes(tool: Tool) -> int | None:
    """Bytes that the safetensors files of a tool take once they are float32, from their headers; None when unknown.

    Shipped weights are stored in half precision and computed in single.
    """
    if tool.card.weights is None:
        return 0
    total = 0
    for name in tool.card.weights.files:
        try:
            with (tool.weights_folder / name).open("rb") as file:
                length = int.from_bytes(file.read(8), "little")
                if not 0 < length < 64 * MEGABYTE:
                    return None
                header = json.loads(file.read(length))
            total += sum(4 * prod(part["shape"]) for key, part in header.items() if key != "__metadata__")
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
    return total


@dataclass
class _Held:
    model: Any
    size: int
    tool: Tool
    users: int = 0
    pins: int = 0


@dataclass(eq=False)
class _Loading:
    done: threading.Event = field(default_factory=threading.Event)
    error: BaseException | None = None
    reserved: int = 0


class ModelPool:
    """Models by tool. The bytes held and reserved never exceed the budget; a model in use or pinned never leaves.

    Whoever asks for a model that does not fit waits until one in use becomes idle; whoever uses one already and asks
    for another gets an error, since two such callers would wait for each other.

    Args:
        budget_bytes: Of all models together, parameters and buffers.
        device_of: Where the model of a tool goes.
        load: Makes the model of a tool; None: `Tool.load`.
    """

    def __init__(
        self,
        budget_bytes: int,
        *,
        device_of: Callable[[Card], str] = lambda card: "cpu",
        load: Callable[[Tool], Any] | None = None,
    ) -> None:
        self.budget = budget_bytes
        self._device_of = device_of
        self._load = load or (lambda tool: tool.load())
        self._models: OrderedDict[str, _Held] = OrderedDict()
        self._loading: dict[str, _Loading] = {}
        self._sizes: dict[str, int] = {}
        """Measured when a model was loaded before."""
        self._changed = threading.Condition()
        self._mine = threading.local()
        self.loads = 0
        self.evictions = 0
        self.peak = 0
        """Most bytes held and reserved at any time."""

    def get(self, tool: Tool) -> Any:
        """The loaded model, idle again at once: it may leave the pool while the caller still has it."""
        with self.use(tool) as model:
            return model

    @contextmanager
    def use(self, tool: Tool) -> Iterator[Any]:
        """The loaded model; it stays in the pool while the block runs."""
        model = self.acquire(tool)
        try:
            yield model
        finally:
            self.release(tool.card.name, model)

    def acquire(self, tool: Tool) -> Any:
        """The loaded model, in use until `release`; loaded on first use, once even under concurrent calls.

        Raises:
            ToolUnavailable: It cannot be loaded, or does not fit the budget.
        """
        name = tool.card.name
        while True:
            with self._changed:
                held = self._models.get(name)
                if held is not None and not _same(held.tool, tool):
                    self._remove(name)  # another tool took over the name; who still uses the model keeps it
                    held = None
                if held is not None:
                    held.users += 1
                    self._mine.count = self._count() + 1
                    self._models.move_to_end(name)
                    return held.model
                loading = self._loading.get(name)
                first = loading is None
                if loading is None:
                    loading = self._loading[name] = _Loading()
            if first:
                return self._first(tool, loading)
            loading.done.wait()
            if loading.error is not None:
                raise loading.error

    def release(self, name: str, model: Any) -> None:
        """The model is no longer in use by this caller. One that was abandoned meanwhile is ignored."""
        with self._changed:
            self._mine.count = max(0, self._count() - 1)
            held = self._models.get(name)
            if held is not None and held.model is model and held.users:
                held.users -= 1
                self._changed.notify_all()

    @contextmanager
    def pinned(self, tool: Tool) -> Iterator[Any]:
        """The loaded model, which never leaves the pool while the block runs, used or not."""
        with self.use(tool) as model, self._changed:
            self._models[tool.card.name].pins += 1
        try:
            yield model
        finally:
            with self._changed:
                held = self._models.get(tool.card.name)
                if held is not None:
                    held.pins -= 1
                self._changed.notify_all()

    def unload(self, name: str) -> bool:
        """Unload a model that is idle and not pinned; whether it was."""
        with self._changed:
            held = self._models.get(name)
            if held is None or held.users or held.pins:
                return False
            self._remove(name)
        release_cached()
        return True

    def make_room(self) -> int:
        """Unload every idle model, after memory ran out; bytes that were freed."""
        with self._changed:
            idle = [n for n, held in self._models.items() if not held.users and not held.pins]
            freed = sum(self._remove(name) for name in idle)
        release_cached()
        return freed

    def abandon(self, name: str) -> None:
        """Forget a model that a hung thread may still be using or loading; the next caller loads a fresh one."""
        with self._changed:
            loading = self._loading.pop(name, None)
            if loading is not None:
                loading.done.set()
            if name in self._models:
                self._remove(name)
            self._changed.notify_all()

    @property
    def held(self) -> int:
        """Bytes held and reserved."""
        with self._changed:
            return self._held()

    def loaded(self) -> dict[str, int]:
        """Bytes of each model in memory."""
        with self._changed:
            return {name: held.size for name, held in self._models.items()}

    def clear(self) -> None:
        """Unload every model, in use or not."""
        with self._changed:
            for name in list(self._models):
                self._remove(name)
            self._changed.notify_all()
        release_cached()

    def _first(self, tool: Tool, loading: _Loading) -> Any:
        name = tool.card.name
        try:
            size = self._sizes.get(name)
            self._reserve(name, loading, stored_bytes(tool) if size is None else size)
            model = placed(self._load(tool), self._device_of(tool.card))
            return self._enter(tool, loading, model)
        except BaseException as error:
            loading.error = error
            raise
        finally:
            with self._changed:
                loading.reserved = 0
                if self._loading.get(name) is loading:
                    del self._loading[name]
                self._changed.notify_all()
            loading.done.set()

    def _enter(self, tool: Tool, loading: _Loading, model: Any) -> Any:
        """Hold a model that was loaded; its size is known from now on."""
        name, size = tool.card.name, model_bytes(model)
        with self._changed:
            self.loads += 1
            self._sizes[name] = size
            if self._loading.get(name) is not loading:
                return model  # abandoned: the thread that loaded it was given up
        if size > loading.reserved:
            self._reserve(name, loading, size)
        with self._changed:
            loading.reserved = 0
            self._models[name] = _Held(model, size, tool, users=1)
            self._mine.count = self._count() + 1
            self.peak = max(self.peak, self._held())
        return model

    def _reserve(self, name: str, loading: _Loading, size: int | None) -> None:
        """Keep room for a model; None: its size shows only after loading, so everything idle leaves first."""
        with self._changed:
            loading.reserved = 0
            if size is None:
                for idle in [n for n, h in self._models.items() if not h.users and not h.pins]:
                    self._remove(idle)
                return
            if size > self.budget:
                raise ToolUnavailable(
                    f"The model of {name} takes {size / MEGABYTE:.0f} MB; the model budget is "
                    f"{self.budget / MEGABYTE:.0f} MB.",
                    hint="Raise the setting model_budget_mb.",
                )
            while not self._fits(size):
                waited_for = any(h.users for h in self._models.values()) or any(
                    one.reserved for one in self._loading.values()
                )
                if self._count() or not waited_for:
                    raise ToolUnavailable(
                        f"The model of {name} does not fit the model budget beside those in use or pinned.",
                        hint="Raise the setting model_budget_mb.",
                    )
                self._changed.wait()
            loading.reserved = size
            self.peak = max(self.peak, self._held())

    def _fits(self, size: int) -> bool:
        """Whether there is room, after unloading idle models, least recently used first."""
        while self._held() + size > self.budget:
            idle = next((n for n, held in self._models.items() if not held.users and not held.pins), None)
            if idle is None:
                return False
            self._remove(idle)
        return True

    def _remove(self, name: str) -> int:
        held = self._models.pop(name)
        self.evictions += 1
        close = getattr(held.model, "close", None)
        if callable(close):
            close()
        return held.size

    def _held(self) -> int:
        return sum(h.size for h in self._models.values()) + sum(one.reserved for one in self._loading.values())

    def _count(self) -> int:
        """Models that this thread uses."""
        return int(getattr(self._mine, "count", 0))


def _same(one: Tool, other: Tool) -> bool:
    """Whether two tools of one name would load the same model."""
    return one is other or (type(one) is type(other) and one.weights_folder == other.weights_folder)
