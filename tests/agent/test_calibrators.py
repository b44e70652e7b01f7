"""Every probability that an answer shows names a calibration of the catalogue."""

from collections.abc import Callable
from typing import Any

import pytest

from secondread.agent.agent import Agent
from secondread.schema.answer import Answer
from secondread.schema.evidence import Findings, Measurements
from secondread.tools.calibrators import named_in, shipped

RANGES = ["below 0.45", "0.45-0.55", "above 0.55"]
QUESTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("Is the heart enlarged?", {"view": "PA", "age": 60}),
    ("Is this a frontal chest film?", {}),
    ("Is the film rotated?", {}),
)
MORE: tuple[tuple[str, dict[str, Any]], ...] = (
    ("Is the heart enlarged?", {"age": 60}),
    ("Is the heart of normal size?", {"view": "AP", "age": 60}),
    ("How large is the cardiothoracic ratio?", {"view": "PA", "age": 60, "choices": RANGES}),
    ("Is this a PA film?", {}),
    ("Is this a film of a child?", {}),
    ("Is the film underexposed?", {}),
    ("Is the right lung larger than the left lung?", {}),
)  # fmt: skip


def untraced(answer: Answer) -> list[str]:
    """Every probability of an answer that no calibration stands behind."""
    found = []
    if answer.confidence is not None and not named_in(answer.confidence_method):
        found.append(f"confidence: {answer.confidence_method}")
    found += [
        f"{c.id}: {c.probability_method}"
        for c in answer.claims
        if c.probability is not None and not named_in(c.probability_method)
    ]
    for item in answer.evidence:
        known = set(item.calibrators) <= set(shipped())
        scored = isinstance(item.result, Findings) and any(
            f.score_kind == "calibrated probability" for f in item.result.items
        )
        counted = isinstance(item.result, Measurements) and any(c.scores for c in item.result.counted)
        if (scored or counted) and not (item.calibrators and known):
            found.append(f"{item.id} of {item.tool}")
        if isinstance(item.result, Measurements):
            found += [f"{item.id}: interval" for m in item.result.items if m.interval and not m.interval.method]
    return found


@pytest.mark.parametrize(("question", "given"), QUESTIONS, ids=lambda v: v if isinstance(v, str) else "-".join(v))
def test_probabilities_name_their_calibration(
    agent: Agent, film: Callable[..., Any], question: str, given: dict[str, Any]
) -> None:
    answer = agent.ask(film(3, 0.62).grey, question, **given)
    assert not untraced(answer)
    if question == "Is the heart enlarged?" and "view" in given:
        assert answer.confidence is not None and answer.confidence_method


@pytest.mark.slow
@pytest.mark.parametrize(("question", "given"), MORE, ids=lambda v: v if isinstance(v, str) else "-".join(v))
def test_so_do_those_of_every_other_question(
    agent: Agent, film: Callable[..., Any], question: str, given: dict[str, Any]
) -> None:
    assert not untraced(agent.ask(film(3, 0.62).grey, question, **given))


def test_an_untraced_probability_is_found(agent: Agent, film: Callable[..., Any]) -> None:
    answer = agent.ask(film(3, 0.62).grey, "Is the heart enlarged?", view="PA", age=60)
    bare = answer.model_copy(update={"confidence_method": "a feeling"})
    assert untraced(bare) == ["confidence: a feeling"]
    claims = tuple(c.model_copy(update={"probability_method": "x", "probability": 0.9}) for c in answer.claims)
    assert len(untraced(answer.model_copy(update={"claims": claims}))) == len(claims)


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "question"),
    [
        ("cells_bccd", "How many white blood cells are there?"),
        ("nuclei_dsb2018", "How many nuclei are there?"),
        ("ultrasound_usgra", "What is the area of the nerve?"),
        ("retina_chase_db1", "What is the vessel density?"),
    ],
)
def test_experts_name_theirs(agent: Agent, data_dir: Any, name: str, question: str) -> None:
    picture = sorted(p for p in (data_dir / name / "images").iterdir() if p.suffix in (".png", ".jpg"))[0]
    answer = agent.ask(picture, question)
    assert not answer.abstained and not untraced(answer)
    assert any(e.calibrators for e in answer.evidence)
