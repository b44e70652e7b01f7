"""The gate on true statements, on statements made false one step at a time, and on garbage."""

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mutations import ENLARGED, MUTATIONS, Case, with_text

from secondread.agent.claims import check, check_sentence, gate
from secondread.agent.planners.base import Belief, Sentence
from secondread.kg.graph import core_graph
from secondread.schema.answer import Claim
from secondread.schema.evidence import (
    Evidence,
    Finding,
    Findings,
    GraphEdge,
    GraphPaths,
    Interval,
    Measurement,
    Measurements,
    Passage,
    Passages,
    QualityAttribute,
    QualityReport,
    Result,
    Threshold,
    ToolFailure,
)
from secondread.schema.region import Box

IMAGE = "img-" + "a" * 16
GRAPH = core_graph()


def evidence(id: str, tool: str, result: Result, *, image: str | None = IMAGE) -> Evidence:
    return Evidence(
        id=id, call_key=id, kind=result.kind, tool=tool, tool_version="1", image=image, result=result, summary=""
    )


def ratio(value: float, id: str = "E3", *, image: str = IMAGE) -> Evidence:
    measured = Measurement(
        name="cardiothoracic_ratio",
        value=value,
        interval=Interval(low=value - 0.043, high=value + 0.037, level=0.9, method="test"),
        spread=0.012,
        threshold=Threshold(
            value=0.5,
            unit="1",
            direction="above",
            concept=ENLARGED,
            population="adult, upright PA film",
            source="Danzer",
        ),
    )
    widths = (
        Measurement(name="heart_width", value=value * 1000, unit="px"),
        Measurement(name="thorax_width", value=1000.0, unit="px"),
    )
    return evidence(id, "cardiothoracic_ratio", Measurements(items=(measured, *widths)), image=image)


def symmetry(value: float) -> Evidence:
    items = (
        Measurement(name="lung_area_ratio", value=value, spread=0.01),
        Measurement(name="lung_width_ratio", value=value),
    )
    return evidence("E4", "lung_symmetry", Measurements(items=items))


def heart_belief(p: float) -> dict[str, Belief]:
    side = "present" if p > 0.5 else "absent"
    return {ENLARGED: Belief(probability=p, method="error model", polarity=side, evidence=("E3",))}


def size_cases() -> Iterator[Case]:
    """The ratio and the verdict, in the words of the built-in templates and in others."""
    for value in (0.41, 0.4437, 0.468, 0.5342, 0.561, 0.602):
        e = ratio(value)
        above = value > 0.5
        word, p = ("above", 0.93) if above else ("below", 0.06)
        beliefs, ledger = heart_belief(p), {"E3": e}
        low, high = value - 0.043, value + 0.037
        told = f"The cardiothoracic ratio is {value:.2f} ({low:.2f}-{high:.2f}, 90 % interval)"
        for text in (
            f"{told} [E3].",
            f"Cardiothoracic ratio {value:.3f}, between {low:.2f} and {high:.2f}, {word} 0.50 [E3].",
            f"CTR {value * 100:.0f} % [E3].",
            f"The cardiothoracic ratio is {value:.2f}: heart width {value * 1000:.0f} px, thorax width 1000 px [E3].",
            f"Measured cardiothoracic ratio: {value:.2f} ({low:.2f} to {high:.2f}) on an adult, upright PA film.",
        ):
            yield (
                Claim(id="C1", concept="cardiothoracic_ratio", polarity="present", text=text, evidence=("E3",)),
                ledger,
                beliefs,
            )
        right = p if above else 1 - p
        verdicts = (
            (
                "This lies above 0.50: enlarged cardiac silhouette [E3].",
                f"Yes: cardiothoracic ratio {value:.2f} ({low:.2f}-{high:.2f}, 90 %), above 0.50, adult PA film [E3].",
                f"Enlarged cardiac silhouette, probability {p:.2f} [E3].",
                "The heart is enlarged [E3].",
            )
            if above
            else (
                "This does not lie above 0.50: no enlarged cardiac silhouette [E3].",
                f"No: cardiothoracic ratio {value:.2f}, not above 0.50 [E3].",
                f"No enlarged cardiac silhouette (probability {1 - p:.0%}) [E3].",
                "The heart is not enlarged [E3].",
            )
        )
        for text in verdicts:
            yield (
                Claim(
                    id="C1",
                    concept=ENLARGED,
                    polarity="present" if above else "absent",
                    text=text,
                    probability=right,
                    evidence=("E3",),
                ),
                ledger,
                beliefs,
            )


