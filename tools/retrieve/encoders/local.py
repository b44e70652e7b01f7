"""What encoders from local folders have in common: reading with transformers, never from a network."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from secondread.schema.errors import InputError, ToolUnavailable

_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth")
_SETTINGS = (".json", ".txt", ".model")
_SAMPLE = 1 << 20


def fingerprint(folder: Path) -> str:
    """16 hexadecimal digits over the settings, and over size, beginning and end of each weights file."""
    total = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        if path.suffix in _SETTINGS and path.stat().st_size < 1 << 24:
            total.update(path.name.encode() + path.read_bytes())
        elif path.suffix in _WEIGHTS:
            size = path.stat().st_size
            with path.open("rb") as file:
                head = file.read(_SAMPLE)
                file.seek(max(0, size - _SAMPLE))
                total.update(f"{path.name} {size}".encode() + head + file.read())
    return total.hexdigest()[:16]


def read(folder: Path, what: str, load: Callable[[Any], Any]) -> Any:
    """Run a transformers loader on a folder.

    Args:
        folder: Of the weights.
        what: Named in errors.
        load: Takes the transformers module and returns what it read.

    Raises:
        ToolUnavailable: transformers is not installed.
        InputError: The folder does not hold such weights, or they are pickles, which are not read.
    """
    try:
        import transformers
    except ImportError as error:
        raise ToolUnavailable(
            "Encoders from a folder need transformers.", hint="Install the extra: pip install 'secondread[llm]'."
        ) from error
    files = [p.name for p in folder.iterdir() if p.suffix in _WEIGHTS]
    if not any(name.endswith(".safetensors") for name in files):
        found = f" (only {sorted(files)[0]})" if files else ""
        raise InputError(f"{folder} holds no safetensors weights{found}.", hint="Convert them; pickles are not read.")
    level = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()
    try:
        return load(transformers)
    except (OSError, ValueError, KeyError, RuntimeError, TypeError) as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise InputError(f"{folder} cannot be read as {what}: {reason}") from error
    finally:
        transformers.logging.set_verbosity(level)
