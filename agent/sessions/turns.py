"""The turns of a conversation, in a file that only its owner can read; its name tells nothing of the session's."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from secondread.agent.consistency import Told
from secondread.agent.told import told_of
from secondread.kg.asked import Question
from secondread.schema.answer import Answer, Claim, Value
from secondread.schema.errors import ReplayError
from secondread.schema.record import Record, short_hash

FOLDER = "sessions"


def session_key(name: str) -> str:
    """How a session is called on disk and in traces: the name itself may hold a person's name."""
    return short_hash(["session", name])


class Turn(Record):
    """One question of a conversation, as it was understood, and what came out."""

    run: str
    question: str
    asked: Question
    images: tuple[str, ...] = ()
    """Ids of the asked images."""
    verdict: str | None = None
    value: Value | None = None
    abstained: bool = False
    claims: tuple[Claim, ...] = ()
    told: Told = Told()
    """What later answers about the same study are held against."""


def told_by(answer: Answer, asked: Question) -> Told:
    """What an answer says of its images. An abstention tells no verdict."""
    if answer.abstained:
        return Told(run=answer.trace)
    thresholds = {a.concept: a.threshold for a in asked.asked if a.threshold is not None}
    ledger = {e.id: e for e in answer.evidence}
    told = told_of(answer.claims, {}, ledger, run=answer.trace, thresholds=thresholds)
    values = {n: m.model_copy(update={"landmarks": ()}) for n, m in told.values.items() if n in told.claimed}
    return told.model_copy(update={"values": values})


class Session:
    """The turns of one conversation.

    Args:
        folder: Of the traces; None keeps the turns in memory.
        name: As the caller calls it.
    """

    def __init__(self, folder: Path | None, name: str) -> None:
        self.key = session_key(name)
        self._path = folder / FOLDER / f"{self.key}.jsonl" if folder is not None else None
        self._turns: list[Turn] = []

    def turns(self) -> list[Turn]:
        """All turns, oldest first.

        Raises:
            ReplayError: The file is damaged.
        """
        if self._path is None:
            return list(self._turns)
        try:
            lines = self._path.read_text(encoding="utf-8").split("\n")
        except FileNotFoundError:
            return []
        except (OSError, UnicodeDecodeError) as error:
            raise ReplayError(f"The session file {self._path} cannot be read: {type(error).__name__}.") from None
        found = []
        for number, line in enumerate(lines[:-1], 1):  # what follows the last newline was torn off
            try:
                found.append(Turn.model_validate_json(line))
            except ValidationError:
                raise ReplayError(f"The session file {self._path}, line {number}, is damaged.") from None
        return found

    def add(self, answer: Answer, asked: Question, images: Sequence[str], source: str = "") -> None:
        """Remember one answered question."""
        turn = Turn(
            run=answer.trace,
            question=asked.text,
            asked=asked,
            images=tuple(images),
            verdict=answer.verdict,
            value=answer.value,
            abstained=answer.abstained,
            claims=answer.claims,
            told=told_by(answer, asked).model_copy(update={"images": tuple(images), "source": source}),
        )
        if self._path is None:
            self._turns.append(turn)
            return
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        line = json.dumps(turn.model_dump(mode="json"), ensure_ascii=False) + "\n"
        with os.fdopen(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "rb+") as file:
            data = file.read()
            whole = data.rfind(b"\n") + 1
            if whole != len(data):
                file.truncate(whole)
            file.write(line.encode())