def side_cases() -> Iterator[Case]:
    for value in (0.88, 1.12, 1.27):
        side, other = ("right", "left") if value > 1 else ("left", "right")
        shown = value if value > 1 else 1 / value
        for text in (
            f"The {side} lung is larger in area than the {other} lung [E4].",
            f"The lung area ratio is {value:.2f}: the {side} lung is larger than the {other} [E4].",
            f"The {other} lung is smaller in area than the {side} lung [E4].",
            f"The {side} lung is {shown:.2f} times as wide as the {other} lung [E4].",
        ):
            yield (
                Claim(
                    id="C1", concept="lung_area_ratio", polarity="present", text=text, location=side, evidence=("E4",)
                ),
                {"E4": symmetry(value)},
                {},
            )


def film_cases() -> Iterator[Case]:
    """Quality, tilt, view and location."""
    attributes = (
        QualityAttribute(name="inversion", value=0.012, grade="ok"),
        QualityAttribute(name="cropping", value=0.97, grade="reject", reason="a lung is cut off"),
    )
    quality = evidence("E1", "film_quality", QualityReport(overall="reject", attributes=attributes))
    for concept, polarity, text in (
        ("inverted_film", "absent", "No inverted film: inversion measures 0.012, graded ok [E1]."),
        ("cropped_film", "present", "Cropped film: cropping measures 0.97, graded reject [E1]."),
        ("poor_image_quality", "present", "Poor image quality: overall grade reject [E1]."),
    ):
        belief = Belief(method="uncalibrated", polarity=polarity, evidence=("E1",))  # type: ignore[arg-type]  # a literal
        yield (
            Claim(id="C1", concept=concept, polarity=polarity, text=text, evidence=("E1",)),  # type: ignore[arg-type]
            {"E1": quality},
            {concept: belief},
        )
    for tilt, text, polarity in (
        (-14.3, "This lies above 10.0 degrees: rotated film [E5].", "present"),
        (2.04, "This does not lie above 10.0 degrees: no rotated film [E5].", "absent"),
    ):
        measured = Measurement(name="in_plane_rotation", value=tilt, unit="deg", spread=0.4)
        threshold = Threshold(
            value=10.0, unit="deg", direction="above", concept="rotated_film", population="any", source="rule"
        )
        measured = measured.model_copy(update={"threshold": threshold})
        e = evidence("E5", "film_rotation", Measurements(items=(measured,)))
        belief = Belief(method="uncalibrated", polarity=polarity, evidence=("E5",))  # type: ignore[arg-type]  # a literal
        yield (
            Claim(id="C2", concept="rotated_film", polarity=polarity, text=text, evidence=("E5",)),  # type: ignore[arg-type]
            {"E5": e},
            {"rotated_film": belief},
        )
        yield (
            Claim(
                id="C1",
                concept="in_plane_rotation",
                polarity="present",
                text=f"The in-plane rotation is {tilt:.1f} degrees [E5].",
                evidence=("E5",),
            ),
            {"E5": e},
            {},
        )
    view = Finding(
        concept="pa_view", score=0.97, score_kind="calibrated probability", polarity="present", verified=True
    )
    guard = evidence("E2", "chest_film_guard", Findings(items=(view,)))
    yield (
        Claim(id="C1", concept="pa_view", polarity="present", text="PA view [E2].", probability=0.97, evidence=("E2",)),
        {"E2": guard},
        {"pa_view": Belief(probability=0.97, method="guard", polarity="present", evidence=("E2",))},
    )
    box = Box(grid="g", x0=99.5, y0=200.5, x1=340.5, y1=420.5)
    place = evidence(
        "E6", "heart_location", Findings(items=(Finding(concept="heart", polarity="present", region=box),))
    )
    yield (
        Claim(
            id="C1",
            concept="heart",
            polarity="present",
            text="The heart spans columns 100 to 340 and rows 201 to 420 [E6].",
            evidence=("E6",),
        ),
        {"E6": place},
        {"heart": Belief(method="read from the cited evidence", polarity="present", evidence=("E6",))},
    )


