"""A planner over any langchain chat model: the view becomes messages, the reply becomes moves or sentences."""

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage

from secondread.agent.planners.asking import Ability, Asker, Form, Mode, model_family
from secondread.agent.planners.base import Move, PlannerView, Sentence
from secondread.agent.planners.fences import fence
from secondread.agent.planners.replies import MAX_MOVES, MAX_SENTENCES, moves_of, sentences_of
from secondread.agent.planners.sight import Sight
from secondread.agent.planners.tally import Tally
from secondread.agent.planners.view_text import Schema, images_of, installed_schema, noted, render, tool_spec
from secondread.prompts import read
from secondread.schema.answer import Claim
from secondread.schema.errors import PlannerError

PATIENCE = 2
"""Questions in a row that may stay without any reply before a run goes on without the model."""


class ChatPlanner:
    """Asks a chat model for moves and wordings. What it returns is a wish: the loop and the gate decide.

    Replies come as native tool calls where the model takes tools, else under a JSON schema where its server takes
    that, else as text; what is refused once is not asked for again.

    Args:
        model: Any langchain chat model.
        timeout: Seconds for one call of the model.
        pixels: Gives an encoded picture of an image id; None sends text only. Each image is sent once, as a thumbnail.
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
        self.tally = Tally()
        """Of all questions so far, those of every run included."""
        self._timeout = timeout
        self._sight = Sight(pixels) if pixels is not None else None
        self._schema = cache(schema or installed_schema)
        self._ability = Ability()
        self._asker = Asker(self.name, timeout, self._ability)
        self._told: set[str] = set()

    @property
    def usage(self) -> int:
        """See `Planner.usage`."""
        return self._asker.usage

    @property
    def last(self) -> Tally:
        """How the latest question to the model went."""
        return self._asker.last

    def for_run(self, token: Callable[[str], None] | None = None) -> "ChatPlanner":
        """This planner for one run: with a count of its own, and a memory of what this run has told the model.

        Args:
            token: Takes the text of replies as it comes; None asks for whole replies.
        """
        own = copy.copy(self)
        own._asker = Asker(self.name, self._timeout, self._ability, token=token, patience=PATIENCE)
        own._told = set()
        return own

    async def propose(self, view: PlannerView) -> list[Move]:
        """See `Planner.propose`."""
        specs = [tool_spec(card, view, self._schema(card.name)) for card in view.cards]
        in_tools = read("planner/reply_tools").strip()
        in_json = read("planner/reply_json", tools=_listed(specs)).strip()
        how: dict[Mode, str] = {"tools": in_tools, "schema": in_json, "text": in_json}
        system = {
            mode: read("planner/think", max_moves=str(MAX_MOVES), how_to_reply=told) for mode, told in how.items()
        }
        forms = self._forms(system, _moves_schema([c.name for c in view.cards]), [*specs, *FINAL_SPECS])
        plain = HumanMessage(render(view, self._told, self._note))
        shown = self._shown(view)

        def parse(reply: AIMessage) -> list[Move]:
            return moves_of(
                str(reply.text),
                [{"name": c["name"], "args": c["args"]} for c in reply.tool_calls],
                tools={*(c.name for c in view.cards), *view.withheld},
                images=images_of(view),
                needs_image={c.name for c in view.cards if c.image == "required"},
                torn=[str(c.get("name")) for c in reply.invalid_tool_calls],
            )

        def repair(problem: str, mode: Mode) -> str:
            return read("planner/repair", problem=fence(problem), how_to_reply=how[mode])

        try:
            return await self._asker.ask(
                forms, _pictured(plain, shown), plain, parse, repair, lambda said: self._saw(shown, said)
            )
        finally:
            self._asker.last.pictures = len(shown)
            self._asker.last.picture_bytes = sum(map(len, shown.values()))
            self.tally.add(self._asker.last)
            if self._asker.last.mode:  # a message that had no reply has told the model nothing
                self._told.update(e.id for e in view.ledger)

    async def word(self, claims: Sequence[Claim], view: PlannerView) -> list[Sentence]:
        """See `Planner.word`. The text of a sentence is not trusted: the gate checks it."""
        if not claims:
            return []
        told = [{"id": c.id, "polarity": c.polarity, "text": c.text, "evidence": list(c.evidence)} for c in claims]
        system = read("planner/word", max_sentences=str(min(MAX_SENTENCES, 2 * len(claims))))
        message = HumanMessage(f"Question:\n{fence(view.question)}\n\nClaims:\n{fence(told)}\n{noted(view)}")
        ids = {c.id for c in claims}
        try:
            return await self._asker.ask(
                self._forms(dict.fromkeys(("schema", "text"), system), _sentences_schema(sorted(ids))),
                message,
                message,
                lambda reply: sentences_of(str(reply.text), ids),
                lambda problem, mode: read("planner/word_repair", problem=fence(problem)),
            )
        finally:
            self.tally.add(self._asker.last)

    def _forms(self, system: Mapping[Any, str], schema: Schema, specs: Sequence[Schema] = ()) -> list[Form]:
        """The forms of reply that this model may take, the best first; plain text is always the last."""
        forms: list[Form] = []
        if specs:
            with suppress(NotImplementedError):  # of a model that takes no tools
                forms.append(Form("tools", self.model.bind_tools(specs), system["tools"]))
        if model_family(self.model) == "openai" or getattr(self.model, "takes_schema", False):
            wanted = {"type": "json_schema", "json_schema": {"name": "reply", "schema": schema, "strict": False}}
            forms.append(Form("schema", self.model.bind(response_format=wanted), system["schema"]))
        return [*forms, Form("text", self.model, system["text"])]

    def _shown(self, view: PlannerView) -> dict[str, bytes]:
        if self._sight is None or "picture" in self._ability.refused:
            return {}
        try:
            return self._sight.unseen(view)
        except PlannerError:  # planning goes on without the picture
            return {}

    def _note(self, image: str) -> str:
        return self._sight.note(image) if self._sight is not None else ""

    def _saw(self, shown: dict[str, bytes], said: str) -> None:
        if self._sight is not None:
            self._sight.keep(shown, said)


def _pictured(plain: HumanMessage, shown: Mapping[str, bytes]) -> HumanMessage:
    """A message with pictures behind its text; the same message when there are none."""
    if not shown:
        return plain
    from base64 import b64encode

    from langchain_core.messages.content import create_image_block, create_text_block

    told = f"{plain.text}\n{read('planner/picture', images=', '.join(shown)).strip()}"
    encoded = [b64encode(png).decode("ascii") for png in shown.values()]
    pictures = [create_image_block(base64=one, mime_type="image/png") for one in encoded]
    blocks: list[Any] = [create_text_block(told), *pictures]
    return HumanMessage(content_blocks=blocks)


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


def _moves_schema(tools: Sequence[str]) -> Schema:
    """JSON schema of a reply with moves."""
    move = {
        "action": {"type": "string", "enum": ["call", "answer", "abstain"]},
        "tool": {"type": "string", "enum": list(tools)} if tools else {"type": "string"},
        "args": {"type": "object"},
        "why": {"type": "string"},
        "serves": {"type": "array", "items": {"type": "string"}},
    }
    item = {"type": "object", "properties": move, "required": ["action"]}
    moves = {"type": "array", "items": item, "minItems": 1, "maxItems": MAX_MOVES}
    return {"type": "object", "properties": {"moves": moves}, "required": ["moves"]}


def _sentences_schema(claims: Sequence[str]) -> Schema:
    """JSON schema of a wording."""
    sentence = {
        "text": {"type": "string"},
        "claims": {"type": "array", "items": {"type": "string", "enum": list(claims)}, "minItems": 1},
    }
    item = {"type": "object", "properties": sentence, "required": ["text", "claims"]}
    sentences = {"type": "array", "items": item, "minItems": 1, "maxItems": MAX_SENTENCES}
    return {"type": "object", "properties": {"sentences": sentences}, "required": ["sentences"]}
