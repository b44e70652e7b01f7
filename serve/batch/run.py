"""Runs a batch: one warm agent, one row per image and question, every case on its own."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from secondread.schema.errors import SecondReadError, UsageError
from secondread.schema.record import Record, short_hash
from secondread.serve.batch.folder import images_in, keys_for
from secondread.serve.batch.journal import Journal, write_whole
from secondread.serve.batch.questions import BatchQuestion

if TYPE_CHECKING:
    from secondread.agent.agent import Agent
    from secondread.agent.config import Settings
    from secondread.schema.answer import Answer

RESULTS, DEAD, MANIFEST, CROSSWALK = "results.jsonl", "dead_letters.jsonl", "manifest.json", "crosswalk.csv"
ROW_SCHEMA = 1
NOT_COMPARED = frozenset({"trace_dir", "data_dir", "pixel_budget_mb", "model_budget_mb", "threads", "offline"})
"""Settings that change where or how fast a batch runs, not what it answers."""
PACKAGES = ("secondread", "torch", "numpy", "pydicom", "langgraph", "langchain-core")


class Tally(Record):
    """How a batch ended."""

    rows: int
    """Rows in the results, over all runs."""
    new: int
    """Rows of this run."""
    answered: int
    abstained: int
    skipped: int
    failed: int
    internal: int
    """Failed rows that are not the input's fault."""

    @property
    def exit_code(self) -> int:
        """1 when something inside failed, else 2 when a case could not be read, else 3 when nothing was answered."""
        if self.internal:
            return 1
        if self.failed:
            return 2
        return 0 if self.answered or not self.abstained else 3


