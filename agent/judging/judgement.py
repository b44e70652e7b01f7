"""Evidence -> what may be said of one proposition: a verdict with its belief, a value, or why neither."""

from typing import Literal

from secondread.agent.planners.base import Belief
from secondread.schema.evidence import Evidence, Measurement
from secondread.schema.record import Record

Outcome = Literal["yes", "no", "indeterminate", "told", "unanswerable", "not_applicable", "pending"]

WITHDRAWN = "withdrawn"
"""Method of a belief that a clinical rule has taken back."""


class Judgement(Record):
    """What the ledger allows to be said of one proposition."""

    proposition: str
    concept: str
    outcome: Outcome
    """`told`: a value, place, list or relation was found; `pending`: a fitting tool has not run yet; `not_applicable`:
    what it asks of is not there."""
    belief: Belief
    evidence: tuple[str, ...] = ()
    """What the statement rests on, the decisive item first."""
    measurement: Measurement | None = None
    threshold: float | None = None
    view_text: str = ""
    """How the projection and the age were read, for the wording."""
    reasons: tuple[str, ...] = ()
    """Why there is no verdict, in plain words."""
    caveats: tuple[str, ...] = ()
    missing: str | None = None
    """What would have to be installed to answer, or None."""
    undecided: bool = False
    """The evidence is there but does not decide: a closer look may help."""
    closed_by: str | None = None
    """The proposition whose judgement settled this one without a tool call."""


def last_on(ledger: dict[str, Evidence], tool: str, images: tuple[str, ...]) -> Evidence | None:
    """The latest successful evidence of a tool on an image or what was derived from it; derived ones come later."""
    found = [e for e in ledger.values() if e.tool == tool and e.image in images and e.kind != "tool_failure"]
    return max(found, key=lambda e: (images.index(e.image or ""), int(e.id[1:])), default=None)


def failure_of(ledger: dict[str, Evidence], tool: str, images: tuple[str, ...]) -> Evidence | None:
    """The latest failed call of a tool on these images, or None."""
    found = [e for e in ledger.values() if e.tool == tool and e.image in images and e.kind == "tool_failure"]
    return found[-1] if found else None
