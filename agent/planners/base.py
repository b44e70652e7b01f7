"""What the loop and a planner say to each other: the view that goes in, the moves and sentences that come out."""

from collections.abc import Sequence
from typing import Literal, Protocol, Self

from pydantic import Field, JsonValue, model_validator

from secondread.agent.exemplars import Exemplar
from secondread.agent.witnesses import Testimony
from secondread.schema.answer import Budget, Claim
from secondread.schema.evidence import Evidence, Polarity
from secondread.schema.image import ImageInfo
from secondread.schema.record import Record
from secondread.schema.region import Box
from secondread.schema.units import Probability
from secondread.tools.base import Card

PropositionKind = Literal["presence", "value", "comparison", "location", "quality", "listing", "knowledge"]


class Belief(Record):
    """What the ledger says of one proposition so far."""

    probability: Probability | None = None
    """P(the concept is present); None when nothing calibrated backs it."""
    log_odds: float | None = None
    method: str = ""
    """How the probability was made and on what it was fitted, or `uncalibrated`."""
    polarity: Polarity = "uncertain"
    evidence: tuple[str, ...] = ()
    capped: bool = False
    """The image quality limited the log-odds."""
    contradiction: bool = False
    """Independent sources lean to opposite sides."""
    witnesses: tuple[Testimony, ...] = ()
    """What each witness says, those without a calibration included; see `agent.witnesses`."""
    reason: str = ""
    """Why no verdict may be given, or what the belief rests on."""


class Proposition(Record):
    """One thing the question asks about one concept."""

    id: str
    """`P1`, `P2`, .."""
    concept: str
    kind: PropositionKind
    asked: Polarity = "present"
    """`absent` when the question asks whether the concept is missing ("is the heart normal in size")."""
    structure: str | None = None
    """What is measured, for measures that any structure has."""
    laterality: str | None = None
    """`left`, `right`, .. in the patient's sense, when the question names a side."""
    threshold: float | None = None
    """Threshold named in the question; None: that of the tool or the graph."""
    open: bool = True
    """False once it is settled or known to be out of reach, and while its parent is not decided."""
    parent: str | None = None
    """The proposition that it depends on: a no there settles it."""
    belief: Belief | None = None


class Move(Record):
    """One thing a planner wants: a tool call, the answer, or to abstain."""

    action: Literal["call", "answer", "abstain"]
    tool: str | None = None
    """Tool name; set exactly when `action` is `call`."""
    args: dict[str, JsonValue] = Field(default_factory=dict)
    """Fields of the tool's request, e.g. `{"image": "img-.."}`; the runtime fills in prerequisites."""
    why: str = ""
    serves: tuple[str, ...] = ()
    """Proposition ids."""

    @model_validator(mode="after")
    def _tool_of_a_call(self) -> Self:
        if (self.action == "call") != (self.tool is not None):
            raise ValueError("a call names a tool, and only a call does")
        return self


class Refused(Record):
    """A move that the loop did not carry out, and why."""

    move: Move
    reason: str


class Critique(Record):
    """One thing that rethink noticed in the ledger."""

    kind: str
    """`conflict`, `implausible`, `constraint`, `quality`, `unused_tool`, `closer_look`, .."""
    text: str
    propositions: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    """Tools that could settle it."""
    region: Box | None = None
    """Where a closer look is worth it."""


class PlannerView(Record):
    """All that a planner may know. Everything but ids, names and numbers in it is untrusted data."""

    question: str
    kind: str
    """Kind of the question as intake read it: a `PropositionKind`, `choice`, or another word of `kg.questions`."""
    topic: str = "all"
    """For knowledge questions, what is wanted of the concepts; see `kg.asked.Question.topic`."""
    choices: tuple[str, ...] = ()
    propositions: tuple[Proposition, ...] = ()
    images: tuple[ImageInfo, ...] = ()
    cards: tuple[Card, ...] = ()
    """Tools that fit these images and serve what is asked."""
    withheld: tuple[str, ...] = ()
    """Names of the other installed tools: a call of one is refused with the reason."""
    ledger: tuple[Evidence, ...] = ()
    beliefs: dict[str, Belief] = Field(default_factory=dict)
    """By proposition id."""
    budget: Budget = Field(default_factory=Budget)
    open_questions: tuple[str, ...] = ()
    refused: tuple[Refused, ...] = ()
    step: int = 0
    critiques: tuple[Critique, ...] = ()
    exemplars: tuple[Exemplar, ...] = ()
    """Similar cases with what is known of them; about other images, and empty where the setting is off."""


class Sentence(Record):
    """One sentence of the answer and the claims it words."""

    text: str
    claims: tuple[str, ...]
    """Claim ids; the gate drops a sentence that names none."""


class Planner(Protocol):
    """Chooses moves and words results. The loop knows no more of a planner than this."""

    name: str

    @property
    def usage(self) -> int:
        """Language-model tokens used so far; 0 for a planner without one."""

    async def propose(self, view: PlannerView) -> list[Move]:
        """Moves for this step; calls in one list run in parallel.

        Raises:
            PlannerError: No move can be read from the model's reply.
        """

    async def word(self, claims: Sequence[Claim], view: PlannerView) -> list[Sentence]:
        """The accepted claims as sentences, each naming the claims that it words.

        Raises:
            PlannerError: No sentence can be read from the model's reply.
        """