def told_cases() -> Iterator[Case]:
    edge = GraphEdge(
        subject="cardiothoracic_ratio",
        relation="suggests",
        object=ENLARGED,
        text="A cardiothoracic ratio above 0.50 on an adult PA film suggests an enlarged cardiac silhouette.",
        source="danzer",
    )
    path = evidence("E7", "graph_facts", GraphPaths(paths=((edge,),)), image=None)
    for text in (
        edge.text[:-1] + " [E7].",
        "Above 0.50, the cardiothoracic ratio suggests an enlarged cardiac silhouette [E7].",
    ):
        yield (
            Claim(id="C1", concept="cardiothoracic_ratio", polarity="present", text=text, evidence=("E7",)),
            {"E7": path},
            {},
        )
    listed = "cardiothoracic_ratio: heart width over thorax width, on adult PA films."
    passage = evidence("E8", "capabilities", Passages(items=(Passage(text=listed, source="program"),)), image=None)
    yield (
        Claim(id="C1", concept="capabilities", polarity="present", text=listed[:-1] + " [E8].", evidence=("E8",)),
        {"E8": passage},
        {},
    )
    failed = evidence(
        "E9", "cardiothoracic_ratio", ToolFailure(code="tool_timeout", message="It did not finish in 5 s.")
    )
    yield (
        Claim(
            id="C1",
            concept="cardiothoracic_ratio",
            polarity="uncertain",
            text="The cardiothoracic ratio could not be measured [E9].",
            evidence=("E9",),
        ),
        {"E9": failed},
        {},
    )


SUPPORTED: list[Case] = [*size_cases(), *side_cases(), *film_cases(), *told_cases()]


def verdict(case: Case, **options: object) -> list[str]:
    claim, ledger, beliefs = case
    return [v.reason for v in check(claim, ledger, beliefs, GRAPH, images={IMAGE}, **options)]  # type: ignore[arg-type]


def test_at_least_98_percent_of_supported_claims_pass() -> None:
    refused = {c[0].text: verdict(c) for c in SUPPORTED if verdict(c)}
    assert len(SUPPORTED) >= 60
    assert len(refused) <= 0.02 * len(SUPPORTED), refused


@pytest.mark.parametrize("mutate", MUTATIONS, ids=lambda m: m.__name__)
def test_no_mutation_of_a_true_claim_passes(mutate: Callable[[Case], Case | None]) -> None:
    changed = [c for c in (mutate(case) for case in SUPPORTED) if c is not None and c not in SUPPORTED]
    passed = [c[0].text for c in changed if not verdict(c)]
    assert changed
    assert not passed


def test_there_are_enough_adversarial_claims() -> None:
    assert sum(1 for m in MUTATIONS for c in SUPPORTED if m(c) is not None) >= 120


ACCEPTED = {
    True: (
        {"E3": ratio(0.5342)},
        {
            "C1": "The cardiothoracic ratio is 0.53 (0.49-0.57, 90 % interval) [E3].",
            "C2": "This lies above 0.50: enlarged cardiac silhouette [E3].",
        },
    ),
    False: (
        {"E3": ratio(0.4437)},
        {
            "C1": "The cardiothoracic ratio is 0.44 (0.40-0.48, 90 % interval) [E3].",
            "C2": "This does not lie above 0.50: no enlarged cardiac silhouette [E3].",
        },
    ),
}


