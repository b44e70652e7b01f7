"""A planner over any langchain chat model: the view becomes messages, the reply becomes moves or sentences."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

from secondread.agent.planners.base import Move, PlannerView, Sentence
from secondread.agent.planners.fences import fence, tame
from secondread.agent.planners.replies import MAX_MOVES, MAX_SENTENCES, moves_of, sentences_of
from secondread.prompts import read
from secondread.schema.answer import Claim
from secondread.schema.errors import PlannerError, ToolUnavailable
from secondread.schema.evidence import Evidence, Passages, SimilarCases
from secondread.tools.base import Card

REPAIRS = 2
"""Further tries after a reply that cannot be read."""
MAX_LEDGER = 40
"""Latest evidence items that a model is shown."""
Schema = dict[str, Any]
T = TypeVar("T")


class ChatPlanner:
    """Asks a chat model for moves and wordings. What it returns is a wish: the loop and the gate decide.

    Args:
        model: Any langchain chat model.
        timeout: Seconds for one call of the model.
        pixels: Gives the PNG bytes of an image id; None sends text only.
        schema: JSON schema of a tool's arguments by tool name; None reads the installed tools.
        name: How traces call this planner.
    """

    def __init__(
        self,
        model: BaseChatModel,
        *,
        timeout: float = 60.0,
        pixels: Callable[[str], bytes] | None = None,
        schema: Callable[[str], Schema] | None = None,
        name: str | None = None,
    ) -> None:
        self.model = model
        self.name = name or f"chat:{model._llm_type}"
        self.usage = 0
        self._timeout = timeout
        self._pixels = pixels
        self._schema = schema or installed_schema

    async def propose(self, view: PlannerView) -> list[Move]:
        """See `Planner.propose`."""
        specs = [tool_spec(card, view, self._schema(card.name)) for card in view.cards]
        bound, native = self._bound([*specs, *FINAL_SPECS])
        how = read("planner/reply_tools") if native else read("planner/reply_json", tools=_listed(specs))
        system = read("planner/think", max_moves=str(MAX_MOVES), how_to_reply=how.strip())
        messages = self._messages(system, view)

        def parse(reply: AIMessage) -> list[Move]:
            return moves_of(
                str(reply.text),
                [{"name": c["name"], "args": c["args"]} for c in reply.tool_calls],
                tools={c.name for c in view.cards},
                images=_images(view),
                needs_image={c.name for c in view.cards if c.image == "required"},
            )

        def repair(problem: str) -> str:
            return read("planner/repair", problem=fence(problem), how_to_reply=how.strip())

        return await self._ask(bound, messages, parse, repair)

    async def word(self, claims: Sequence[Claim], view: PlannerView) -> list[Sentence]:
        """See `Planner.word`. The text of a sentence is not trusted: the gate checks it."""
        if not claims:
            return []
        told = [{"id": c.id, "polarity": c.polarity, "text": c.text, "evidence": list(c.evidence)} for c in claims]
        system = read("planner/word", max_sentences=str(min(MAX_SENTENCES, 2 * len(claims))))
        messages: list[BaseMessage] = [
            SystemMessage(system),
            HumanMessage(f"Question:\n{fence(view.question)}\n\nClaims:\n{fence(told)}\n{_noted(view)}"),
        ]
        ids = {c.id for c in claims}
        return await self._ask(
            self.model,
            messages,
            lambda reply: sentences_of(str(reply.text), ids),
            lambda problem: read("planner/word_repair", problem=fence(problem)),
        )

    def _bound(self, specs: Sequence[Schema]) -> tuple[Any, bool]:
        """The model with tools offered, or the bare model when it takes none."""
        try:
            return self.model.bind_tools(specs), True
        except NotImplementedError:
            return self.model, False

    def _messages(self, system: str, view: PlannerView) -> list[BaseMessage]:
        text = render(view)
        if self._pixels is None or not view.images:
            return [SystemMessage(system), HumanMessage(text)]
        from base64 import b64encode

        from langchain_core.messages.content import create_image_block, create_text_block

        blocks: list[Any] = [create_text_block(text)]
        for info in view.images:
            png = b64encode(self._pixels(info.ref.id)).decode("ascii")
            blocks.append(create_image_block(base64=png, mime_type="image/png"))
        return [SystemMessage(system), HumanMessage(content_blocks=blocks)]

    async def _ask(
        self,
        model: Any,
        messages: list[BaseMessage],
        parse: Callable[[AIMessage], T],
        repair: Callable[[str], str],
    ) -> T:
        """Call the model until a reply can be read, at most `REPAIRS` times more."""
        problem = ""
        for _ in range(REPAIRS + 1):
            reply = await self._call(model, messages)
            try:
                return parse(reply)
            except PlannerError as error:
                problem = error.message
            messages = [*messages, AIMessage(tame(str(reply.text), 2000) or "(empty)"), HumanMessage(repair(problem))]
        raise PlannerError(f"{self.name}: {problem}")

    async def _call(self, model: Any, messages: list[BaseMessage]) -> AIMessage:
        try:
            reply = await asyncio.wait_for(model.ainvoke(messages), self._timeout)
        except TimeoutError:
            raise PlannerError(f"{self.name} did not reply within {self._timeout:g} s.") from None
        except Exception as error:  # whatever a provider's client raises: its text may hold keys or addresses
            raise PlannerError(f"{self.name} failed: {type(error).__name__}.") from error
        if not isinstance(reply, AIMessage):
            raise PlannerError(f"{self.name} gave a {type(reply).__name__}, not a reply.")
        used = reply.usage_metadata
        shown = sum(len(str(m.text)) for m in messages) + len(str(reply.text))
        self.usage += int(used["total_tokens"]) if used else 1 + shown // 4
        return reply


def _images(view: PlannerView) -> tuple[str, ...]:
    """Ids of the asked images and of those derived from them."""
    from secondread.schema.evidence import DerivedImage

    derived = [e.result.image for e in view.ledger if isinstance(e.result, DerivedImage)]
    return tuple(dict.fromkeys((*(i.ref.id for i in view.images), *derived)))


def installed_schema(name: str) -> Schema:
    """JSON schema of an installed tool's arguments without its prerequisites; for other tools an image."""
    from secondread.tools.catalogue import catalogue

    try:
        tool = catalogue().get(name)
    except ToolUnavailable:
        return {"type": "object", "properties": {"image": {"type": "string"}}}
    schema = tool.Request.model_json_schema()
    properties = {k: v for k, v in schema.get("properties", {}).items() if k not in tool.card.needs}
    kept: Schema = {"type": "object", "properties": properties}
    if "$defs" in schema:
        kept["$defs"] = schema["$defs"]
    return kept


