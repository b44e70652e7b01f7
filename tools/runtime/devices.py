"""Where models run: the device that was chosen, moving a model there, and what memory errors look like.

torch is imported only when a tool that can use a GPU is about to run, or when a GPU was asked for by name.
"""

import sys
import threading
from typing import Any

from secondread.schema.errors import UsageError
from secondread.tools.base import Card

_threads_lock = threading.Lock()
_threads_set: int | None = None


class Devices:
    """The device of each tool under one setting.

    Args:
        setting: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.

    Raises:
        UsageError: A device was named that this machine does not have.
    """

    def __init__(self, setting: str = "auto") -> None:
        self.setting = setting
        self._found: dict[str, str] | None = None
        self._lock = threading.Lock()
        if setting not in ("auto", "cpu"):
            kind = setting.partition(":")[0]
            if kind not in self._present():
                raise UsageError(f"There is no {kind} device here.", hint="Set device to auto or cpu.")
            if setting.startswith("cuda:"):
                import torch

                count = torch.cuda.device_count()
                if int(setting.partition(":")[2]) >= count:
                    raise UsageError(f"There is no {setting} here.", hint=f"cuda:0 to cuda:{count - 1} exist.")

    def _present(self) -> dict[str, str]:
        """Kind of device to its name, for the accelerators of this machine."""
        with self._lock:
            if self._found is None:
                import torch

                self._found = {}
                if torch.cuda.is_available():
                    self._found["cuda"] = "cuda:0"
                if torch.backends.mps.is_available():
                    self._found["mps"] = "mps"
            return self._found

    def known(self, card: Card) -> bool:
        """Whether `of` answers at once, without an import."""
        return self._found is not None or self.setting != "auto" or card.devices == ("cpu",)

    def of(self, card: Card) -> str:
        """Where the model of a tool runs: the chosen device when its card names that kind, else the processor."""
        wanted = [kind for kind in card.devices if kind != "cpu"]
        if not wanted or self.setting == "cpu":
            return "cpu"
        if self.setting != "auto":
            kind = self.setting.partition(":")[0]
            return ("cuda:0" if self.setting == "cuda" else self.setting) if kind in wanted else "cpu"
        found = self._present()
        return next((found[kind] for kind in wanted if kind in found), "cpu")


def set_threads(count: int | None) -> None:
    """Threads of torch's operators, for the whole process; the first call decides, None leaves torch's own choice.

    Changing the number while another thread computes is undefined, so that later calls with another number are
    ignored.
    """
    global _threads_set
    if count is None:
        return
    with _threads_lock:
        if _threads_set is None:
            import torch

            torch.set_num_threads(count)
            _threads_set = count


def placed(model: Any, device: str) -> Any:
    """A model, or a dict, list or tuple of models, on a device. What has no `to` stays as it is."""
    if device == "cpu":
        return model
    if isinstance(model, dict):
        return {key: placed(value, device) for key, value in model.items()}
    if isinstance(model, list | tuple):
        return type(model)(placed(value, device) for value in model)
    move = getattr(model, "to", None)
    return move(device) if callable(move) else model


def release_cached() -> None:
    """Give memory that torch keeps for later back to the GPU."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on the processor or on a GPU."""
    if isinstance(error, MemoryError):
        return True
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(error, torch.OutOfMemoryError):
        return True
    told = str(error).lower()
    return isinstance(error, RuntimeError) and ("out of memory" in told or "can't allocate memory" in told)
