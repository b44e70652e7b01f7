"""Questions in free wording on films with known truth, through the whole loop with the shipped networks."""

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from secondread.agent.agent import Agent
from secondread.evals.phantom import Film
from secondread.evals.phantom_changes import flip, rotate
from secondread.schema.answer import Answer
from secondread.schema.errors import InputError, UsageError

Films = Callable[..., Film]
ADULT_PA: dict[str, Any] = {"view": "PA", "age": 60}


def ids(answer: Answer) -> set[str]:
    return {e.id for e in answer.evidence}


def assert_cited(answer: Answer) -> None:
    assert all(c.evidence and set(c.evidence) <= ids(answer) for c in answer.claims)


@pytest.mark.parametrize("question", ["Is there cardiomegaly?", "heart enlarged?", "is the heart too big"])
def test_an_enlarged_heart_is_found_and_cited(agent: Agent, film: Films, question: str) -> None:
    wide = film(3, 0.62)
    answer = agent.ask(wide.grey, question, **ADULT_PA)
    assert answer.verdict == "yes"
    assert not answer.abstained
    assert answer.value is not None
    assert answer.value.value == pytest.approx(wide.ctr, abs=0.08)
    assert answer.confidence is not None and answer.confidence >= 0.8
    assert {"cardiothoracic_ratio", "enlarged_cardiac_silhouette"} <= {c.concept for c in answer.claims}
    assert_cited(answer)
    assert "cardiomegaly confirmed" not in answer.text.lower()


def test_a_slim_heart_is_not_enlarged_and_normal_means_no_enlargement(agent: Agent, film: Films) -> None:
    slim = film(4, 0.40)
    assert agent.ask(slim.grey, "Is the heart enlarged?", **ADULT_PA).verdict == "no"
    assert agent.ask(slim.grey, "Is the heart normal in size?", **ADULT_PA).verdict == "yes"


def test_the_ratio_comes_with_its_interval(agent: Agent, film: Films) -> None:
    answer = agent.ask(film(5, 0.52).grey, "What is the cardiothoracic ratio?", **ADULT_PA)
    assert answer.value is not None
    assert answer.value.name == "cardiothoracic_ratio"
    assert answer.value.low is not None and answer.value.high is not None
    assert answer.value.low < answer.value.value < answer.value.high
    assert not answer.abstained


def test_an_ap_film_never_yields_yes_and_may_yield_no(agent: Agent, film: Films) -> None:
    wide = agent.ask(film(3, 0.62).grey, "Is the heart enlarged?", view="AP", age=60)
    assert wide.verdict == "indeterminate"
    assert wide.abstained
    assert wide.value is not None
    assert "magnif" in wide.text
    slim = agent.ask(film(4, 0.38).grey, "Is the heart enlarged?", view="AP", age=60)
    assert slim.verdict in ("no", "indeterminate")


def test_a_child_gets_the_value_only(agent: Agent, film: Films) -> None:
    answer = agent.ask(film(3, 0.62).grey, "Is the heart enlarged?", view="PA", age=4)
    assert answer.verdict == "indeterminate"
    assert answer.abstained
    assert answer.value is not None
    assert answer.confidence is None


@pytest.mark.parametrize("question", ["is there a pneumothorax?", "Any rib fracture?", "does he have pneumonia"])
def test_what_no_tool_judges_is_declined_with_what_is_missing(agent: Agent, film: Films, question: str) -> None:
    answer = agent.ask(film(4, 0.40).grey, question, **ADULT_PA)
    assert answer.abstained
    assert answer.verdict == "indeterminate"
    assert answer.confidence is None
    assert "secondread.tools" in answer.text


def test_a_compound_question_with_one_unanswerable_half_abstains_but_tells_the_rest(agent: Agent, film: Films) -> None:
    answer = agent.ask(film(3, 0.62).grey, "Is the heart enlarged and is there a pleural effusion?", **ADULT_PA)
    assert answer.abstained
    assert any(c.concept == "enlarged_cardiac_silhouette" for c in answer.claims)
    assert "effusion" in answer.text


@pytest.mark.parametrize("question", ["what is the capital of France", "blorp?", "what is the patient's name?"])
def test_what_is_no_question_about_the_image_is_declined(agent: Agent, film: Films, question: str) -> None:
    assert agent.ask(film(4, 0.40).grey, question, **ADULT_PA).abstained


def test_where_the_heart_is(agent: Agent, film: Films) -> None:
    one = film(4, 0.40)
    answer = agent.ask(one.grey, "where is the heart", **ADULT_PA)
    assert not answer.abstained
    claim = next(c for c in answer.claims if c.concept == "heart")
    evidence = answer.evidence_by_id(claim.evidence[0])
    box = next(f.region for f in evidence.result.items if f.concept == "heart")  # type: ignore[union-attr]
    columns = np.flatnonzero(one.masks["heart"].any(axis=0))
    assert box.x0 == pytest.approx(columns[0], abs=25)
    assert box.x1 == pytest.approx(columns[-1], abs=25)


def test_the_lungs_are_compared(agent: Agent, film: Films) -> None:
    one = film(4, 0.40)
    answer = agent.ask(one.grey, "which lung is larger?", **ADULT_PA)
    assert_cited(answer)
    assert any(c.concept == "lung_area_ratio" for c in answer.claims)


def test_a_mirrored_film_names_no_side(agent: Agent, film: Films) -> None:
    answer = agent.ask(flip(film(3, 0.58)).grey, "Is the left lung smaller than the right?", **ADULT_PA)
    assert answer.abstained
    assert "mirrored" in answer.text and "dextrocardia" in answer.text