def run_batch(
    folder: Path,
    questions: Sequence[BatchQuestion],
    out: Path,
    *,
    settings: "Settings",
    open_agent: "Callable[[Settings], Agent]",
    view: str | None = None,
    age: float | None = None,
    resume: bool = False,
    progress: Callable[[str], None] = lambda text: None,
) -> Tally:
    """Ask every question about every image of a folder.

    Writes into `out`: `results.jsonl` (a row as soon as it is known), `crosswalk.csv` (key to path, mode 0600),
    `dead_letters.jsonl` (rows with an error) and `manifest.json`. Rows name an image by key only.

    Args:
        folder: Searched with its sub-folders.
        questions: What is asked.
        out: Created when missing.
        settings: Of the one agent that answers everything.
        open_agent: Makes it; called only when there is something to do.
        view: Projection stated for every image.
        age: Age in years stated for every image.
        resume: Go on with the rows that are there. Without it, rows of an earlier run are an error.
        progress: Told after each row.

    Raises:
        UsageError: The folder is missing or has no images; `out` holds another batch, or one that is not to be resumed.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder.")
    root = folder.resolve()
    paths = list(images_in(folder, leave_out=out))
    if not paths:
        raise UsageError(f"{folder} has no images.", hint="Looked for PNG, JPEG, TIFF and DICOM files.")
    plan = _plan(questions, settings, view, age)
    _may_continue(out, plan, resume)
    out.mkdir(parents=True, exist_ok=True)
    with Journal(out / RESULTS) as journal:
        names = [str(p.relative_to(root)) for p in paths]
        keys = keys_for(names, out / CROSSWALK)
        done = journal.done()
        cases = [(p, keys[n]) for p, n in zip(paths, names, strict=True)]
        todo = [(p, k, [q for q in questions if (k, q.id) not in done]) for p, k in cases]
        todo = [case for case in todo if case[2]]
        started = datetime.now(UTC)
        _manifest(out, plan, settings, journal, started, images=len(paths))
        new = 0
        if todo:
            agent = open_agent(settings)
            try:
                for path, key, asked in todo:
                    for question in asked:
                        journal.append(_row(agent, path, key, question, view, age))
                        new += 1
                        progress(f"{len(journal.rows)} of {len(cases) * len(questions)} rows")
            finally:
                agent.close()
                _dead_letters(out, journal)
        _dead_letters(out, journal)
        _manifest(out, plan, settings, journal, started, images=len(paths), ended=datetime.now(UTC))
        return _tally(journal, new)


def _plan(
    questions: Sequence[BatchQuestion], settings: "Settings", view: str | None, age: float | None
) -> dict[str, Any]:
    """What decides the answers; two runs with equal plans may share one results file."""
    return {
        "row_schema": ROW_SCHEMA,
        "questions": [q.model_dump(mode="json") for q in questions],
        "settings": settings.model_dump(mode="json", exclude=set(NOT_COMPARED)),
        "view": view,
        "age": age,
    }


def _may_continue(out: Path, plan: dict[str, Any], resume: bool) -> None:
    results, manifest = out / RESULTS, out / MANIFEST
    if not results.exists():
        return
    if not resume and results.stat().st_size:
        raise UsageError(f"{out} holds the rows of an earlier batch.", hint="Use --resume or another --out.")
    try:
        before = json.loads(manifest.read_text(encoding="utf-8"))["plan_sha256"]
    except (OSError, ValueError, KeyError):
        before = None
    if before is not None and before != short_hash(plan, 64):
        raise UsageError(
            f"{out} holds a batch with other questions or settings.", hint="Use the same ones, or another --out."
        )


def _row(
    agent: "Agent", path: Path, key: str, question: BatchQuestion, view: str | None, age: float | None
) -> dict[str, Any]:
    """One row; whatever goes wrong with this case stays in its row."""
    row: dict[str, Any] = {"key": key, "question_id": question.id, "question": question.question}
    started = perf_counter()
    try:
        misfit = None
        if question.when:
            from secondread.imaging.load import load

            misfit = question.misfit(load(path, view=view, age=age).info)
        if misfit is not None:
            row |= {"skipped": misfit}
        else:
            row |= _answered(agent.ask(path, question.question, choices=question.choices, view=view, age=age))
    except SecondReadError as error:
        row |= {"error": {"code": error.code, "message": _without_path(error.message, path, key)}}
        row["internal"] = error.exit_code == 1
    except Exception as error:  # a defect met on one case must not cost the others their rows
        row |= {"error": {"code": "internal", "message": f"{type(error).__name__}"}, "internal": True}
    row["seconds"] = round(perf_counter() - started, 3)
    return row


def _answered(answer: "Answer") -> dict[str, Any]:
    cited = {e for claim in answer.claims for e in claim.evidence}
    return {
        "image": next((e.image for e in answer.evidence if e.image is not None), None),
        "text": answer.text,
        "verdict": answer.verdict,
        "value": answer.value.model_dump(mode="json") if answer.value is not None else None,
        "choice": answer.choice,
        "confidence": answer.confidence,
        "confidence_method": answer.confidence_method,
        "abstained": answer.abstained,
        "reason": answer.abstain_reason,
        "claims": [c.model_dump(mode="json") for c in answer.claims],
        "evidence": [
            {"id": e.id, "tool": e.tool, "tool_version": e.tool_version, "weights": e.weights, "summary": e.summary}
            for e in answer.evidence
            if e.id in cited
        ],
        "warnings": list(answer.warnings),
        "trace": answer.trace,
    }


def _without_path(message: str, path: Path, key: str) -> str:
    """The message with the key in place of every spelling of the path."""
    for spelling in (str(path), str(path.resolve()), path.name):
        message = message.replace(spelling, key)
    return message


def _dead_letters(out: Path, journal: Journal) -> None:
    lines = [json.dumps(row, ensure_ascii=False) for row in journal.failed()]
    write_whole(out / DEAD, "".join(line + "\n" for line in lines))


def _tally(journal: Journal, new: int) -> Tally:
    kinds = Counter(
        "failed" if "error" in r else "skipped" if "skipped" in r else "abstained" if r["abstained"] else "answered"
        for r in journal.rows
    )
    return Tally(
        rows=len(journal.rows),
        new=new,
        answered=kinds["answered"],
        abstained=kinds["abstained"],
        skipped=kinds["skipped"],
        failed=kinds["failed"],
        internal=sum(1 for r in journal.rows if r.get("internal")),
    )


def _manifest(
    out: Path,
    plan: dict[str, Any],
    settings: "Settings",
    journal: Journal,
    started: datetime,
    *,
    images: int,
    ended: datetime | None = None,
) -> None:
    from secondread.tools.catalogue import catalogue

    cards = catalogue().cards()
    manifest = {
        "plan": plan,
        "plan_sha256": short_hash(plan, 64),
        "versions": {name: _version(name) for name in PACKAGES},
        "tools": {c.name: c.version for c in cards},
        "weights": {c.name: c.weights.sha256 for c in cards if c.weights is not None},
        "settings": settings.model_dump(mode="json", exclude={"trace_dir", "data_dir"}),
        "images": images,
        "started": started.isoformat(timespec="seconds"),
        "ended": ended.isoformat(timespec="seconds") if ended else None,
        "tally": _tally(journal, 0).model_dump(exclude={"new"}),
    }
    write_whole(out / MANIFEST, json.dumps(manifest, ensure_ascii=False, indent=2) + "\n")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