def tool_spec(card: Card, view: PlannerView, schema: Schema) -> Schema:
    """A card as a function that chat models can call; the image is one of this run."""
    properties: dict[str, Any] = dict(schema.get("properties", {}))
    if card.image == "none":
        properties.pop("image", None)
    else:
        properties["image"] = {"type": "string", "enum": list(_images(view)), "description": "image id"}
    parameters: Schema = {**schema, "properties": properties}
    if card.image == "required":
        parameters["required"] = ["image"]
    told = f"{tame(card.summary)} Establishes: {', '.join(card.establishes) or 'nothing by itself'}."
    return {"type": "function", "function": {"name": card.name, "description": told, "parameters": parameters}}


def found_texts(item: Evidence) -> dict[str, object]:
    """What a search found, the best hit last, where models weigh it most; nothing for other evidence."""
    if isinstance(item.result, Passages) and any(p.id for p in item.result.items):
        return {"found": [p.cited for p in reversed(item.result.items)]}
    if isinstance(item.result, SimilarCases):
        return {"found": [case.text for case in reversed(item.result.items)]}
    return {}


def _final(name: str, told: str) -> Schema:
    parameters = {"type": "object", "properties": {"why": {"type": "string"}}}
    return {"type": "function", "function": {"name": name, "description": told, "parameters": parameters}}


FINAL_SPECS = (
    _final("answer", "The evidence suffices: let the program answer."),
    _final("abstain", "No listed tool can settle what is asked."),
)


def _listed(specs: Sequence[Mapping[str, Any]]) -> str:
    """Tools as one line of JSON each."""
    return "\n".join(json.dumps(s["function"], ensure_ascii=False) for s in specs)


def _noted(view: PlannerView) -> str:
    notes = [c.text for c in view.critiques if c.kind == "wording"]
    return f"\nWhat was wrong with the last wording:\n{fence(notes)}\n" if notes else ""


def render(view: PlannerView) -> str:
    """The view as one message. Everything written by users, files or tools is fenced; no header value goes out.

    Of an image only id, size, modality and view are told.
    """
    b = view.budget
    left = f"{b.max_steps - b.steps} steps, {b.max_calls - b.calls} calls, {b.max_seconds - b.seconds:.0f} seconds"
    propositions = [
        {
            "id": p.id,
            "concept": p.concept,
            "kind": p.kind,
            "asked": p.asked,
            "side": p.laterality,
            "open": p.open,
            "belief": p.belief.polarity if p.belief else None,
            "probability": p.belief.probability if p.belief else None,
            "reason": p.belief.reason if p.belief else "",
        }
        for p in view.propositions
    ]
    images = [
        {"id": i.ref.id, "rows": i.ref.rows, "columns": i.ref.columns, "modality": i.modality, "view": i.view}
        for i in view.images
    ]
    evidence: list[dict[str, object]] = [
        {"id": e.id, "tool": e.tool, "kind": e.kind, "image": e.image, "says": e.summary, "caveats": list(e.caveats)}
        | found_texts(e)
        for e in view.ledger[-MAX_LEDGER:]
    ]
    critiques = [{"kind": c.kind, "text": c.text, "tools": list(c.tools)} for c in view.critiques]
    refused = [{"tool": r.move.tool, "args": r.move.args, "reason": r.reason} for r in view.refused[-8:]]
    asked = {"text": view.question, "kind": view.kind, "choices": list(view.choices)}
    return read(
        "planner/view",
        step=str(view.step),
        budget=left,
        question=fence({**asked, "text": tame(view.question, 2000)}),
        propositions=fence(propositions),
        images=fence(images),
        evidence=fence(evidence) if evidence else "none",
        critiques=fence(critiques) if critiques else "none",
        refused=fence(refused) if refused else "none",
    )
