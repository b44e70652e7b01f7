"""The loop, wired: intake -> think -> act -> rethink -> (think | answer) -> verify -> (answer | end)."""

from functools import cache
from typing import Any, Literal

from langgraph.graph import END, START, StateGraph

from secondread.agent.nodes.act import act
from secondread.agent.nodes.answer import answer, verify
from secondread.agent.nodes.intake import intake
from secondread.agent.nodes.rethink import rethink
from secondread.agent.nodes.stop import stop
from secondread.agent.nodes.think import think
from secondread.agent.run import Run
from secondread.agent.state import LoopState


def after_intake(state: LoopState) -> Literal["stop", "think"]:
    """Straight to the abstention when intake found a reason."""
    return "stop" if state.get("stop") else "think"


def after_think(state: LoopState) -> Literal["act", "rethink"]:
    """Calls go to act; without any, a last rethink settles the propositions."""
    return "act" if state.get("moves") else "rethink"


def after_rethink(state: LoopState) -> Literal["think", "answer"]:
    """Answer once the planner was ready and rethink asks for no closer look; other critiques only inform."""
    wants_look = any(c["kind"] == "closer_look" for c in state.get("critiques", []))
    return "answer" if state.get("decided") and (not wants_look or state.get("exhausted")) else "think"


def after_verify(state: LoopState) -> Literal["answer", "__end__"]:
    """Back to the wording while repairs are left."""
    return "__end__" if state.get("verified", {}).get("done") else "answer"


@cache
def loop() -> Any:
    """The compiled graph; one for the process, since all that differs between runs is in state and context."""
    graph = StateGraph(LoopState, context_schema=Run)
    for name, node in (
        ("intake", intake),
        ("think", think),
        ("act", act),
        ("rethink", rethink),
        ("answer", answer),
        ("verify", verify),
        ("stop", stop),
    ):
        graph.add_node(name, node)
    graph.add_edge(START, "intake")
    graph.add_conditional_edges("intake", after_intake, ["stop", "think"])
    graph.add_conditional_edges("think", after_think, ["act", "rethink"])
    graph.add_edge("act", "rethink")
    graph.add_conditional_edges("rethink", after_rethink, ["think", "answer"])
    graph.add_edge("answer", "verify")
    graph.add_conditional_edges("verify", after_verify, ["answer", END])
    graph.add_edge("stop", END)
    return graph.compile()
