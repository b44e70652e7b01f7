"""`manifest.json`: what a batch was run with, so that it can be repeated and told from another one."""

import json
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from secondread.schema.errors import UsageError
from secondread.schema.record import Record, short_hash
from secondread.serve.batch.recorder import RESULTS, write_bytes, writing
from secondread.serve.batch.rows import ROW_SCHEMA

if TYPE_CHECKING:
    from secondread.serve.batch.run import Options
    from secondread.serve.batch.scan import Scanned
    from secondread.serve.batch.work import Job

MANIFEST = "manifest.json"
NOT_COMPARED = frozenset(
    {"trace_dir", "data_dir", "cache_dir", "cache_mb", "checkpoints", "pixel_budget_mb", "model_budget_mb", "threads",
     "offline", "device"}
)  # fmt: skip
"""Settings that change where or how fast a batch runs, not what it answers."""
PACKAGES = ("secondread", "torch", "numpy", "pydicom", "langgraph", "langchain-core")
READABLE = 0o644


def plan_of(job: "Job") -> dict[str, Any]:
    """What decides the answers; two runs with equal plans may share one results file."""
    from secondread.tools.catalogue import catalogue

    cards = catalogue(job.settings.allowed_licences).cards()
    return {
        "row_schema": ROW_SCHEMA,
        "questions": [q.model_dump(mode="json", exclude_defaults=True) for q in job.questions],
        "settings": job.settings.model_dump(mode="json", exclude=set(NOT_COMPARED)),
        "view": job.view,
        "age": job.age,
        "tools": {c.name: c.version for c in cards},
        "weights": {c.name: c.weights.sha256 for c in cards if c.weights is not None},
    }


def may_continue(out: Path, plan: dict[str, Any], resume: bool) -> None:
    """Refuse an output folder that holds another batch.

    Raises:
        UsageError: It does, or it holds rows and the batch is not to be resumed.
    """
    results = out / RESULTS
    if not results.exists():
        return
    if not resume and results.stat().st_size:
        raise UsageError(f"{out} holds the rows of an earlier batch.", hint="Use --resume or another --out.")
    try:
        before = json.loads((out / MANIFEST).read_text(encoding="utf-8"))["plan"]
    except (OSError, ValueError, KeyError):
        return
    changed = sorted(name for name in plan if before.get(name) != json.loads(json.dumps(plan[name])))
    if changed:
        raise UsageError(
            f"{out} holds a batch with other {' and '.join(changed).replace('_', ' ')}.",
            hint="Use the same questions, settings and version, or another --out.",
        )


def write_manifest(
    out: Path,
    plan: dict[str, Any],
    job: "Job",
    *,
    tally: Record,
    started: datetime,
    scanned: "Scanned",
    options: "Options",
    ended: datetime | None = None,
    notes: list[str] | None = None,
) -> None:
    """Write the manifest; it names no path of the input and no person."""
    where = [f"{one.name} {one.operator} {len(one.values)} values" for one in options.where]
    manifest = {
        "plan": plan,
        "plan_sha256": short_hash(plan, 64),
        "versions": {name: _version(name) for name in PACKAGES},
        "tools": plan["tools"],
        "weights": plan["weights"],
        "settings": job.settings.model_dump(
            mode="json", exclude={"trace_dir", "data_dir", "cache_dir", "corpora", "graphs"}
        ),
        "run": {
            "engine": options.engine,
            "in_flight": options.in_flight,
            "limit": options.limit,
            "where": where,
            "timeout": job.timeout,
            "retries": job.retries,
            "overlays": job.overlays,
            "dicom": job.dicom,
            "reports": job.reports,
        },
        "cases": scanned.cases,
        "files": scanned.files,
        "skipped_files": scanned.skipped,
        "unread": scanned.unread,
        "paired": scanned.paired,
        "started": started.isoformat(timespec="seconds"),
        "ended": ended.isoformat(timespec="seconds") if ended else None,
        "tally": tally.model_dump(exclude={"new"}),
        "notes": notes or [],
    }
    text = json.dumps(manifest, ensure_ascii=False, indent=2, default=str) + "\n"
    with writing(out):
        write_bytes(out / MANIFEST, text.encode(), READABLE)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
