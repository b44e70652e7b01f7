"""What the parts of the evaluator hand to each other: items, predictions, scored rows and figures."""

from typing import Any, Literal

from pydantic import Field

from secondread.schema.record import Record
from secondread.schema.units import Probability

Kind = Literal["choice", "yes_no", "open", "number", "count", "box", "point", "labels", "report"]


class Item(Record):
    """One question of a benchmark."""

    id: str
    kind: Kind
    question: str
    """As a subject is asked it; options are not part of it."""
    images: tuple[str, ...] = ()
    """Paths below the image folder, in the order of the record."""
    options: dict[str, str] = Field(default_factory=dict)
    """Letter -> text, for `choice`; the texts to choose from for `labels`, each its own key."""
    answer: tuple[str, ...] = ()
    """Right letter, `yes` or `no`, accepted texts, the number as text, or the set of labels."""
    boxes: tuple[tuple[float, float, float, float], ...] = ()
    """For `box`: x0, y0, x1, y1, y downwards, in the unit of the benchmark."""
    points: tuple[tuple[float, float], ...] = ()
    group: str
    """Items of one group stand or fall together (patient, image, pair or report): the unit of every bootstrap."""
    strata: dict[str, str] = Field(default_factory=dict)
    """What is known of the item: `modality`, `sex`, `age`, `site`, `device`, `task`, .."""
    view: str | None = None
    age: float | None = None
    examples: tuple[tuple[str, str, str], ...] = ()
    """Worked examples in context: image path, question, answer."""
    meta: dict[str, Any] = Field(default_factory=dict)
    """What only the benchmark's own metric needs."""


class Problem(Record):
    """One thing that is wrong with the files of a benchmark."""

    where: str
    what: str


class Read(Record):
    """What a reader made of the files."""

    items: tuple[Item, ...]
    problems: tuple[Problem, ...] = ()
    sha256: str
    """Over the files read, by name and content."""


class Prediction(Record):
    """What a subject said of one item."""

    item: str
    subject: str
    text: str = ""
    """The reply as it came."""
    answer: str | None = None
    """Letter, `yes` or `no`, number as text, or free text as read from the reply; None: none could be read."""
    labels: tuple[str, ...] = ()
    boxes: tuple[tuple[float, float, float, float], ...] = ()
    points: tuple[tuple[float, float], ...] = ()
    confidence: Probability | None = None
    """P(the answer is right) as the subject states it."""
    calibrator: str | None = None
    """Id of the calibration record behind the confidence."""
    abstained: bool = False
    """The subject declined; no parse failure."""
    unparsed: bool = False
    """A reply came, but no answer could be read from it."""
    error: str | None = None
    """The subject failed on this item."""
    seconds: float = 0.0
    calls: int = 0
    tokens: int = 0
    meta: dict[str, Any] = Field(default_factory=dict)

    @property
    def answered(self) -> bool:
        """Whether there is an answer to score."""
        return not (self.abstained or self.unparsed or self.error)


class Scored(Record):
    """One prediction beside its truth."""

    item: Item
    prediction: Prediction
    score: float
    """0 to 1; an abstention, a parse failure or an error scores 0."""


class Figure(Record):
    """One number with its interval."""

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None
    n: int
    method: str = ""
    """How the interval was made."""
