"""What flows through the graph: JSON values keyed by id, so that parallel writes merge and state stays readable."""

from typing import Annotated, Any, TypedDict

STATE_SCHEMA = 1


def merge(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Reducer of a channel keyed by id: later writes win per key."""
    return {**old, **new}


def append(old: list[Any], new: list[Any]) -> list[Any]:
    """Reducer of an append-only channel."""
    return [*old, *new]


class LoopState(TypedDict, total=False):
    """State of one run. Every value is JSON; pixels, masks and models stay behind handles in the runtime."""

    schema: int
    run: str
    question: dict[str, Any]
    """`kg.questions.Question`."""
    images: list[str]
    """Ids of the asked images, in the order given."""
    stop: str | None
    """Why intake ends the run before any planning, or None."""
    propositions: list[dict[str, Any]]
    evidence: Annotated[dict[str, dict[str, Any]], merge]
    beliefs: dict[str, dict[str, Any]]
    moves: list[dict[str, Any]]
    decided: bool
    """The planner said that it is ready to answer."""
    hold: bool
    """Dependent propositions wait in this step, until what they depend on is decided."""
    useful: list[str]
    """Tools that the critiques before this step's moves named."""
    refused: Annotated[list[dict[str, Any]], append]
    critiques: list[dict[str, Any]]
    looked: list[str]
    """Images that had their closer look."""
    ruled: bool
    """A draft broke a clinical rule, and the round of thinking that this gives has been taken."""
    exhausted: str | None
    draft: dict[str, Any]
    repairs: int
    verified: dict[str, Any]
    answer: dict[str, Any]
    waits: list[str]
    """Tools of this step's moves that a person has to allow first."""
    denied: list[str]
    """Tools that a person has forbidden in this run."""
    traced: int
    """Events in the trace when the last node ended."""
    spent: dict[str, float]
    """What the run had used of its budget by then."""
