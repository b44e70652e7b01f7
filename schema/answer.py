"""Claims, and the answer that is made of them."""

from typing import Literal

from pydantic import Field

from secondread.schema.evidence import Evidence, Polarity
from secondread.schema.record import Record
from secondread.schema.units import Probability

RESEARCH_USE = "Research use only; not a medical device."


class Claim(Record):
    """One checkable statement."""

    id: str
    concept: str
    polarity: Polarity
    text: str
    probability: Probability | None = None
    probability_method: str = ""
    location: str | None = None
    """`left`, `right`, .. in the patient's sense, or None."""
    evidence: tuple[str, ...]


class Value(Record):
    """The number a question asked for."""

    name: str
    value: float
    unit: str
    low: float | None = None
    high: float | None = None
    level: Probability | None = None


class Budget(Record):
    """What the run was allowed and what it used."""

    steps: int = 0
    max_steps: int = 0
    calls: int = 0
    max_calls: int = 0
    tokens: int = 0
    max_tokens: int = 0
    seconds: float = 0.0
    max_seconds: float = 0.0
    exhausted: str | None = None
    """Name of the limit that ended the run, or None."""


class Answer(Record):
    """What `Agent.ask` returns and `--json` prints."""

    question: str
    text: str
    verdict: Literal["yes", "no", "indeterminate"] | None = None
    value: Value | None = None
    choice: str | None = None
    confidence: Probability | None = None
    """P(the stated verdict or choice is right); None when nothing calibrated backs it."""
    confidence_method: str = ""
    abstained: bool = False
    abstain_reason: str | None = None
    claims: tuple[Claim, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    warnings: tuple[str, ...] = ()
    trace: str = ""
    """Run id."""
    budget: Budget = Field(default_factory=Budget)
    notice: str = RESEARCH_USE

    def evidence_by_id(self, evidence_id: str) -> Evidence:
        """The evidence with this id.

        Raises:
            KeyError: No claim or tool produced such an id in this answer.
        """
        for item in self.evidence:
            if item.id == evidence_id:
                return item
        raise KeyError(evidence_id)