@pytest.mark.parametrize(
    "question",
    ["is this film underexposed?", "is the film usable?", "is the image quality good?", "is the film blurred?"],
)
def test_quality_is_answered_from_measured_grades(agent: Agent, film: Films, question: str) -> None:
    answer = agent.ask(film(4, 0.40).grey, question, **ADULT_PA)
    assert answer.verdict in ("yes", "no", "indeterminate")
    assert any(e.tool == "film_quality" for e in answer.evidence)
    assert_cited(answer)


def test_a_tilted_film_is_called_rotated_and_a_straight_one_not(agent: Agent, film: Films) -> None:
    straight = film(1, 0.45)
    assert agent.ask(straight.grey, "is this film rotated?", **ADULT_PA).verdict == "no"
    assert agent.ask(rotate(straight, 20.0).grey, "is this film rotated?", **ADULT_PA).verdict == "yes"


def test_capabilities_are_listed(agent: Agent, film: Films) -> None:
    answer = agent.ask(film(4, 0.40).grey, "what can you measure here?", **ADULT_PA)
    assert not answer.abstained
    assert "cardiothoracic ratio" in answer.text.lower()


def test_knowledge_is_answered_by_graph_paths_without_an_image(agent: Agent) -> None:
    answer = agent.ask(None, "what does a CTR above 0.5 suggest?")
    assert not answer.abstained
    assert {e.kind for e in answer.evidence} == {"graph_path"}
    assert_cited(answer)


def test_multiple_choice(agent: Agent, film: Films) -> None:
    wide = film(3, 0.62).grey
    assert agent.ask(wide, "Is the heart enlarged?", choices=["yes", "no"], **ADULT_PA).choice == "yes"
    lettered = agent.ask(wide, "Is the heart enlarged? A) yes B) no", **ADULT_PA)
    assert lettered.choice == "A"
    assert lettered.confidence is not None
    ranged = agent.ask(
        wide, "What is the cardiothoracic ratio? (A) below 0.45 (B) 0.45-0.50 (C) above 0.50", **ADULT_PA
    )
    assert ranged.choice == "C"
    unanswerable = agent.ask(wide, "Is there a pneumothorax?", choices=["yes", "no"], **ADULT_PA)
    assert unanswerable.choice is None
    assert unanswerable.abstained


@pytest.mark.parametrize("question", ["", "   ", "x" * 10_000])
def test_no_question_is_refused(agent: Agent, film: Films, question: str) -> None:
    with pytest.raises(UsageError):
        agent.ask(film(4, 0.40).grey, question)


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((400, 400), np.uint8), np.full((1, 1), 7, np.uint8), np.random.default_rng(0).random((300, 300))],
    ids=["black", "one pixel", "noise"],
)
def test_what_is_no_film_gets_an_abstention(agent: Agent, pixels: np.ndarray) -> None:
    answer = agent.ask(pixels, "Is the heart enlarged?", **ADULT_PA)
    assert answer.abstained
    assert answer.abstain_reason


def test_a_question_about_an_image_without_one_abstains(agent: Agent) -> None:
    assert agent.ask(None, "Is the heart enlarged?").abstained


def test_a_missing_file_is_an_error(agent: Agent) -> None:
    with pytest.raises(InputError, match="nowhere"):
        agent.ask("nowhere.png", "Is the heart enlarged?")


def test_a_lateral_film_is_declined(agent: Agent, film: Films) -> None:
    answer = agent.ask(film(4, 0.40).grey, "Is the heart enlarged?", view="LATERAL", age=60)
    assert answer.abstained
    assert "lateral" in answer.text


def test_overlay_shows_the_film(agent: Agent, film: Films) -> None:
    answer = agent.ask(film(3, 0.62).grey, "Is the heart enlarged?", **ADULT_PA)
    cited = answer.evidence_by_id(answer.claims[0].evidence[0])
    assert min(cited.overlay().size) >= 400


def test_ask_works_inside_a_running_loop(agent: Agent, film: Films) -> None:
    async def caller() -> tuple[Answer, Answer]:
        blocking = agent.ask(film(3, 0.62).grey, "Is the heart enlarged?", **ADULT_PA)
        return blocking, await agent.aask(film(3, 0.62).grey, "Is the heart enlarged?", **ADULT_PA)

    first, second = asyncio.run(caller())
    assert first.verdict == second.verdict == "yes"


def test_stream_tells_progress_and_ends_with_the_answer(agent: Agent, film: Films) -> None:
    events = list(agent.stream(film(3, 0.62).grey, "Is the heart enlarged?", **ADULT_PA))
    assert {"intake", "think", "act"} <= {e.get("node") for e in events}
    assert events[-1]["answer"].verdict == "yes"


def test_a_spent_budget_ends_with_a_partial_answer(make_agent: Callable[..., Agent], film: Films) -> None:
    answer = make_agent(max_steps=1).ask(film(3, 0.62).grey, "Is the heart enlarged?", **ADULT_PA)
    assert answer.budget.exhausted == "steps"
    short = make_agent(max_calls=2).ask(film(6, 0.62).grey, "Is the heart enlarged?", **ADULT_PA)
    assert short.abstained
    assert short.budget.exhausted == "calls"


def test_a_risk_that_cannot_be_certified_says_so(make_agent: Callable[..., Agent], film: Films) -> None:
    answer = make_agent(risk=0.0001).ask(film(3, 0.62).grey, "Is the heart enlarged?", **ADULT_PA)
    assert answer.abstained
    assert any("not certified" in w for w in answer.warnings)
