"""Where the images of a run came from: a crosswalk that only its owner can read, never part of a trace.

A path can name a person, so it stands here alone; sessions, resumption and reports find the images again by it.
"""

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from secondread.schema.errors import ReplayError
from secondread.schema.record import short_hash

if TYPE_CHECKING:
    from secondread.agent.durable.driving import Request

FOLDER = "private"
_RUN = re.compile(r"[0-9a-f]{8,64}")


def known_run(run: str) -> str:
    """A run id as it is written.

    Raises:
        ReplayError: It is none.
    """
    if not _RUN.fullmatch(run):
        raise ReplayError(f"{run[:80]!r} is no run id.", hint="It stands in the answer's field `trace`.")
    return run


def paths_of(source: Any) -> list[str] | None:
    """Absolute paths, when the source is a path or a list of them; None for anything else, the empty list for none."""
    if source is None:
        return []
    given = list(source) if isinstance(source, list | tuple) else [source]
    if not all(isinstance(one, str | os.PathLike) for one in given):
        return None
    return [os.path.abspath(os.fsdecode(one)) for one in given]


def source_key(request: "Request") -> str:
    """Which files, and which part of them, a question was asked of, as a hash; empty for what was no file."""
    paths, s = paths_of(request.image), request.stated
    return short_hash(["source", paths, s.series, s.slice, s.plane if s.slice else ""]) if paths else ""


def write_sources(folder: Path, run: str, sources: dict[str, Any]) -> None:
    """Keep the sources of a run.

    Args:
        folder: Of the traces.
        run: Its id.
        sources: JSON values: `image`, `prior` (paths or None), `stated`, and what else the run was asked with.
    """
    private = folder / FOLDER
    private.mkdir(parents=True, exist_ok=True, mode=0o700)
    private.chmod(0o700)
    staged = private / f".{run}"
    with os.fdopen(os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(sources, file, ensure_ascii=False)
    os.replace(staged, private / f"{run}.json")


def read_sources(folder: Path, run: str) -> dict[str, Any]:
    """What `write_sources` kept; empty when nothing was."""
    try:
        found = json.loads((folder / FOLDER / f"{known_run(run)}.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ReplayError(f"The sources of run {run} cannot be read: {type(error).__name__}.") from None
    return dict(found)
