"""What becomes of a planner's moves before they are checked."""

from typing import Any

from secondread.agent.nodes.steered import ASTRAY_STEPS, astray, spare, steered
from secondread.agent.planners.base import Move


def call(tool: str, **args: Any) -> Move:
    return Move(action="call", tool=tool, args=args)


def step(*moves: Move, wanted: bool = True) -> dict[str, Any]:
    return {"type": "moves", "moves": [m.model_dump(mode="json") for m in moves], "wanted": wanted}


FACTS = call("graph_facts", concepts=["heart"], topic="causes")
RATIO = call("ratio", image="a")


def test_a_wanted_call_is_made_with_the_programs_arguments() -> None:
    assert steered([call("ratio", image="a", members=[0], margin=3)], [RATIO], 10) == [RATIO]
    assert steered([call("graph_facts", concepts=["lung"], present=["lung"])], [FACTS], 10) == [FACTS]


def test_a_call_that_is_not_wanted_loses_the_arguments_of_the_settings_alone() -> None:
    moves = steered([call("look", image="a", member=1, detector="x", side=2), RATIO], [RATIO], 10)
    assert moves == [call("look", image="a", side=2), RATIO]


def test_what_was_found_no_planner_says() -> None:
    assert steered([call("graph_facts", present=["pneumothorax"])], [], 10) == []


def test_further_calls_of_a_tool_keep_their_own_arguments() -> None:
    wanted = call("search", query="the question")
    moves = steered([call("search", query="one"), call("search", query="two")], [wanted], 10)
    assert moves == [wanted, call("search", query="two")]


def test_equal_calls_are_kept_once() -> None:
    assert steered([RATIO, call("ratio", image="a", members=[1])], [], 10) == [RATIO]


def test_calls_beside_the_point_use_half_of_what_is_left() -> None:
    crops = [call("crop", image="a", x0=float(n)) for n in range(8)]
    assert len(steered(crops, [RATIO], 6)) == 3
    assert len(steered(crops, [RATIO], 1)) == 1
    assert len(steered(crops, [], 6)) == 8
    assert len(steered([*crops, RATIO], [RATIO], 6)) == 9


def test_the_programs_closer_look_is_never_lost() -> None:
    crop = call("crop", image="a", x0=1.0)
    assert steered([call("contrast", image="a")], [crop], 10) == [call("contrast", image="a"), crop]
    assert steered([call("crop", image="a", x0=50.0)], [crop], 10) == [crop]
    assert steered([], [crop], 10) == []


def test_steps_that_lead_away_are_counted_from_the_last() -> None:
    away = step(call("crop", image="a"))
    assert astray([away] * ASTRAY_STEPS, [RATIO])
    assert not astray([away] * (ASTRAY_STEPS - 1), [RATIO])
    assert not astray([away, step(RATIO)], [RATIO])
    assert not astray([away] * ASTRAY_STEPS, [])


def test_steps_beyond_what_is_asked_are_counted_from_the_last() -> None:
    assert spare([step(wanted=False), {"type": "result"}, step(wanted=False)]) == 2
    assert spare([step(wanted=False), step(wanted=True)]) == 0
    assert spare([{"type": "moves", "moves": []}]) == 0
