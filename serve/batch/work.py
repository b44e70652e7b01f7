"""What an engine is given and what it gives back: one case with its questions, and its rows and files."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from secondread.serve.batch.case import Case
from secondread.serve.batch.questions import OWN, BatchQuestion

if TYPE_CHECKING:
    from secondread.agent.agent import Agent
    from secondread.agent.config import Settings


@dataclass(frozen=True)
class Work:
    """One case that has rows to come. Plain data: it may travel to another machine."""

    case: Case
    prior: Case | None = None
    have: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    """Rows of the case that are recorded, by question id."""


@dataclass(frozen=True)
class Product:
    """What came of a case."""

    n: int
    rows: tuple[dict[str, Any], ...]
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Pictures and DICOM objects, by path below the folder of the case."""
    notes: tuple[str, ...] = ()
    """What could not be written and why."""


@dataclass(frozen=True)
class Job:
    """What is the same for all cases. It may travel to another machine."""

    questions: tuple[BatchQuestion, ...]
    settings: "Settings"
    open_agent: "Callable[[Settings], Agent]"
    view: str | None = None
    age: float | None = None
    timeout: float | None = None
    retries: int = 1
    overlays: bool = False
    dicom: bool = False
    reports: bool = False
    """A page of every run with its steps, beside the page of the case."""


def questions_for(case: Case, questions: Sequence[BatchQuestion]) -> list[BatchQuestion]:
    """The questions to a case: those of the file that the manifest wants, then its own."""
    wanted = [q for q in questions if case.ask is None or q.id in case.ask]
    return wanted + [BatchQuestion(id=f"{OWN}{k}", question=text) for k, text in enumerate(case.own, 1)]
