"""The planner without a language model: a pure function of the planner's view and the graph."""

from collections.abc import Sequence
from typing import Any

from secondread.agent.judging.closer_look import closer_looks, crop_scale
from secondread.agent.planners.actions import ACTIONS, action_moves
from secondread.agent.planners.base import Critique, Move, PlannerView, Proposition, Sentence
from secondread.agent.serving import serving
from secondread.kg.graph import Graph, core_graph
from secondread.schema.answer import Claim
from secondread.schema.evidence import DerivedImage, Evidence
from secondread.tools.base import Card

WEIGHED = ("causes", "support")
"""Topics whose answer depends on what was found on the image."""
ASKED_AS = {"literature": "query", "find_images": "text"}
"""Tools that are given the question itself, and the field of their request that takes it."""


class ProtocolPlanner:
    """For each open proposition, the calls by which the graph says that its concept is assessed."""

    name = "protocol"
    usage = 0

    def __init__(self, graph: Graph | None = None) -> None:
        self._graph = graph

    @property
    def graph(self) -> Graph:
        """The graph it plans by."""
        if self._graph is None:
            self._graph = core_graph()
        return self._graph

    async def propose(self, view: PlannerView) -> list[Move]:
        """Calls still missing for the open propositions and for what rethink asked; else the answer."""
        moves: list[Move] = []
        for critique in view.critiques:
            if critique.kind == "closer_look":
                moves += self._closer(critique, view)
            if critique.kind == "rule":  # tools that need a region or a text of their own are for other planners
                offered = {c.name: c for c in view.cards if c.kind in ("finding", "measurement", "quality")}
                moves += [
                    m for t in critique.tools for p in view.propositions[:1] for m in self._call(t, p, view, offered)
                ]
        moves += self._on_crops(view)
        waiting = [p for p in view.propositions if p.open and p.kind == "knowledge" and view.topic in WEIGHED]
        for prop in view.propositions:
            if prop.open and prop not in waiting:
                moves += self._for(prop, view)
        calls = _distinct(moves, view)
        if not calls:  # what was found first, then what the graph makes of it
            calls = _distinct([m for p in waiting for m in self._for(p, view)], view)
        return calls or [Move(action="answer", why="nothing that is open has a fitting tool left")]

    async def word(self, claims: Sequence[Claim], view: PlannerView) -> list[Sentence]:
        """Each claim in its own words."""
        return [Sentence(text=c.text, claims=(c.id,)) for c in claims]

    def _for(self, prop: Proposition, view: PlannerView) -> list[Move]:
        offered = {c.name: c for c in view.cards}
        if prop.kind == "listing":
            name = self.graph.concept(prop.concept).tool or "capabilities"
            if name in ACTIONS:
                return action_moves(name, prop, view, offered, self.graph)
            return self._call(name, prop, view, offered)
        if prop.kind == "knowledge":
            return self._facts(prop, offered, view)
        names = serving(prop.concept, view.cards, self.graph, limits=prop.kind == "presence", structure=prop.structure)
        if prop.kind == "location":
            names = [n for n in names if offered[n].kind == "finding"] or names
        moves = [m for n in names for m in self._call(n, prop, view, offered)]
        if view.topic in WEIGHED:
            return moves  # the graph is asked once, for what the findings mean
        return moves or self._facts(prop, offered, view)

    def _call(self, name: str, prop: Proposition, view: PlannerView, offered: dict[str, Card]) -> list[Move]:
        card = offered.get(name)
        if card is None:
            return []
        args: dict[str, Any] = {"image": view.images[0].ref.id} if card.image != "none" and view.images else {}
        if name in ASKED_AS:
            args[ASKED_AS[name]] = view.question
        return [Move(action="call", tool=name, args=args, why=f"establishes {prop.concept}", serves=(prop.id,))]

    def _facts(self, prop: Proposition, offered: dict[str, Card], view: PlannerView) -> list[Move]:
        if "graph_facts" not in offered:
            return []
        why = (
            "what the graph says of it"
            if prop.kind == "knowledge"
            else "no installed tool judges it; the graph says why"
        )
        asked = "knowledge" if prop.kind == "knowledge" else "presence"
        told = [p.concept for p in view.propositions if p.kind == "knowledge"]
        concepts = told if prop.kind == "knowledge" else [prop.concept]
        args: dict[str, Any] = {"concepts": list(dict.fromkeys(concepts)), "question": asked, "topic": view.topic}
        if prop.kind == "knowledge" and view.topic in WEIGHED:
            for polarity in ("present", "absent"):
                found = [p.concept for p in view.propositions if p.belief and p.belief.polarity == polarity]
                found = [c for c in dict.fromkeys(found) if c not in told or view.topic == "support"]
                args |= {polarity: found} if found else {}
            args["limit"] = 12
        return [Move(action="call", tool="graph_facts", args=args, why=why, serves=(prop.id,))]

    def _closer(self, critique: Critique, view: PlannerView) -> list[Move]:
        box = critique.region
        image = next((i.ref.id for i in view.images if box is not None and i.ref.grid == box.grid), None)
        if box is None or image is None:
            return []
        args = {"image": image, "x0": box.x0, "y0": box.y0, "x1": box.x1, "y1": box.y1, "scale": crop_scale(box)}
        return [Move(action="call", tool="crop", args=args, why=critique.text, serves=critique.propositions)]

    def _on_crops(self, view: PlannerView) -> list[Move]:
        """Measurements made on an asked image are made again on the closer look at it."""
        moves: list[Move] = []
        ledger = {e.id: e for e in view.ledger}
        for item in view.ledger:
            info = next((i for i in view.images if i.ref.id == item.image), None)
            if info is None or not isinstance(item.result, DerivedImage):
                continue
            if item.result.image not in closer_looks(info, ledger):
                continue
            again = [e for e in view.ledger if e.image == item.image and e.kind == "measurement"]
            moves += [
                Move(action="call", tool=e.tool, args={"image": item.result.image}, why=f"closer look at {item.id}")
                for e in again
                if e.tool == "cardiothoracic_ratio"
            ]
        return moves


def _distinct(moves: Sequence[Move], view: PlannerView) -> list[Move]:
    """Each call once, without those already made."""
    distinct = {_key(m): m for m in reversed(moves)}
    return [m for m in reversed(distinct.values()) if not _made(m, view)]


def _key(move: Move) -> str:
    return f"{move.tool}|{sorted(move.args.items(), key=lambda kv: kv[0])}"


def _made(move: Move, view: PlannerView) -> bool:
    """Whether the ledger or the refusals already hold this call."""
    if any(_key(r.move) == _key(move) for r in view.refused):
        return True
    if move.tool == "crop":
        return any(e.tool == "crop" and e.image == move.args.get("image") and _same_box(e, move) for e in view.ledger)
    if "image" in move.args:
        return any(e.tool == move.tool and e.image == move.args["image"] for e in view.ledger)
    return any(e.tool == move.tool and e.image is None for e in view.ledger)


def _same_box(item: Evidence, move: Move) -> bool:
    """Whether a crop that was made, or has failed, is the wanted one."""
    if not isinstance(item.result, DerivedImage) or item.result.box is None:
        return True
    edges = [(getattr(item.result.box, e), move.args.get(e)) for e in ("x0", "y0", "x1", "y1")]
    return all(isinstance(b, int | float) and abs(a - b) <= 1.0 for a, b in edges)
