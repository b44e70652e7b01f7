"""Who is examined. A subject maps an item and its image files to a prediction; it never sees the right answer.

agent           the loop with planner, tools, beliefs and gate
no_tools        the same planner with no tool at all
tools_only      every fitting tool once, its raw word taken; no planner, rules, second look, beliefs or gate
chat:SPEC       a bare chat model that gets pictures, question and options, and nothing of this project
blind_chat:SPEC the same without pictures
"""

import base64
import io
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from secondread.evals.bench import parse
from secondread.evals.bench.item import Item, Prediction
from secondread.schema.errors import SecondReadError, UsageError

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from secondread.agent.agent import Agent
    from secondread.agent.config import Settings
    from secondread.schema.answer import Answer
    from secondread.schema.evidence import Evidence

LONGEST_SIDE = 768
"""Pixels that a chat model is shown of the longer side."""


class Subject(Protocol):
    """Something that can be asked."""

    name: str
    about: dict[str, Any]
    """What decides its answers; goes into the config hash."""

    def ask(self, item: Item, images: Sequence[Path]) -> Prediction:
        """The answer to one item.

        Raises:
            SecondReadError: It failed; the runner records it.
        """

    def close(self) -> None:
        """Free what it holds."""


def read_reply(item: Item, text: str) -> dict[str, Any]:
    """The fields of a prediction that a reply in free wording gives."""
    if item.kind == "choice":
        found: Any = parse.letter(text, item.options)
        return {"answer": found, "unparsed": found is None}
    if item.kind == "yes_no":
        found = parse.yes_no(text)
        return {"answer": found, "unparsed": found is None}
    if item.kind in ("number", "count"):
        value = parse.counts(text) if item.kind == "count" else parse.number(text)
        return {"answer": None if value is None else f"{value:g}", "unparsed": value is None}
    if item.kind == "box":
        return {"boxes": parse.boxes(text), "unparsed": not parse.boxes(text)}
    if item.kind == "point":
        return {"points": parse.points(text), "unparsed": not parse.points(text)}
    if item.kind == "labels":
        words = f" {parse.normal(parse.said(text))} "
        labels = tuple(o for o in item.options if f" {parse.normal(o)} " in words)
        return {"labels": labels, "unparsed": not labels}
    said = parse.said(text)
    return {"answer": said, "unparsed": not said}


@dataclass
class AgentSubject:
    """The agent, or the agent without tools."""

    agent: "Agent"
    name: str = "agent"
    about: dict[str, Any] = field(default_factory=dict)

    def ask(self, item: Item, images: Sequence[Path]) -> Prediction:
        """Ask and read verdict, choice, value or text, by the kind of the item."""
        given: Any = None if not images else images[0] if len(images) == 1 else list(images)
        choices = list(item.options.values()) if item.kind == "choice" else None
        if choices is not None and len({c.casefold() for c in choices}) < len(choices):
            return Prediction(item=item.id, subject=self.name, error="two options have the same text")
        started = time.monotonic()
        answer = self.agent.ask(given, item.question, choices=choices, view=item.view, age=item.age)
        return Prediction.model_validate(
            {
                "item": item.id,
                "subject": self.name,
                "text": answer.text,
                "confidence": answer.confidence,
                "calibrator": answer.confidence_method or None,
                "seconds": time.monotonic() - started,
                "calls": answer.budget.calls,
                "tokens": answer.budget.tokens,
                **self._read(item, answer),
            }
        )

    def _read(self, item: Item, answer: "Answer") -> dict[str, Any]:
        if answer.abstained:
            return {"abstained": True, "confidence": None}
        if item.kind == "choice":
            labels = {v.casefold(): k for k, v in item.options.items()}
            said = (answer.choice or "").casefold()
            found = labels.get(said) or (said.upper() if said.upper() in item.options else None)
            return {"answer": found, "abstained": found is None}
        if item.kind == "yes_no":
            found = answer.verdict if answer.verdict in ("yes", "no") else None
            return {"answer": found, "abstained": found is None}
        if item.kind in ("number", "count"):
            found = f"{answer.value.value:g}" if answer.value is not None else None
            number = answer.value
            interval = None if number is None or number.low is None else [number.low, number.high]
            return {"answer": found, "abstained": found is None, "meta": {"interval": interval}}
        return read_reply(item, answer.text)

    def close(self) -> None:
        """Unload."""
        self.agent.close()


@dataclass
class ToolsOnly:
    """Every tool that establishes what is asked, run once; its point value or polarity is the answer."""

    agent: "Agent"
    name: str = "tools_only"
    about: dict[str, Any] = field(default_factory=dict)

    def ask(self, item: Item, images: Sequence[Path]) -> Prediction:
        """The first fitting tool that says something."""
        from secondread.agent.settled import tool_defaults
        from secondread.agent.sources import Stated, hand_over
        from secondread.kg.graph import core_graph
        from secondread.kg.questions import parse as read_question
        from secondread.kg.reason import assessments
        from secondread.tools.runtime.calls import Call

        started = time.monotonic()
        graph, runtime = core_graph(), self.agent.runtime
        asked = read_question(item.question, graph, list(item.options.values()) or None)
        if not images:
            return Prediction(item=item.id, subject=self.name, abstained=True)
        handed = hand_over(runtime.store, images[0], None, Stated(view=item.view, age=item.age), films=True)
        wanted = [c for a in asked.concepts for c in (a, *(m.measurement for m in assessments(graph, a)))]
        names = list(dict.fromkeys(t.card.name for c in wanted for t in runtime.catalogue.establishing(c)))
        made: list[Evidence] = []
        for name in names:
            try:
                call = Call(tool=name, args={"image": handed.infos[0].ref.id})
                ran = runtime.submit(runtime.run([call], defaults=tool_defaults(self.agent.settings))).result()
                made += [e for e in ran.values() if e.tool == name]
            except SecondReadError:
                continue
        said = _raw_word(item, wanted, made)
        return Prediction(
            item=item.id,
            subject=self.name,
            answer=said,
            abstained=said is None,
            seconds=time.monotonic() - started,
            calls=len(made),
        )

    def close(self) -> None:
        """Unload."""
        self.agent.close()