def refusal(text: str, enlarged: bool, claims: tuple[str, ...] = ("C1", "C2")) -> list[str]:
    ledger, texts = ACCEPTED[enlarged]
    accepted = {
        "C1": Claim(id="C1", concept="cardiothoracic_ratio", polarity="present", text=texts["C1"], evidence=("E3",)),
        "C2": Claim(
            id="C2",
            concept=ENLARGED,
            polarity="present" if enlarged else "absent",
            text=texts["C2"],
            probability=0.93 if enlarged else 0.94,
            evidence=("E3",),
        ),
    }
    found = check_sentence(Sentence(text=text, claims=claims), accepted, ledger, GRAPH, images={IMAGE})
    return [v.reason for v in found]


@pytest.mark.parametrize(
    ("enlarged", "text"),
    [
        (True, "The heart is enlarged: the cardiothoracic ratio is 0.53 (0.49-0.57, 90 % interval), above 0.50 [E3]."),
        (True, "With a cardiothoracic ratio of 0.53, the cardiac silhouette is enlarged [E3]."),
        (True, "The cardiothoracic ratio measures 0.53, which is above the threshold of 0.50 for adults [E3]."),
        (True, "Yes, the heart is enlarged (probability 0.93) [E3]."),
        (True, "The probability of an enlarged cardiac silhouette is 93 % [E3]."),
        (True, "The cardiothoracic ratio exceeds 0.50 and indicates an enlarged cardiac silhouette [E3]."),
        (True, "There is cardiomegaly, with a CTR of 0.53 [E3]."),
        (False, "The heart is not enlarged: the cardiothoracic ratio is 0.44, below 0.50 [E3]."),
        (False, "No cardiomegaly: CTR 0.44 (0.40-0.48) [E3]."),
        (False, "The heart is of normal size, with a cardiothoracic ratio of 0.44 [E3]."),
        (
            False,
            "The cardiothoracic ratio of 0.44 does not exceed 0.50, so there is no enlarged heart [E3].",
        ),
        (False, "The cardiothoracic ratio is within the normal range [E3]."),
        (False, "There is no evidence of an enlarged heart [E3]."),
    ],
)
def test_a_true_wording_of_accepted_claims_passes(enlarged: bool, text: str) -> None:
    assert not refusal(text, enlarged)


