"""The loop, wired: intake -> think -> act -> rethink -> (think | answer) -> (think | verify) -> (answer | end).

Where a person has to allow a tool, `approve` stands between think and act.
"""

from functools import cache
from typing import Any, Literal, Protocol

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from secondread.agent.durable.approval import approve, guarded
from secondread.agent.nodes.act import act
from secondread.agent.nodes.answer import answer, verify
from secondread.agent.nodes.intake import intake
from secondread.agent.nodes.rethink import rethink
from secondread.agent.nodes.stop import stop
from secondread.agent.nodes.think import think
from secondread.agent.run import Run
from secondread.agent.state import LoopState


class Node(Protocol):
    """One node of the loop."""

    async def __call__(self, state: LoopState, runtime: Runtime[Run]) -> dict[str, Any]:
        """What it changes in the state."""


def counted(node: Node) -> Node:
    """A node that leaves in the state how far trace and budget were when it ended, for a run that is taken up again."""

    async def step(state: LoopState, runtime: Runtime[Run]) -> dict[str, Any]:
        update = await node(state, runtime)
        run = runtime.context
        if node is think:
            update = guarded(update, state, run)
        return {**update, "traced": len(run.trace.events), "spent": run.meter.spent()}

    return step


async def after_intake(state: LoopState) -> Literal["stop", "think"]:
    """Straight to the abstention when intake found a reason."""
    return "stop" if state.get("stop") else "think"


async def after_think(state: LoopState) -> Literal["approve", "act", "rethink"]:
    """Calls go to act; without any, a last rethink settles the propositions."""
    if not state.get("moves"):
        return "rethink"
    return "approve" if state.get("waits") else "act"


async def after_rethink(state: LoopState) -> Literal["think", "answer"]:
    """Answer once the planner was ready and rethink asks for no closer look; other critiques only inform."""
    wants_look = any(c["kind"] == "closer_look" for c in state.get("critiques", []))
    return "answer" if state.get("decided") and (not wants_look or state.get("exhausted")) else "think"


async def after_answer(state: LoopState) -> Literal["think", "verify"]:
    """Back to thinking, once, when the draft breaks a clinical rule."""
    return "verify" if state.get("draft") else "think"


async def after_verify(state: LoopState) -> Literal["answer", "__end__"]:
    """Back to the wording while repairs are left."""
    return "__end__" if state.get("verified", {}).get("done") else "answer"


@cache
def loop() -> Any:
    """The compiled graph; one for the process, since all that differs between runs is in state and context."""
    graph = StateGraph(LoopState, context_schema=Run)
    for name, node in (
        ("intake", intake),
        ("think", think),
        ("approve", approve),
        ("act", act),
        ("rethink", rethink),
        ("answer", answer),
        ("verify", verify),
        ("stop", stop),
    ):
        graph.add_node(name, counted(node))
    # the routers are coroutines: langgraph hands each plain function to a thread, which costs more than it decides
    graph.add_edge(START, "intake")
    graph.add_conditional_edges("intake", after_intake, ["stop", "think"])
    graph.add_conditional_edges("think", after_think, ["approve", "act", "rethink"])
    graph.add_edge("approve", "act")
    graph.add_edge("act", "rethink")
    graph.add_conditional_edges("rethink", after_rethink, ["think", "answer"])
    graph.add_conditional_edges("answer", after_answer, ["think", "verify"])
    graph.add_conditional_edges("verify", after_verify, ["answer", END])
    graph.add_edge("stop", END)
    return graph.compile()
