"""Clinical rules: each fires on a case made for it and not on its neighbour; then one more look, then silence."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from detectors import agent_with, detector, picture
from small_tools import make_tool

from secondread.agent.agent import Agent
from secondread.agent.consistency import Told, broken
from secondread.agent.planners.base import Move, PlannerView
from secondread.agent.planners.scripted import ScriptedPlanner
from secondread.agent.replay import replay
from secondread.agent.trace import of_type, read_trace
from secondread.kg.graph import core_graph
from secondread.kg.rulebook import shipped_rules
from secondread.schema.evidence import Interval, Measurement, Measurements
from secondread.tools.base import Tool, ToolRequest

HEART = "enlarged_cardiac_silhouette"
RATIO = "cardiothoracic_ratio"
UNITS = {"in_plane_rotation": "deg", "white_cell_count": "count", "platelet_count": "count"}


def told(said: str = "", sides: dict[str, tuple[str, ...]] | None = None, **values: Any) -> Told:
    """`+a -b` says that a is present and b absent; numbers are a value or a range."""
    made = {}
    for name, value in values.items():
        low, high = value if isinstance(value, tuple) else (value, value)
        interval = Interval(low=low, high=high, level=0.9, method="made up") if low != high else None
        made[name] = Measurement(name=name, value=(low + high) / 2, unit=UNITS.get(name, "1"), interval=interval)
    polarities = {word[1:]: "present" if word[0] == "+" else "absent" for word in said.split()}
    return Told(run="r2", said=polarities, sides=sides or {}, values=made, claimed=tuple(made))


CHAMBERS = {"hippocampus_volume": 3000.0, "anterior_hippocampus_volume": 1600.0, "posterior_hippocampus_volume": 1400.0}
BAD: dict[str, tuple[Told, dict[str, object], Told, dict[str, object]]] = {
    # rule: what breaks it (answer, facts of the image), and the neighbour that keeps it
    "rejected_image_gives_no_heart_verdict": (
        told(f"-{HEART}"), {"quality": "reject"}, told(f"-{HEART}"), {"quality": "limited"}),
    "rejected_image_is_poor": (
        told("-poor_image_quality"), {"quality": "reject"}, told("+poor_image_quality"), {"quality": "reject"}),
    "tilted_film_gives_no_heart_verdict": (
        told(f"+{HEART}", in_plane_rotation=(-16.0, -11.0)), {},
        told(f"+{HEART}", in_plane_rotation=(-12.0, -8.0)), {}),
    "tilt_means_rotated": (
        told("-rotated_film", in_plane_rotation=(11.0, 15.0)), {},
        told("-rotated_film", in_plane_rotation=(9.0, 15.0)), {}),
    "upright_means_not_rotated_in_plane": (
        told("+rotated_film", in_plane_rotation=(-4.0, 9.0)), {},
        told("+rotated_film", in_plane_rotation=(-4.0, 11.0)), {}),
    "implausible_anatomy_gives_no_heart_verdict": (
        told(f"+{HEART}"), {"plausible": "no"}, told(f"+{HEART}"), {"plausible": "yes"}),
    "mirrored_heart_names_no_side": (
        told("", {"lung_area_ratio": ("left",)}, lung_area_ratio=(0.7, 0.9)), {"heart_side": "image_left"},
        told("", {"lung_area_ratio": ("left",)}, lung_area_ratio=(0.7, 0.9)), {"heart_side": "image_right"}),
    "heart_is_narrower_than_thorax": (
        told(heart_width=310.0, thorax_width=300.0), {}, told(heart_width=290.0, thorax_width=300.0), {}),
    "ratio_is_that_of_its_widths": (
        told(heart_width=150.0, thorax_width=300.0, cardiothoracic_ratio=0.62), {},
        told(heart_width=150.0, thorax_width=300.0, cardiothoracic_ratio=0.51), {}),
    "ratio_above_limit_is_not_normal": (
        told(f"-{HEART}", cardiothoracic_ratio=(0.51, 0.6)), {"read_as": "PA", "age_group": "adult"},
        told(f"-{HEART}", cardiothoracic_ratio=(0.51, 0.6)), {"read_as": "AP", "age_group": "adult"}),
    "ratio_below_limit_is_not_enlarged": (
        told(f"+{HEART}", cardiothoracic_ratio=(0.4, 0.5)), {},
        told(f"+{HEART}", cardiothoracic_ratio=(0.4, 0.51)), {}),
    "parts_of_hippocampus_add_up": (
        told(**{**CHAMBERS, "posterior_hippocampus_volume": 1200.0}), {}, told(**CHAMBERS), {}),
    "part_of_hippocampus_is_smaller": (
        told(anterior_hippocampus_volume=3100.0, hippocampus_volume=3000.0), {},
        told(anterior_hippocampus_volume=2900.0, hippocampus_volume=3000.0), {}),
    "larger_right_lung": (
        told("", {"lung_area_ratio": ("left",)}, lung_area_ratio=(1.05, 1.2)), {},
        told("", {"lung_area_ratio": ("right",)}, lung_area_ratio=(1.05, 1.2)), {}),
    "larger_left_lung": (
        told("", {"lung_area_ratio": ("right",)}, lung_area_ratio=(0.8, 0.95)), {},
        told("", {"lung_area_ratio": ("left",)}, lung_area_ratio=(0.8, 0.95)), {}),
    "no_white_cells_counted": (
        told("+white_blood_cell", white_cell_count=0.0), {}, told("+white_blood_cell", white_cell_count=1.0), {}),
    "no_platelets_counted": (told("+platelet", platelet_count=0.0), {}, told("-platelet", platelet_count=0.0), {}),
    "vessels_cover_less_than_half_of_the_retina": (
        told(retinal_vessel_density=0.6), {}, told(retinal_vessel_density=0.12), {}),
    "child_has_no_adult_limit": (told(f"-{HEART}"), {"age": 17}, told(f"-{HEART}"), {"age": 18}),
    "magnifying_film_shows_no_enlargement": (
        told(f"+{HEART}"), {"read_as": "AP"}, told(f"-{HEART}"), {"read_as": "AP"}),
    "ap_header_is_no_pa_view": (told("+pa_view"), {"view": "AP"}, told("-pa_view"), {"view": "AP"}),
    "pa_header_is_no_ap_view": (told("+ap_view"), {"view": "PA"}, told("+ap_view"), {"view": None}),
    "lateral_film_is_not_frontal": (
        told("+frontal_chest_radiograph"), {"view": "LATERAL"}, told("+frontal_chest_radiograph"), {"view": "PA"}),
    "age_below_18_is_no_adult": (told("+adult"), {"age": 3.0}, told("+adult"), {"age": 30.0}),
    "age_of_18_is_no_child": (told("+child"), {"age": 18.0}, told("+child"), {"age": 17.9}),
    "chest_finding_needs_a_chest_film": (
        told("-frontal_chest_radiograph +pneumothorax"), {}, told("+frontal_chest_radiograph +pneumothorax"), {}),
    "smear_count_is_no_blood_count": (
        told("-leukocytosis", white_cell_count=3.0), {}, told("+white_blood_cell", white_cell_count=3.0), {}),
    "smear_platelets_are_no_blood_count": (
        told("+thrombocytopenia", platelet_count=2.0), {}, told("+thrombocytopenia"), {}),
    "one_volume_shows_no_atrophy": (
        told("+hippocampal_atrophy", hippocampus_volume=2100.0), {}, told(hippocampus_volume=2100.0), {}),
    "normal_silhouette_has_no_enlarged_chamber": (
        told(f"+{HEART} +small_heart"), {}, told(f"+{HEART} -small_heart"), {}),
    "silhouette_is_no_heart_failure": (
        told("+heart_failure", cardiothoracic_ratio=0.6), {}, told(f"+{HEART}", cardiothoracic_ratio=0.6), {}),
    "vessels_are_no_retinopathy": (
        told("-diabetic_retinopathy", retinal_vessel_density=0.1), {}, told(retinal_vessel_density=0.1), {}),
}  # fmt: skip


def names(now: Told, facts: dict[str, object], before: Sequence[Told] = ()) -> set[str]:
    return {b.rule for b in broken(shipped_rules(), now, facts, before)}


def test_every_rule_has_its_case() -> None:
    assert {r.id for r in shipped_rules()} == {*BAD, "a_verdict_stands", "a_measure_stands"}


@pytest.mark.parametrize("rule", BAD)
def test_a_rule_fires_on_its_case_and_not_on_the_neighbour(rule: str) -> None:
    case, facts, neighbour, other = BAD[rule]
    assert rule in names(case, facts)
    assert rule not in names(neighbour, other)


def test_what_is_not_known_breaks_no_rule() -> None:
    assert names(told(f"+{HEART}"), {}) == set()
    assert names(Told(), {"quality": "reject", "age": 3}) == set()


@pytest.mark.parametrize(
    ("now", "before", "rule"),
    [
        (told(f"-{HEART}"), told(f"+{HEART}"), "a_verdict_stands"),
        (told(cardiothoracic_ratio=(0.4, 0.45)), told(cardiothoracic_ratio=(0.5, 0.6)), "a_measure_stands"),
        (told("+heart_failure"), told(cardiothoracic_ratio=(0.5, 0.6)), "silhouette_is_no_heart_failure"),
        (told("+small_heart"), told(f"+{HEART}"), "normal_silhouette_has_no_enlarged_chamber"),
    ],
)
def test_an_answer_is_held_against_earlier_ones(now: Told, before: Told, rule: str) -> None:
    earlier = before.model_copy(update={"run": "r1"})
    found = {b.rule: b for b in broken(shipped_rules(), now, {}, [earlier])}
    assert found[rule].earlier == "r1"
    assert "with the answer of run r1" in found[rule].named
    assert rule not in names(now, {})


def test_an_earlier_answer_that_broke_a_rule_by_itself_is_not_held_against_this_one() -> None:
    before = told(f"+{HEART} +small_heart")
    assert names(told("-pneumothorax"), {}, [before]) == set()
    assert names(told(cardiothoracic_ratio=(0.5, 0.6)), {}, [told(cardiothoracic_ratio=(0.55, 0.7))]) == set()


def test_edges_of_the_graph_are_rules_across_answers_too() -> None:
    found = broken((), told("+hydropneumothorax"), {}, [told("-pleural_effusion")], core_graph())
    assert [b.rule for b in found] == ["hydropneumothorax.implies.pleural_effusion"]


# in the loop


def meter(name: str, calls: Counter[str], *values: float, unit: str = "1") -> Tool:
    """A tool that gives one number after the other, and then the last one for ever."""

    def run(requests: Sequence[Any], ctx: Any) -> list[Any]:
        given = values[min(calls[name], len(values) - 1)]
        calls[name] += len(requests)
        return [Measurements(items=(Measurement(name=name, value=given, unit=unit),)) for _ in requests]

    return make_tool(name, run, image="required", request=ToolRequest, result=Measurements, kind="measurement",
                     cache="none")  # fmt: skip


def test_a_broken_rule_is_thought_over_once_and_then_nothing_is_said_on_it(tmp_path: Path) -> None:
    calls: Counter[str] = Counter()
    fracture = detector("fracture_finder", {"fracture": 0.95}, calls)
    both = detector("heart_finder", {"pneumothorax": 0.9, "frontal_chest_radiograph": 0.05}, calls)
    question = "Is there a pneumothorax? Is this a frontal chest film? Is there a fracture?"
    with agent_with(fracture, both, trace_dir=tmp_path, checkpoints=False) as agent:
        answer = agent.ask(picture(), question)
        trace = tmp_path / f"{answer.trace}.jsonl"
        assert answer.abstained
        assert "rule chest_finding_needs_a_chest_film is broken" in (answer.abstain_reason or "")
        assert any("Bontrager" in w for w in answer.warnings)
        assert {c.concept for c in answer.claims} == {
            "fracture",
            "frontal_chest_radiograph",
        }  # what it does not concern
        rounds = list(of_type(read_trace(trace), "rules"))
        assert [r["then"] for r in rounds] == ["think again", "withdraw"]
        report = replay(trace, tools=agent.runtime.catalogue)
        assert report.same, report.differences


class First(ScriptedPlanner):
    """Asks for some calls in the first step, and for nothing later."""

    def __init__(self, moves: list[Move]) -> None:
        super().__init__([])
        self._first = moves

    async def propose(self, view: PlannerView) -> list[Move]:
        return self._first if view.step == 0 else []


def test_the_planner_is_told_and_a_second_look_can_settle_it() -> None:
    calls: Counter[str] = Counter()
    finder = detector("heart_finder", {"pneumothorax": 0.9}, calls)
    guard = detector("guard", {"frontal_chest_radiograph": 0.05}, calls)
    zguard = detector("a_better_guard", {"frontal_chest_radiograph": 0.995}, calls)
    question = "Is there a pneumothorax? Is this a frontal chest film?"
    image = picture()
    with agent_with(finder, guard, zguard) as agent:
        ref = agent.runtime.store.add(image).ref.id
        wanted = [
            [Move(action="call", tool=t, args={"image": ref})] for t in ("heart_finder", "guard", "a_better_guard")
        ]
        planner = ScriptedPlanner([wanted[0] + wanted[1], [], wanted[2]])
        second = Agent(planner, settings=agent.settings, runtime=agent.runtime)
        second.fallback = First(wanted[0] + wanted[1])
        answer = second.ask(image, question)
    asked = [c for v in planner.views for c in v.critiques if c.kind == "rule"]
    assert "chest_finding_needs_a_chest_film" in asked[0].text
    assert calls["a_better_guard"] == 1
    assert not answer.abstained
    assert {c.concept: c.polarity for c in answer.claims} == {
        "pneumothorax": "present", "frontal_chest_radiograph": "present"}  # fmt: skip


def test_with_rethink_off_it_is_withdrawn_at_once(tmp_path: Path) -> None:
    both = detector("heart_finder", {"pneumothorax": 0.9, "frontal_chest_radiograph": 0.05}, Counter())
    with agent_with(both, trace_dir=tmp_path, checkpoints=False, rethink=False) as agent:
        answer = agent.ask(picture(), "Is there a pneumothorax? Is this a frontal chest film?")
    assert answer.abstained
    rounds = list(of_type(read_trace(tmp_path / f"{answer.trace}.jsonl"), "rules"))
    assert [r["then"] for r in rounds] == ["withdraw"]


def test_a_number_that_cannot_be_is_not_told() -> None:
    with agent_with(meter("retinal_vessel_density", Counter(), 0.8)) as agent:
        answer = agent.ask(picture(), "What is the vessel density?")
    assert answer.abstained
    assert answer.value is None
    assert not answer.claims
    assert "vessels_cover_less_than_half_of_the_retina" in answer.text


@pytest.mark.parametrize("kept", [True, False])
def test_a_conversation_does_not_contradict_itself(tmp_path: Path, kept: bool) -> None:
    calls: Counter[str] = Counter()
    density = meter("retinal_vessel_density", calls, 0.10, 0.10, 0.20)
    folder = {"trace_dir": tmp_path, "checkpoints": False} if kept else {}
    with agent_with(density, **folder) as agent:
        ask: Callable[..., Any] = lambda image, name: agent.ask(image, "What is the vessel density?", session=name)  # noqa: E731  # a shorthand
        first, again, third = ask(picture(), "s"), ask(picture(), "s"), ask(picture(), "s")
        other = ask(np.flipud(picture()).copy(), "s")
        fresh = ask(picture(), "another conversation")
        assert not first.abstained and not again.abstained
        assert third.abstained
        assert "rule a_measure_stands is broken" in third.text
        assert f"with the answer of run {first.trace}" in third.text
        assert not other.abstained  # another image
        assert not fresh.abstained
        if kept:
            report = replay(tmp_path / f"{third.trace}.jsonl", tools=agent.runtime.catalogue)
            assert report.same, report.differences