def _raw_word(item: Item, wanted: Sequence[str], made: "Sequence[Evidence]") -> str | None:
    """Point value against threshold, or polarity, of the first result that has one."""
    from secondread.schema.evidence import Findings, Measurements

    for concept in wanted:
        for evidence in made:
            if isinstance(evidence.result, Measurements):
                found = evidence.result.get(concept)
                if found is None or found.value is None:
                    continue
                if item.kind in ("number", "count", "open"):
                    return f"{found.value:g}"
                if item.kind == "yes_no" and found.threshold is not None:
                    above = found.value > found.threshold.value
                    return "yes" if above == (found.threshold.direction == "above") else "no"
            elif isinstance(evidence.result, Findings) and item.kind == "yes_no":
                one = evidence.result.get(concept)
                if one is not None and one.polarity != "uncertain":
                    return "yes" if one.polarity == "present" else "no"
    return None


@dataclass
class ChatSubject:
    """Any chat model by itself."""

    model: "BaseChatModel"
    name: str
    about: dict[str, Any] = field(default_factory=dict)
    pictures: bool = True
    samples: int = 1
    """Replies asked for; with more than one the most frequent answer counts. Sampling is the model's own."""

    def ask(self, item: Item, images: Sequence[Path]) -> Prediction:
        """One message with pictures, question and options; the reply is parsed, what cannot be read is counted."""
        from langchain_core.messages import HumanMessage
        from langchain_core.messages.content import create_image_block, create_text_block

        shown = images if self.pictures else ()
        blocks: list[Any] = [create_image_block(base64=picture(p), mime_type="image/png") for p in shown]
        blocks.append(create_text_block(prompt(item)))
        started = time.monotonic()
        replies = [self.model.invoke([HumanMessage(content_blocks=blocks)]) for _ in range(self.samples)]
        texts = [str(reply.text) for reply in replies]
        chosen, witnesses = heard_replies(item, texts, replies)
        text = texts[chosen]
        used = [u for reply in replies if (u := getattr(reply, "usage_metadata", None))]
        return Prediction.model_validate(
            {
                "item": item.id,
                "subject": self.name,
                "text": text,
                "seconds": time.monotonic() - started,
                "calls": len(replies),
                "tokens": sum(int(u["total_tokens"]) for u in used),
                "meta": {"witnesses": witnesses} if witnesses else {},
                **read_reply(item, text),
            }
        )

    def close(self) -> None:
        """Nothing is held."""


def heard_replies(item: Item, texts: Sequence[str], replies: Sequence[Any]) -> tuple[int, dict[str, float]]:
    """Which reply counts, and what agreement and token log-probabilities say: support, no confidence."""
    from secondread.agent.witnesses import sample_agreement, token_log_probability

    answers = [read_reply(item, text).get("answer") for text in texts]
    best, agreement = sample_agreement(answers)
    chosen = answers.index(best) if best is not None else 0
    logs = token_log_probability(getattr(replies[chosen], "response_metadata", {}) or {})
    return chosen, {w.witness: w.value for w in (agreement, logs) if w is not None}


def prompt(item: Item) -> str:
    """What a bare model is asked: worked examples, the question, the options and the form of the reply."""
    from secondread.prompts import read

    shown = "".join(f"Question: {q}\nAnswer: {a}\n\n" for _, q, a in item.examples)
    listed = "\n".join(f"{k}. {v}" for k, v in item.options.items()) if item.kind == "choice" else ""
    if item.kind == "labels":
        listed = "Any of: " + ", ".join(item.options)
    return read(
        "bench/ask", examples=shown, question=item.question, options=listed, form=read(f"bench/form_{item.kind}")
    )


def picture(path: Path) -> str:
    """An image file as base64 PNG, as the program itself shows it."""
    from PIL import Image

    from secondread.imaging.draw.render import thumbnail
    from secondread.imaging.load import load

    plain = path.suffix.lower() in (".png", ".jpg", ".jpeg")
    shown = Image.open(path) if plain else thumbnail(load(path).grey, LONGEST_SIDE)
    shown = shown.convert("RGB")
    shown.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    buffer = io.BytesIO()
    shown.save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def subject_from(spec: str, settings: "Settings", samples: int = 1) -> Subject:
    """A subject by its name on the command line.

    Raises:
        UsageError: There is none of that name, or its planner cannot be set up.
    """
    from secondread.agent.agent import Agent

    about = {"spec": spec, "planner": settings.planner, "risk": settings.risk, "rethink": settings.rethink}
    made: dict[str, Callable[[], Subject]] = {
        "agent": lambda: AgentSubject(Agent(settings.planner, settings=settings), "agent", about),
        "no_tools": lambda: AgentSubject(Agent(settings.planner, tools=(), settings=settings), "no_tools", about),
        "tools_only": lambda: ToolsOnly(Agent(settings=settings), "tools_only", about),
    }
    if spec in made:
        return made[spec]()
    kind, colon, model = spec.partition(":")
    if kind in ("chat", "blind_chat") and colon:
        from secondread.agent.planners.models import chat_model

        about["samples"] = samples
        return ChatSubject(chat_model(model, settings), spec, about, pictures=kind == "chat", samples=samples)
    raise UsageError(
        f"There is no subject {spec[:80]!r}.", hint=f"Use {', '.join(made)}, chat:SPEC or blind_chat:SPEC."
    )
