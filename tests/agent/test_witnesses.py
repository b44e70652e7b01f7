"""Witnesses: documented, removable, and never a probability without a calibration."""

from collections.abc import Callable
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from secondread.agent.agent import Agent
from secondread.agent.trace import of_type, read_trace
from secondread.agent.witnesses import (
    WITNESSES,
    Name,
    Testimony,
    calibrated_by,
    heard,
    sample_agreement,
    token_log_probability,
)
from secondread.schema.evidence import (
    Evidence,
    Finding,
    Findings,
    GraphPaths,
    Measurement,
    RankedConcept,
    SimilarCase,
    SimilarCases,
)

QUESTION = "Is the heart enlarged?"


def evidence(result: Any, key: str = "E1", calibrators: tuple[str, ...] = ()) -> Evidence:
    return Evidence(
        id=key, call_key="k", kind=result.kind, tool="t", tool_version="1", result=result, summary="",
        calibrators=calibrators,
    )  # fmt: skip


def finding(**fields: Any) -> Findings:
    given = {"concept": "effusion", "score": 0.8, "polarity": "present", **fields}
    return Findings(items=(Finding.model_validate(given),))


def test_every_witness_is_documented() -> None:
    assert set(WITNESSES) == set(get_args(Name))
    assert all(w.says and w.source and w.off for w in WITNESSES.values())


def test_support_cannot_carry_a_probability() -> None:
    with pytest.raises(ValidationError, match="exactly when a calibration"):
        Testimony(witness="graph_support", value=0.5, probability=0.5)


def test_a_score_is_a_probability_only_with_a_calibration() -> None:
    calibrated = finding(score_kind="calibrated probability", verified=True)
    assert calibrated_by("effusion", evidence(calibrated)) is None
    item = evidence(calibrated, calibrators=("effusion@1", "child@2"))
    (said,) = heard("effusion", None, [item], [item], frozenset())
    assert (said.witness, said.probability, said.calibrator, said.leans) == ("detector_score", 0.8, "effusion@1", "for")
    for loose in (finding(score_kind="sigmoid", verified=True), finding(score_kind="calibrated probability")):
        (said,) = heard("effusion", None, [evidence(loose, calibrators=("effusion@1",))], [], frozenset())
        assert said.probability is None and said.value == 0.8


def test_spread_retrieval_and_graph_are_heard_and_left_out() -> None:
    ratio = Measurement(name="r", value=0.5, spread=0.01, spread_between=0.02, uncertainty=0.05)
    cases = SimilarCases(
        items=tuple(
            SimilarCase(id=str(n), source="s", labels=("pleural effusion",) if n < 3 else (), text="") for n in range(4)
        )
    )
    ranked = GraphPaths(
        paths=(), ranked=(RankedConcept(concept="pleural_effusion", score=1, support=("a", "b", "c"), against=("d",)),)
    )
    ledger = [evidence(cases, "E2"), evidence(ranked, "E3")]

    def values(off: set[str]) -> dict[str, float]:
        return {w.witness: w.value for w in heard("pleural_effusion", ratio, [], ledger, frozenset(off))}

    assert values(set()) == {
        "mask_uncertainty": 0.05, "augmentation_spread": 0.01, "ensemble_variance": pytest.approx(0.0004),
        "retrieval_support": 0.75, "graph_support": 0.5,
    }  # fmt: skip
    for name in values(set()):
        assert name not in values({name})


def test_agreement_of_replies_by_hand() -> None:
    answer, said = sample_agreement(["yes", "no", "yes", None])
    assert answer == "yes" and said is not None and said.value == 0.5
    assert sample_agreement(["yes"]) == ("yes", None)
    assert sample_agreement([None, None]) == (None, None)


def test_token_log_probability_by_hand() -> None:
    said = token_log_probability({"logprobs": {"content": [{"logprob": -0.1}, {"logprob": -0.3}]}})
    assert said is not None and said.value == pytest.approx(-0.2)
    for none in ({}, {"logprobs": None}, {"logprobs": {"content": []}}, {"logprobs": {"content": [{"logprob": "x"}]}}):
        assert token_log_probability(none) is None


def test_taking_a_witness_away_changes_the_answer(
    make_agent: Callable[..., Agent], film: Callable[..., Any], traces: Any
) -> None:
    """Without the masks' spread the error model cannot be used; without their uncertainty it takes its centre."""
    pixels = film(3, 0.58).grey
    whole = make_agent().ask(pixels, QUESTION, view="PA", age=60)
    assert whole.verdict == "yes" and whole.confidence is not None
    assert "cardiothoracic_ratio@" in whole.confidence_method
    bare = make_agent(witnesses_off=("augmentation_spread",)).ask(pixels, QUESTION, view="PA", age=60)
    assert bare.abstained and bare.confidence is None
    centre = make_agent(witnesses_off=("mask_uncertainty",)).ask(pixels, QUESTION, view="PA", age=60)
    path = next(traces.rglob(f"*{centre.trace}*.jsonl"))
    told = list(of_type(read_trace(path), "rethink"))[-1]["beliefs"]["P1"]
    names = {w["witness"] for w in told["witnesses"]}
    assert names == {"augmentation_spread", "ensemble_variance"}
    full = list(of_type(read_trace(next(traces.rglob(f"*{whole.trace}*.jsonl"))), "rethink"))[-1]["beliefs"]["P1"]
    assert full["probability"] != told["probability"]
