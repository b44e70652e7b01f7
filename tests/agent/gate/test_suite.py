"""The gate on claims of real runs: what they say passes; nothing made false, unsupported or foreign does."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from mutations import MUTATIONS, Case, with_text

from secondread.agent.agent import Agent
from secondread.agent.claims import check
from secondread.agent.gate.entities import measured
from secondread.agent.gate.support import knowledge_only
from secondread.agent.planners.base import Belief
from secondread.evals.phantom import Film
from secondread.kg.graph import core_graph
from secondread.schema.evidence import Evidence

GRAPH = core_graph()
Films = Callable[..., Film]
FILMS = ((3, 0.62), (4, 0.40), (5, 0.47), (6, 0.56), (8, 0.70), (9, 0.44))
QUESTIONS = (
    "Is the heart enlarged?",
    "Which lung is larger?",
    "Where is the heart?",
    "Where is the left lung?",
    "Is the film rotated?",
    "Is the film inverted?",
    "Is the film of good quality?",
    "Is this a PA film?",
    "What is the mean grey value?",
    "What does an enlarged heart suggest?",
)
KINDS = {
    "swapped side": ("swapped_side", "swapped_location", "added_side"),
    "shifted number": ("shifted_number", "invented_probability", "turned_comparison"),
    "added finding": ("added_finding", "added_unknown_finding", "overstated"),
    "dropped negation": ("dropped_negation", "added_negation", "against_belief", "undecided_belief", "without_belief"),
    "wrong unit": ("wrong_unit",),
    "evidence of another image": ("other_image", "foreign_tag", "unresolved_evidence", "failed_evidence"),
    "true statement without evidence": ("no_evidence",),
}
BY_NAME = {m.__name__: m for m in MUTATIONS}


@pytest.fixture(scope="module")
def supported(agent: Agent, film: Films) -> list[tuple[Case, frozenset[str]]]:
    """Claims of real runs with their evidence, the beliefs they state, and the images they are about."""
    cases: dict[tuple[str, str], tuple[Case, frozenset[str]]] = {}
    outline = np.zeros((512, 512), bool)
    outline[100:200, 150:300] = True
    for seed, ratio in FILMS:
        grey = film(seed, ratio).grey
        asked: list[dict[str, Any]] = [{"question": q} for q in QUESTIONS]
        asked.append({"question": "What is the area of the left lung?", "masks": {"left lung": outline}})
        for one in asked:
            answer = agent.ask(grey, view="PA", age=60, **one)
            ledger: dict[str, Evidence] = {e.id: e for e in answer.evidence}
            images = frozenset(e.image for e in answer.evidence if e.image)
            for claim in answer.claims:
                p = claim.probability
                present = p if p is None or claim.polarity == "present" else 1 - p
                cites = [ledger[e] for e in claim.evidence]
                decided = claim.concept not in measured(cites) and not knowledge_only(cites)
                belief = Belief(probability=present, method="run", polarity=claim.polarity, evidence=claim.evidence)
                about = " ".join(str(e.image) for e in cites)
                cases[claim.text, about] = (claim, ledger, {claim.concept: belief} if decided else {}), images
    return list(cases.values())


def reasons(case: Case, images: frozenset[str], synthetic: frozenset[str] = frozenset()) -> list[str]:
    claim, ledger, beliefs = case
    return [v.reason for v in check(claim, ledger, beliefs, GRAPH, images=images, synthetic=synthetic)]


def mutated(supported: list[tuple[Case, frozenset[str]]], names: tuple[str, ...]) -> list[tuple[Case, frozenset[str]]]:
    """Every change of these kinds that leaves a claim, its evidence or its belief other than it was."""
    made = ((case, BY_NAME[name](case), images) for case, images in supported for name in names)
    return [(changed, images) for case, changed, images in made if changed is not None and changed != case]


def test_the_suite(supported: list[tuple[Case, frozenset[str]]], tell: Callable[[str], None]) -> None:
    refused = {case[0].text: found for case, images in supported if (found := reasons(case, images))}
    sets = {kind: mutated(supported, names) for kind, names in KINDS.items()}
    counts, passed = Counter[str](), Counter[str]()
    let_through: list[str] = []
    for kind, cases in sets.items():
        for case, images in cases:
            counts[kind] += 1
            if not reasons(case, images):
                passed[kind] += 1
                let_through.append(f"{kind}: {case[0].text}")
    for case, images in supported:
        if all(case[1][e].image for e in case[0].evidence):
            counts["synthetic image as evidence"] += 1
            if not reasons(case, images, images):
                passed["synthetic image as evidence"] += 1
                let_through.append(f"synthetic: {case[0].text}")
    total = sum(counts.values())
    listed = ", ".join(f"{kind} {passed[kind]}/{n}" for kind, n in counts.items())
    tell(
        f"gate: {len(supported) - len(refused)}/{len(supported)} supported claims pass; unsupported let through "
        f"{len(let_through)}/{total} ({listed})"
    )
    assert len(supported) >= 50
    assert total >= 300
    assert set(counts) == {*KINDS, "synthetic image as evidence"}
    assert min(counts.values()) >= 5
    assert len(refused) <= 0.02 * len(supported), refused
    assert not let_through, "\n".join(let_through)


def test_a_claim_of_one_film_does_not_pass_with_the_evidence_of_another(
    supported: list[tuple[Case, frozenset[str]]],
) -> None:
    swaps = 0
    for (one, images), (other, _) in zip(supported, supported[7:], strict=False):
        if images & {e.image for e in other[1].values()}:
            continue
        swaps += 1
        assert reasons((one[0], other[1], one[2]), images), one[0].text
    assert swaps >= 20


def test_claims_that_only_look_alike_are_told_apart(supported: list[tuple[Case, frozenset[str]]]) -> None:
    for case, images in supported:
        for text in (case[0].text.replace("[E", "(E"), case[0].text.upper() + " AND A PNEUMOTHORAX"):
            if "PNEUMO" in text:
                assert reasons(with_text(case, text), images), text
