"""Runs a batch: finds the cases, has an engine ask about those with rows to come, and writes what came of it."""

import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from secondread.schema.errors import UsageError
from secondread.schema.record import Record
from secondread.serve.batch.manifest import may_continue, plan_of, write_manifest
from secondread.serve.batch.outputs import write_crosswalk, write_outputs
from secondread.serve.batch.progress import Pace
from secondread.serve.batch.recorder import Recorder
from secondread.serve.batch.rows import Row
from secondread.serve.batch.scan import Given, scan
from secondread.serve.batch.state import OutputFailed, State
from secondread.serve.batch.study_page import study_page
from secondread.serve.batch.where import Where
from secondread.serve.batch.work import Job, Product, Work, questions_for

if TYPE_CHECKING:
    from secondread.serve.batch.case import Case

MOST_NOTES = 50
"""Different reasons in the manifest why a writer could not write."""
MOST_CRASHES = 3
"""Runs or workers that may die while they are at a case; then it is filed as crashed without another try."""


@dataclass(frozen=True)
class Options:
    """How a batch runs; none of it changes what an answer says."""

    resume: bool = False
    retry_failed: bool = False
    where: tuple[Where, ...] = ()
    limit: int | None = None
    """Cases of this run."""
    in_flight: int | None = None
    engine: Literal["local", "ray"] = "local"
    ray: dict[str, Any] = field(default_factory=dict)
    """Arguments of `serve.batch.on_ray.run_on_ray`."""


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
    missing: int = 0
    """Cases with rows to come: left out by `--where` or `--limit`."""

    @property
    def exit_code(self) -> int:
        """1 when something inside failed, else 2 when a case could not be read, else 3 when nothing was answered."""
        if self.internal:
            return 1
        if self.failed:
            return 2
        return 0 if self.answered or not self.abstained else 3


class DryRun(Record):
    """What a batch would do."""

    cases: int
    selected: int
    """Cases that `--where` and `--limit` leave."""
    rows: int
    """Rows that they would have."""
    files: int
    skipped_files: int
    unread: int
    paired: int
    kinds: dict[str, int]
    modalities: dict[str, int]
    questions: tuple[str, ...]


def run_batch(
    given: Given,
    job: Job,
    out: Path,
    options: Options | None = None,
    *,
    progress: Callable[[str], None] = lambda text: None,
) -> Tally:
    """Ask every question about every case of a source; docs/batch.md says what is written into `out`.

    Args:
        given: Folders, archives, files, a manifest, or DICOMweb services. Nothing of it is written.
        job: What is asked and how.
        out: Created when missing.
        options: How it runs.
        progress: Told a line after each case.

    Raises:
        UsageError: Nothing to ask about; `out` holds another batch, one that is not to be resumed, or one that runs.
        OutputFailed: The disk takes nothing more; what was recorded is kept.
    """
    options = options or Options()
    plan = plan_of(job)
    may_continue(out, plan, options.resume)
    fresh = not out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror}.") from None
    names = tuple(q.id for q in job.questions)
    with Recorder(out, names) as recorder:
        state = recorder.state
        state.crashed()
        if options.retry_failed:
            recorder.forget_failed()
        before = sum(state.counts().values())
        try:
            scanned = scan(given, state, names, progress=progress)
        except BaseException:
            if fresh:
                shutil.rmtree(out, ignore_errors=True)
            raise
        write_crosswalk(out, state)
        started = datetime.now(UTC)
        noted: dict[str, Any] = {"started": started, "scanned": scanned, "options": options}
        tally = _tally(state, before, scanned.scan)
        write_manifest(out, plan, job, tally=tally, **noted)
        run = _Run(recorder, job, options, scanned.scan, progress)
        try:
            run.all_of_them()
        finally:
            with suppress(OutputFailed, OSError):
                state.let_go()
                write_manifest(out, plan, job, tally=_tally(state, before, scanned.scan), **noted)
        tally = _tally(state, before, scanned.scan)
        notes = write_outputs(out, recorder, job, progress)
        write_manifest(out, plan, job, tally=tally, **noted, ended=datetime.now(UTC), notes=[*run.notes, *notes])
        return tally


def dry_run(given: Given, job: Job, options: Options | None = None) -> DryRun:
    """What `run_batch` would do; nothing is written and no agent is opened.

    Raises:
        UsageError: Nothing to ask about.
    """
    options = options or Options()
    state = State(None)
    try:
        names = tuple(q.id for q in job.questions)
        scanned = scan(given, state, names)
        kinds: Counter[str] = Counter()
        modalities: Counter[str] = Counter()
        rows = selected = 0
        for case in _chosen(state.cases(scanned.scan), options):
            selected += 1
            rows += len(questions_for(case, job.questions))
            kinds[case.kind] += 1
            modalities.update(case.modalities or (case.format or "unknown",))
        return DryRun(
            cases=scanned.cases,
            selected=selected,
            rows=rows,
            files=scanned.files,
            skipped_files=scanned.skipped,
            unread=scanned.unread,
            paired=scanned.paired,
            kinds=dict(kinds),
            modalities=dict(modalities),
            questions=names,
        )
    finally:
        state.close()