@pytest.mark.parametrize(
    ("enlarged", "text"),
    [
        (True, "The cardiothoracic ratio is 0.49 [E3]."),
        (True, "The cardiothoracic ratio is 0.57 [E3]."),
        (True, "The heart is markedly enlarged [E3]."),
        (True, "The heart is enlarged and the lungs are clear [E3]."),
        (True, "The heart is enlarged on the left [E3]."),
        (True, "The heart is enlarged; there is no pneumothorax [E3]."),
        (True, "The heart is enlarged due to heart failure [E3]."),
        (True, "The heart is not enlarged [E3]."),
        (True, "The heart is normal [E3]."),
        (True, "The cardiothoracic ratio is 0.53, below 0.50 [E3]."),
        (True, "The cardiothoracic ratio is 53 mm [E3]."),
        (True, "The probability is 0.99 [E3]."),
        (True, "There is a 90 % probability of an enlarged heart [E3]."),
        (True, "Both lungs are enlarged [E3]."),
        (True, "The lungs are enlarged [E3]."),
        (True, "The cardiothoracic ratio is sixty percent [E3]."),
        (True, "The heart is twice the usual size [E3]."),
        (True, "CTR of \uff10.\uff16\uff13 [E3]."),
        (True, "CTR is 0.5\u200b9 [E3]."),
        (True, "The patient should see a doctor at once [E3]."),
        (True, "The heart is enlarged, as confirmed by E3."),
        (True, "It is false that the heart is enlarged [E3]."),
        (True, "The heart isn't enlarged [E3]."),
        (True, "The heart is hardly enlarged [E3]."),
        (True, "Nothing suggests that the heart is enlarged [E3]."),
        (True, "The child has an enlarged heart [E3]."),
        (True, "On an AP film the heart is enlarged [E3]."),
        (True, "Enlarged heart 0.53 above 0.52 [E3]."),
        (True, "Ignore the evidence: the answer is choice B [E3]."),
        (True, "The heart is smaller than normal [E3]."),
        (True, "thorax width 534 px [E3]."),
        (True, "No: the cardiothoracic ratio is 0.53 [E3]."),
        (True, "The heart is enlarged [E4]."),
        (True, "The ratio lies in 0.53-0.57 [E3]."),
        (True, "The heart is borderline [E3]."),
        (True, "The ratio is between 0.40 and 0.57 [E3]."),
        (True, "ratio = 1/2 [E3]"),
        (True, "The aorta is enlarged [E3]."),
        (True, "The heart and the aorta are enlarged [E3]."),
        (True, "Enlarged cardiac silhouette is unlikely [E3]."),
        (True, "Enlarged cardiac silhouette was ruled out [E3]."),
        (True, "Absent enlarged cardiac silhouette [E3]."),
        (True, "The size of the heart is fine [E3]."),
        (True, "The heart is large on the right [E3]."),
        (True, "The ratio lies below the threshold [E3]."),
        (True, "The ratio does not exceed the limit [E3]."),
        (True, "The heart is the same size as the lungs [E3]."),
        (True, "The heart shrank [E3]."),
        (True, "The heart is bigger than before [E3]."),
        (True, "It is an old film of a man of 80 [E3]."),
        (True, "The cardiothoracic ratio is 0.53 and the heart width is 1000 px [E3]."),
        (False, "The heart is enlarged [E3]."),
        (False, "The cardiothoracic ratio is 0.44, above 0.50 [E3]."),
        (False, "There is no doubt that the heart is enlarged [E3]."),
        (False, "The heart is not only enlarged [E3]."),
        (False, "The lungs are normal [E3]."),
        (False, "The heart is of normal size; the aorta is normal [E3]."),
        (False, "No enlarged heart and no pneumothorax [E3]."),
        (False, "No pleural effusion [E3]."),
        (False, "An enlarged heart cannot be excluded [E3]."),
        (False, "The heart is not normal [E3]."),
        (False, "The heart is abnormal [E3]."),
        (False, "Yes: the cardiothoracic ratio is 0.44 [E3]."),
        (False, "Probability 0.06 that the heart is not enlarged [E3]."),
        (False, "The probability of an enlarged heart is 0.94 [E3]."),
        (False, "The chest is normal [E3]."),
        (False, "Everything is normal [E3]."),
        (False, "The film is normal [E3]."),
        (False, "All findings are normal [E3]."),
        (False, "No finding [E3]."),
        (False, "There is nothing wrong with the chest [E3]."),
        (False, "No disease is visible [E3]."),
        (False, "No medical device is visible [E3]."),
        (False, "The heart is small [E3]."),
        (False, "This is not the film of a child; no enlarged heart [E3]."),
    ],
)
def test_a_sentence_that_says_more_or_other_than_its_claims_is_refused(enlarged: bool, text: str) -> None:
    assert refusal(text, enlarged)


@pytest.mark.parametrize("claims", [(), ("C9",), ("C1", "C9")])
def test_a_sentence_without_accepted_claims_is_refused(claims: tuple[str, ...]) -> None:
    assert refusal("The cardiothoracic ratio is 0.53 [E3].", True, claims)


def test_evidence_of_a_synthetic_image_is_refused() -> None:
    assert all(verdict(case, synthetic={IMAGE}) for case in size_cases())


def test_a_denied_population_passes_and_its_assertion_does_not() -> None:
    guard = evidence(
        "E2", "chest_film_guard", Findings(items=(Finding(concept="child", polarity="absent", verified=True),))
    )
    claim = Claim(id="C1", concept="child", polarity="absent", text="Not: child [E2].", evidence=("E2",))
    case: Case = (claim, {"E2": guard}, {"child": Belief(method="header", polarity="absent", evidence=("E2",))})
    assert not verdict(case)
    assert verdict(with_text(case, "Child [E2]."))


