"""The record of a parsed question."""

from typing import Literal

from secondread.schema.evidence import Polarity
from secondread.schema.record import Record

AskedKind = Literal["presence", "value", "comparison", "location", "quality", "listing", "knowledge"]
QuestionKind = Literal[
    "presence", "value", "comparison", "location", "quality", "listing", "knowledge", "choice", "unknown"
]


class Asked(Record):
    """One thing asked about one concept; becomes one proposition of the loop."""

    kind: AskedKind
    concept: str
    """Concept id; for a value the measurement, for a listing the tool that makes the list."""
    structure: str | None = None
    """What is measured, for measures that any structure has: the liver in "volume of the liver"."""
    polarity: Polarity = "present"
    """`absent` when a yes to the question means that the concept is missing ("is the heart normal in size")."""
    laterality: str | None = None
    """Patient's side in the question. For a comparison: the side that the question calls larger."""
    threshold: float | None = None
    """Limit named in the question."""
    direction: Literal["above", "below"] | None = None
    """Side of `threshold` that a yes means."""
    unit: str | None = None
    """Unit in which the value is wanted, e.g. `mm`."""


class Choice(Record):
    """One answer of a multiple-choice question and what choosing it would state."""

    label: str
    """`A`, `B`, .. as written, or the text itself when there are no labels."""
    text: str
    answer: Literal["yes", "no", "uncertain"] | None = None
    """Set when the choice answers the question's own proposition."""
    concept: str | None = None
    """Concept that the choice names."""
    polarity: Polarity = "present"
    laterality: str | None = None
    low: float | None = None
    high: float | None = None
    """Range of values, low < value <= high; an open end is None."""


class Question(Record):
    """What a question asks, in concepts of the graph."""

    text: str
    kind: QuestionKind
    """Kind of its first item; `choice` when answers to choose from were understood."""
    asked: tuple[Asked, ...] = ()
    choices: tuple[Choice, ...] = ()
    unlinked: tuple[str, ...] = ()
    """Noun phrases that seem to be asked about and that the graph lacks."""
    topic: str = "all"
    """For knowledge: `definition`, `meaning`, `causes`, `relation`, `support`, `limits`, `assessment`, `place` or
    `all`."""
    needs_prior: bool = False
    """It asks about change, so one film cannot answer it."""
    reason: str = ""
    """Why nothing is asked of the tools; empty when something is."""

    @property
    def concepts(self) -> tuple[str, ...]:
        """Concept ids asked about, in order, each once."""
        return tuple(dict.fromkeys(a.concept for a in self.asked))

    @property
    def polarity(self) -> Polarity:
        """Polarity of the first item."""
        return self.asked[0].polarity if self.asked else "present"

    @property
    def laterality(self) -> str | None:
        """Side of the first item."""
        return self.asked[0].laterality if self.asked else None

    @property
    def threshold(self) -> float | None:
        """Limit of the first item that names one."""
        return next((a.threshold for a in self.asked if a.threshold is not None), None)
