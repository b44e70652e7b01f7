"""How a planner's model replied: counts of one question, of a run from its trace, and what an answer says of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from secondread.agent.trace import of_type


@dataclass
class Tally:
    """How a question to a model went, or many of them."""

    mode: str = ""
    """Form of the last reply; empty before the first."""
    calls: int = 0
    """Requests to the model."""
    read: int = 0
    """Replies from which a move or a sentence was read."""
    unread: int = 0
    """Replies that could not be read."""
    failed: int = 0
    """Requests without a reply."""
    given_up: int = 0
    """Questions without any usable reply."""
    pictures: int = 0
    """Pictures sent."""
    picture_bytes: int = 0
    prompt_chars: int = 0
    """Characters of text in the longest prompt."""
    refused: tuple[str, ...] = ()
    """What the server refused: forms of reply, or `picture`."""

    def add(self, other: "Tally") -> None:
        """Count another one in."""
        self.mode = other.mode or self.mode
        for name in ("calls", "read", "unread", "failed", "given_up", "pictures", "picture_bytes"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.prompt_chars = max(self.prompt_chars, other.prompt_chars)
        self.refused = tuple(dict.fromkeys((*self.refused, *other.refused)))


def tally_of(events: Iterable[Mapping[str, Any]]) -> Tally:
    """All questions of a run to its model, counted together."""
    total = Tally()
    for event in of_type([dict(e) for e in events], "model"):
        asked = event.get("asked")
        if asked:
            total.add(Tally(**{**asked, "refused": tuple(asked["refused"])}))
    return total


def remarks(events: Iterable[Mapping[str, Any]], planner: str) -> tuple[str, ...]:
    """Warnings of an answer whose planner did not do all of the planning and wording.

    They hold counts and the planner's name alone: nothing that a model wrote.

    Args:
        events: Of the run.
        planner: Name of its planner.
    """
    told = [dict(e) for e in events]
    steps = [e["by"] for e in of_type(told, "moves")]
    helped = sum(by != planner for by in steps)
    worded = len(list(of_type(told, "words")))
    unworded = len(list(of_type(told, "word_failed")))
    said: list[str] = []
    if helped:
        said.append(f"the built-in planner chose the calls in {helped} of {len(steps)} steps")
    if unworded:
        said.append(f"{unworded} of {worded} wordings came from the templates")
    if not said:
        return ()
    total = tally_of(told)
    counts = [
        f"{count} {what}"
        for count, what in (
            (total.unread, "replies could not be read"),
            (total.failed, "requests had no reply"),
        )
        if count
    ]
    return (f"Planner {planner}: {'; '.join([*said, *counts])}.",)