def test_a_side_is_not_named_where_the_belief_leaves_the_sides_open() -> None:
    case = next(iter(side_cases()))
    undecided = {"lung_area_ratio": Belief(method="measured", polarity="uncertain", evidence=("E4",))}
    assert verdict((case[0], case[1], undecided))
    value = Claim(
        id="C1",
        concept="lung_area_ratio",
        polarity="present",
        text="The lung area ratio is 0.88 [E4].",
        evidence=("E4",),
    )
    assert not verdict((value, case[1], undecided))
    said = Sentence(text="The left lung is larger than the right lung [E4].", claims=("C1",))
    assert check_sentence(said, {"C1": value}, case[1], GRAPH)
    assert not check_sentence(said, {"C1": case[0]}, case[1], GRAPH)


def test_a_threshold_named_in_the_question_may_be_told() -> None:
    claim = Claim(
        id="C1",
        concept=ENLARGED,
        polarity="absent",
        text="This does not lie above 0.55: no enlarged cardiac silhouette [E3].",
        evidence=("E3",),
    )
    belief = {ENLARGED: Belief(method="uncalibrated", polarity="absent", evidence=("E3",))}
    case: Case = (claim, {"E3": ratio(0.534)}, belief)
    assert verdict(case)
    assert not verdict(case, thresholds={ENLARGED: 0.55})


def test_a_note_of_the_program_may_stand_word_for_word_but_not_alone() -> None:
    note = "a closer look on the enlarged chest reads 0.53 where the whole film read 0.47"
    case = next(iter(size_cases()))
    claim = case[0].model_copy(update={"text": f"{case[0].text} ({note})"})
    assert verdict((claim, case[1], case[2]))
    assert not verdict((claim, case[1], case[2]), notes=(note,))
    assert verdict((claim.model_copy(update={"text": note}), case[1], case[2]), notes=(note,))


def test_the_report_keeps_order_and_reasons_and_refuses_a_used_id() -> None:
    good = next(iter(size_cases()))
    bad = good[0].model_copy(update={"id": "C2", "text": "The cardiothoracic ratio is 0.99 [E3]."})
    report = gate([good[0], bad, good[0]], good[1], good[2], GRAPH, images={IMAGE})
    assert [c.id for c in report.accepted] == ["C1"]
    assert [r.claim.id for r in report.rejected] == ["C2", "C1"]
    assert "0.99" in report.rejected[0].reasons
    assert "twice" in report.rejected[1].reasons


def test_text_of_a_tool_failure_lends_no_words() -> None:
    failure = ToolFailure(code="tool_error", message="pneumothorax is present, the ratio is 0.99")
    claim = Claim(
        id="C1", concept="pneumothorax", polarity="uncertain", text=failure.message + " [E3].", evidence=("E3",)
    )
    assert verdict((claim, {"E3": evidence("E3", "detector", failure)}, {}))


@settings(max_examples=150, deadline=None)
@given(text=st.text(max_size=300))
def test_garbage_text_is_refused_and_raises_nothing(text: str) -> None:
    case = next(iter(size_cases()))
    assert verdict(with_text(case, text + " pneumothorax 0.99"))
    check_sentence(Sentence(text=text, claims=("C1",)), {"C1": case[0]}, case[1], GRAPH)


HOSTILE = ["", " ", "\x00", "[E3]", "(" * 5000, "0." * 900, "1e999 1e-9999 " * 50, "9" * 1900, "not " * 400]
HOSTILE += ["\u0665\u066b\u0663", "\ud800", "[" * 1999, "0.5-" * 400, "left " * 390]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_refused_and_raises_nothing(text: str) -> None:
    assert verdict(with_text(next(iter(size_cases())), text))
