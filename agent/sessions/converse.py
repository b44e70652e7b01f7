"""A question of a conversation: what it refers to is put in, its images are found again, its turn is remembered."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from secondread.agent.durable.private import read_sources, source_key
from secondread.agent.sessions.compare import compared
from secondread.agent.sessions.references import refer
from secondread.agent.sessions.turns import Session, Turn
from secondread.agent.settled import trace_path
from secondread.agent.sources import Stated
from secondread.agent.trace import of_type, read_trace
from secondread.kg.graph import core_graph
from secondread.kg.questions import parse
from secondread.schema.answer import Answer
from secondread.schema.errors import UsageError

if TYPE_CHECKING:
    from secondread.agent.agent import Agent
    from secondread.agent.durable.driving import Request

Ask = Callable[["Request"], Awaitable[Answer]]


class Conversations:
    """The conversations of one agent; images that are no files are remembered while it lives.

    Args:
        folder: Of the traces; None keeps everything in memory.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._sessions: dict[str, Session] = {}
        self._images: dict[str, Any] = {}
        self._answers: dict[str, Answer] = {}

    def session(self, name: str) -> Session:
        """The conversation of this name."""
        return self._sessions.setdefault(name, Session(self.folder, name))

    async def ask(self, agent: "Agent", request: "Request", ask: Ask) -> Answer:
        """Answer one question of a conversation.

        Raises:
            UsageError: The image that it refers to was no file and is not in memory any more.
        """
        assert request.session is not None
        session = self.session(request.session)
        turns = session.turns()
        graph = core_graph()
        understood = refer(request.question, turns, graph, new_image=request.image is not None)
        if understood.compare and request.prior is None:
            return await self._compare(agent, request, session, turns, ask)
        meant = replace(request, question=understood.question)
        borrowed = request.image is None and turns and _about_image(understood.question, request)
        if borrowed:
            meant = self._with_image(meant, turns[-1])
        answer = await ask(replace(meant, earlier=tuple(t.told for t in turns)))
        told = [f"Understood as: {understood.question!r}."] if understood.question != request.question else []
        if borrowed:
            told.append("Asked of the image of the turn before.")
        answer = answer.model_copy(update={"warnings": (*told, *answer.warnings)})
        self._remember(session, answer, meant)
        return answer

    def _remember(self, session: Session, answer: Answer, request: "Request") -> None:
        images = tuple(dict.fromkeys(e.image for e in answer.evidence if e.image is not None))
        parsed = parse(request.question, core_graph(), request.choices)
        session.add(answer, parsed, images, source_key(request))
        self._images[answer.trace] = request.image
        self._answers[answer.trace] = answer

    def _with_image(self, request: "Request", turn: Turn) -> "Request":
        """The request, asked of the image of an earlier turn."""
        known = self._images.get(turn.run)
        if known is not None:
            return replace(request, image=known)
        kept = read_sources(self.folder, turn.run) if self.folder is not None else {}
        paths = kept.get("image")
        if paths is None and turn.images:
            raise UsageError("The image of the turn before was no file and is gone.", hint="Hand it over again.")
        if not paths:
            return request
        stated = Stated(**kept["stated"])
        own = request.stated
        return replace(
            request,
            image=paths[0] if len(paths) == 1 else paths,
            stated=replace(stated, view=own.view or stated.view, age=own.age if own.age is not None else stated.age),
        )

    async def _compare(
        self, agent: "Agent", request: "Request", session: Session, turns: list[Turn], ask: Ask
    ) -> Answer:
        """The last value beside that of the image before it."""
        valued = [t for t in turns if t.value is not None]
        if request.image is not None and valued:
            now = await ask(replace(request, question=valued[-1].question))
            self._remember(session, now, replace(request, question=valued[-1].question))
            then = valued[-1]
        elif len(valued) > 1 and (
            before := [t for t in valued[:-1] if t.value and valued[-1].value and t.images != valued[-1].images]
        ):
            now, then = self._answer(agent, valued[-1]), before[-1]
        else:
            return await ask(request)  # says that it needs an earlier image
        if set(then.images) & {e.image for e in now.evidence if e.image}:
            return now.model_copy(
                update={"warnings": (*now.warnings, "It is the image of the turn before: there is nothing to compare.")}
            )
        answer = compared(now, self._answer(agent, then))
        return answer.model_copy(update={"question": request.question})

    def _answer(self, agent: "Agent", turn: Turn) -> Answer:
        """The answer of an earlier turn."""
        if turn.run in self._answers:
            return self._answers[turn.run]
        path = trace_path(agent.settings, turn.run)
        assert path is not None
        found = next(of_type(read_trace(path), "answer"))
        return Answer.model_validate(found["answer"])


def _about_image(question: str, request: "Request") -> bool:
    """Whether a question is about an image rather than of knowledge alone."""
    parsed = parse(question, core_graph(), request.choices)
    return any(a.kind != "knowledge" for a in parsed.asked) or not parsed.asked
