"""What a planner's moves become before they are checked: text that a model has read cannot turn what decides an answer.

A model may have been told by an image, a passage or a tool's error what to do. So the calls that the graph asks for are
made with the program's own arguments, whatever a model writes into them; arguments that belong to the settings are left
out; and moves that lead away from what is asked hold the run up for a bounded time only.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from secondread.agent.planners.base import Move

RESERVED = ("members", "member", "detector")
"""Arguments that the settings give: which networks of an ensemble run."""
PROGRAMS_OWN = ("graph_facts",)
"""Tools whose arguments say what was found; called as the program calls them or not at all."""
ASTRAY_STEPS = 2
"""Steps in a row without one of the calls that the graph asks for, before the program makes them."""
SPARE_STEPS = 2
"""Steps that a planner may go on once nothing is asked for any more."""


def steered(calls: Sequence[Move], wanted: Sequence[Move], left: int) -> list[Move]:
    """A planner's calls with the arguments that may stand. Further calls of a tool on an image keep their own.

    Args:
        calls: What the planner wants.
        wanted: The calls that the graph asks for now.
        left: Tool calls that the budget still allows. While none of the wanted calls is among them, a planner's other
            calls may use half of that at most.
    """
    own = {_slot(m): m for m in reversed(wanted)}
    left_over = dict(own)
    kept: list[Move] = []
    for move in calls:
        same = left_over.pop(_slot(move), None)
        if same is not None:
            move = move.model_copy(update={"args": same.args, "serves": same.serves})
        elif move.tool in PROGRAMS_OWN:
            continue
        else:
            move = move.model_copy(update={"args": {k: v for k, v in move.args.items() if k not in RESERVED}})
        if all((m.tool, m.args) != (move.tool, move.args) for m in kept):
            kept.append(move)
    if wanted and not any(_slot(m) in own for m in kept):
        kept = kept[: max(1, left // 2)]
    # A closer look is asked for once; a step without it would lose it.
    return kept + [m for m in wanted if m.tool == "crop" and kept and _slot(m) not in {_slot(k) for k in kept}]


def astray(events: Sequence[Mapping[str, Any]], wanted: Sequence[Move]) -> bool:
    """Whether the latest steps made none of the calls that the graph still asks for."""
    own = {_slot(m) for m in wanted}
    latest = [e["moves"] for e in events if e["type"] == "moves"][-ASTRAY_STEPS:]
    if not own or len(latest) < ASTRAY_STEPS:
        return False
    return not any((m["tool"], m["args"].get("image")) in own for moves in latest for m in moves)


def spare(events: Sequence[Mapping[str, Any]]) -> int:
    """Consecutive latest steps in which the graph asked for nothing."""
    count = 0
    for event in reversed(events):
        if event["type"] == "moves":
            if event.get("wanted", True):
                break
            count += 1
    return count


def _slot(move: Move) -> tuple[str | None, Any]:
    return move.tool, move.args.get("image")
