"""What follows from the settings alone: arguments of tools, where a trace lies."""

from pathlib import Path
from typing import Any

from secondread.agent.config import Settings
from secondread.schema.errors import UsageError


def tool_defaults(settings: Settings) -> dict[str, dict[str, Any]]:
    """Arguments that the settings give to tools: ensemble members, for out-of-fold evaluation."""
    defaults: dict[str, dict[str, Any]] = {}
    if settings.anatomy_members:
        defaults["chest_anatomy"] = {"members": settings.anatomy_members}
    if settings.cell_detector != "built_in":
        if not {"copyleft", "AGPL-3.0-only"} & set(settings.allowed_licences):
            raise UsageError("The YOLO detector is under AGPL-3.0, which the setting allowed_licences lacks.")
        defaults["blood_cells"] = {"detector": settings.cell_detector}
    if settings.guard_member is not None:
        defaults["chest_film_guard"] = {"member": settings.guard_member}
    return defaults


def trace_path(settings: Settings, run: str) -> Path | None:
    """Where the trace of a run lies, or None when traces are kept in memory only."""
    return settings.trace_dir / f"{run}.jsonl" if settings.trace_dir else None