class _Run:
    """One run of an engine over the cases with rows to come."""

    def __init__(
        self, recorder: Recorder, job: Job, options: Options, number: int, progress: Callable[[str], None]
    ) -> None:
        self._recorder, self._job, self._options, self._scan = recorder, job, options, number
        self._progress = progress
        self._left = options.limit
        self._taken: set[int] = set()
        self.notes: list[str] = []
        """What writers could not write, each reason once."""

    def all_of_them(self) -> None:
        """Ask about every case that is chosen and has rows to come."""
        total = self._total()
        if not total:
            return
        self._pace = Pace(total, self._progress)
        if self._options.engine == "ray":
            from secondread.serve.batch.on_ray import run_on_ray

            run_on_ray(self._job, self._works(), self._alone(), self.record, self._lost, **self._options.ray)
            return
        from secondread.serve.batch.local import IN_FLIGHT, run_local

        most = self._options.in_flight or IN_FLIGHT
        run_local(self._job, self._works(), self._alone(), self.record, in_flight=most)

    def _total(self) -> int:
        state = self._recorder.state
        if self._options.where:
            count = sum(1 for _ in _chosen(state.cases(self._scan, todo=True), self._options))
            count += sum(1 for n, _ in state.suspects(self._scan) if self._fits(state.case(n)))
        else:
            count = state.missing(self._scan)
        return count if self._left is None else min(count, self._left)

    def _fits(self, case: "Case") -> bool:
        return all(where.fits(case) for where in self._options.where)

    def _works(self) -> Iterator[Work]:
        for case in self._recorder.state.cases(self._scan, todo=True):
            if not self._fits(case):
                continue
            if not self._take(case.n):
                return
            yield self._work(case)

    def _alone(self) -> Iterator[Work]:
        """Cases at which runs ended, the least suspect first; those that were too often fatal are filed as crashed."""
        state = self._recorder.state
        for n, crashes in state.suspects(self._scan):
            case = state.case(n)
            if not self._fits(case):
                continue
            if not self._take(n):
                return
            work = self._work(case)
            if crashes >= MOST_CRASHES:
                self.record(work, self._crashed(work, crashes))
            else:
                yield work

    def _take(self, n: int) -> bool:
        """Whether `--limit` leaves room for a case; one that was lost meanwhile has its room."""
        if n in self._taken:
            return True
        if self._left is not None and len(self._taken) >= self._left:
            return False
        self._taken.add(n)
        return True

    def _work(self, case: "Case") -> Work:
        state = self._recorder.state
        state.begin(case.n)
        have = {row["question_id"]: row for row in self._recorder.rows_of(case.n)}
        return Work(case, state.case(case.prior) if case.prior is not None else None, have)

    def _lost(self, work: Work) -> bool:
        """A worker died at a case. Returns whether it is to be tried again; if not, it is filed as crashed."""
        crashes = self._recorder.state.crash(work.case.n)
        if crashes < MOST_CRASHES:
            return True
        self.record(work, self._crashed(work, crashes))
        return False

    def _crashed(self, work: Work, crashes: int) -> Product:
        error = {"code": "crashed", "message": f"{crashes} runs ended while they were at this case."}
        rows = tuple(
            {"key": work.case.key, "question_id": q.id, "question": q.question, "error": error, "internal": True,
             "tries": crashes, "seconds": 0.0}
            for q in questions_for(work.case, self._job.questions) if q.id not in work.have
        )  # fmt: skip
        return Product(work.case.n, rows)

    def record(self, work: Work, product: Product) -> None:
        """Record a case with its page."""
        files = dict(product.files)
        rows: list[Row] = [*work.have.values(), *product.rows]
        files["index.html"] = study_page(work.case, rows, sorted(files)).encode()
        for note in product.notes:
            if note not in self.notes and len(self.notes) < MOST_NOTES:
                self.notes.append(note)
        if self._recorder.record(work.case.n, product.rows, files, work.case.key):
            self._pace.one(any("error" in row for row in product.rows))


def _chosen(cases: "Iterator[Case]", options: Options) -> "Iterator[Case]":
    count = 0
    for case in cases:
        if options.limit is not None and count >= options.limit:
            return
        if all(where.fits(case) for where in options.where):
            count += 1
            yield case


def _tally(state: State, before: int, number: int) -> Tally:
    kinds = state.counts()
    rows = sum(kinds.values())
    return Tally(
        rows=rows,
        new=rows - before,
        answered=kinds.get("answered", 0),
        abstained=kinds.get("abstained", 0),
        skipped=kinds.get("skipped", 0),
        failed=kinds.get("failed", 0) + kinds.get("internal", 0),
        internal=kinds.get("internal", 0),
        missing=state.missing(number),
    )
