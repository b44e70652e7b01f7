"""Loaded models by tool: loaded once, one lock each, least recently used unloaded past the budget."""

import threading
from collections import OrderedDict
from typing import Any

from secondread.tools.base import Tool


def model_bytes(model: Any) -> int:
    """Bytes of the parameters and buffers of a model or a sequence of models; 0 when it has none."""
    if isinstance(model, dict):
        return sum(model_bytes(v) for v in model.values())
    if isinstance(model, list | tuple):
        return sum(model_bytes(v) for v in model)
    total = 0
    for attribute in ("parameters", "buffers"):
        method = getattr(model, attribute, None)
        if callable(method):
            total += sum(int(t.numel()) * int(t.element_size()) for t in method())
    return total


class ModelPool:
    """Models kept in memory up to a byte budget."""

    def __init__(self, budget_bytes: int) -> None:
        self._budget = budget_bytes
        self._models: OrderedDict[str, tuple[Any, int]] = OrderedDict()
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()
        self.loads = 0

    def _lock(self, name: str) -> threading.Lock:
        with self._guard:
            return self._locks.setdefault(name, threading.Lock())

    def get(self, tool: Tool) -> Any:
        """The loaded model of a tool; loads it on first use, once even under concurrent calls."""
        name = tool.card.name
        with self._lock(name):
            with self._guard:
                if name in self._models:
                    self._models.move_to_end(name)
                    return self._models[name][0]
            model = tool.load()
            with self._guard:
                self._models[name] = (model, model_bytes(model))
                self.loads += 1
                self._shrink(keep=name)
            return model

    def _shrink(self, keep: str) -> None:
        while sum(size for _, size in self._models.values()) > self._budget and len(self._models) > 1:
            oldest = next(name for name in self._models if name != keep)
            del self._models[oldest]

    def loaded(self) -> dict[str, int]:
        """Bytes of each model in memory."""
        with self._guard:
            return {name: size for name, (_, size) in self._models.items()}

    def clear(self) -> None:
        """Unload every model."""
        with self._guard:
            self._models.clear()
