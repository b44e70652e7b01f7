"""Asks everything about a case: the part of a batch that every engine runs, whatever machine it is on."""

import io
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from secondread.agent.mapping import Asked, Mapper, Outcome, Reading, Subject
from secondread.kg.graph import core_graph
from secondread.kg.questions import parse
from secondread.serve.batch.case import Case, opener
from secondread.serve.batch.dicomweb import fetch_study
from secondread.serve.batch.questions import BatchQuestion
from secondread.serve.batch.rows import Row, row_of, without_paths
from secondread.serve.batch.work import Job, Product, Work, questions_for

if TYPE_CHECKING:
    from secondread.agent.agent import Agent
    from secondread.schema.answer import Answer

Made = tuple[dict[str, bytes], list[str]]


class Reader:
    """One agent and the questions of a batch.

    Args:
        job: What is asked and how.
        then: Called with each case and its product in a worker thread while its images are still held.
    """

    def __init__(self, job: Job, then: Callable[[Work, Product], None] = lambda work, product: None) -> None:
        self.job = job
        self.agent: Agent = job.open_agent(job.settings)
        self._then = then
        self._scratch = Path(tempfile.mkdtemp(prefix="secondread-batch-"))
        self.mapper = Mapper(self.agent, self._next, finish=self._finish, timeout=job.timeout, retries=job.retries)

    def close(self) -> None:
        """Close the agent and remove what was fetched."""
        self.agent.close()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def subject(self, work: Work) -> Subject:
        """The case as `Agent.map` takes it."""
        case = work.case
        prior = work.prior or (Case(kind="plain", files=case.prior_files, shown=()) if case.prior_files else None)
        return Subject(
            source=opener(case, self._fetch(case)),
            prior=opener(prior, self._fetch(case)) if prior is not None else None,
            view=case.view or self.job.view,
            age=case.age if case.age is not None else self.job.age,
            name=work,
        )

    def _folder(self, case: Case) -> Path:
        return self._scratch / case.key

    def _fetch(self, case: Case) -> Callable[[str, str], Path]:
        def fetch(url: str, study: str) -> Path:
            folder = self._folder(case)
            folder.mkdir(exist_ok=True)
            return fetch_study(url, study, folder)

        return fetch

    def _next(self, reading: Reading) -> Asked | Outcome | None:
        work: Work = reading.subject.name
        rows: dict[str, Row] = dict(work.have)
        for key, outcome in reading.outcomes.items():
            rows[key] = row_of(work.case, outcome, key)
        for question in questions_for(work.case, self.job.questions):
            if question.id not in rows:
                return _asked(question, work, rows)
        return None

    def _finish(self, reading: Reading) -> Product:
        work: Work = reading.subject.name
        files: dict[str, bytes] = {}
        notes: list[str] = []
        for key, answer in reading.answers.items():
            for make in self._makers():
                try:
                    made, said = make(answer)
                except Exception as error:  # a file that cannot be made must not cost the case its rows
                    made, said = {}, [f"Files of a case could not be made: {type(error).__name__}."]
                files |= {f"{key}/{name}": data for name, data in made.items()}
                notes += [without_paths(note, work.case).replace(work.case.key, "An image") for note in said]
        rows = tuple(row_of(work.case, outcome, key) for key, outcome in reading.outcomes.items())
        product = Product(work.case.n, rows, files, tuple(dict.fromkeys(notes)))
        self._then(work, product)
        if work.case.kind == "dicomweb":
            shutil.rmtree(self._folder(work.case), ignore_errors=True)
        return product

    def _makers(self) -> "list[Callable[[Answer], Made]]":
        """What makes the files of an answer: each gives files by name, and what could not be made and why."""
        job = self.job
        wanted = ((job.overlays, _pictures), (job.reports, self._report), (job.dicom, self._dicom))
        return [make for wants, make in wanted if wants]

    def _report(self, answer: "Answer") -> "Made":
        from secondread.serve.report.write import write_report

        with tempfile.TemporaryDirectory(dir=self._scratch) as folder:
            path = Path(folder) / "report.html"
            write_report(self.agent, answer, path)
            return {path.name: path.read_bytes()}, []

    def _dicom(self, answer: "Answer") -> "Made":
        from secondread.serve.dicom_out import write_dicom

        with tempfile.TemporaryDirectory(dir=self._scratch) as folder:
            written = write_dicom(self.agent, answer, Path(folder) / "out")
            return {path.name: path.read_bytes() for path in written.files}, written.notes


def _asked(question: BatchQuestion, work: Work, rows: dict[str, Row]) -> Asked | Outcome:
    """The next question, or the outcome of one whose condition is not met."""
    text, missing = question.worded(work.case.fields)
    asked = Asked(
        text if text is not None else question.question,
        id=question.id,
        choices=question.choices,
        with_prior=_wants_prior(question, text),
        fits=question.misfit,
    )
    unmet = question.follows.unmet(rows.get(question.follows.question)) if question.follows is not None else None
    reason = unmet or (missing if text is None else None)
    return asked if reason is None else Outcome(asked, skipped=reason)


def _wants_prior(question: BatchQuestion, text: str | None) -> bool:
    if question.prior is not None:
        return question.prior
    return text is not None and parse(text, core_graph(), question.choices).needs_prior


def _pictures(answer: "Answer") -> "Made":
    from secondread.serve.export import overlays

    made = {}
    for name, picture in overlays(answer):
        buffer = io.BytesIO()
        picture.save(buffer, format="PNG")
        made[name] = buffer.getvalue()
    return made, []
