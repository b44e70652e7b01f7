"""A supported claim made false one step at a time, for the tests of the gate."""

import random
import re
from collections.abc import Callable

from secondread.agent.planners.base import Belief
from secondread.schema.answer import Claim
from secondread.schema.evidence import Evidence, ToolFailure

OTHER = "img-" + "b" * 16
ENLARGED = "enlarged_cardiac_silhouette"
Case = tuple[Claim, dict[str, Evidence], dict[str, Belief]]
"""A claim, the evidence by id, the beliefs by concept."""


def with_text(case: Case, text: str) -> Case:
    return case[0].model_copy(update={"text": text}), case[1], case[2]


def swapped_side(case: Case) -> Case | None:
    text = case[0].text
    if not re.search(r"\b(left|right)\b", text):
        return None
    turned = re.sub(r"\b(left|right)\b", lambda m: {"left": "right", "right": "left"}[m[0]], text)
    return with_text(case, turned)


def swapped_location(case: Case) -> Case | None:
    if case[0].location is None:
        return None
    other = {"left": "right", "right": "left"}[case[0].location]
    return case[0].model_copy(update={"location": other}), case[1], case[2]


def added_side(case: Case) -> Case | None:
    side = "right" if case[0].concept in ("heart", "left_lung") else "left"  # the heart is on the left: that is true
    return None if case[0].location else with_text(case, case[0].text.replace(" [", f" on the {side} [", 1))


def shifted_number(case: Case) -> Case | None:
    found = list(re.finditer(r"(?<!E)\b\d+(?:\.\d+)?", re.sub(r"\[E\d+\]", lambda m: "#" * len(m[0]), case[0].text)))
    if not found:
        return None
    match = random.Random(case[0].text).choice(found)
    step = 0.06 if "." in match[0] else 7
    decimals = len(match[0].partition(".")[2])
    return with_text(
        case, case[0].text[: match.start()] + f"{float(match[0]) + step:.{decimals}f}" + case[0].text[match.end() :]
    )


def added_finding(case: Case) -> Case:
    if " [" not in case[0].text:
        return with_text(case, case[0].text + " Pleural effusion.")
    return with_text(case, case[0].text.replace(" [", " with a pleural effusion [", 1))


def added_unknown_finding(case: Case) -> Case:
    return with_text(case, case[0].text + " A leiomyosarcoma needs surgery.")


def dropped_negation(case: Case) -> Case | None:
    text = re.sub(r"^No: ", "", case[0].text)
    text = re.sub(r"\b(does not lie|not|no|No)\b ?", lambda m: "lies " if m[0].startswith("does") else "", text)
    return with_text(case, text) if case[0].polarity == "absent" else None


def added_negation(case: Case) -> Case | None:
    if case[0].polarity != "present" or case[0].concept != ENLARGED:
        return None
    turns = {
        "is enlarged": "is not enlarged",
        ": enlarged": ": no enlarged",
        "Enlarged": "No enlarged",
        "above": "not above",
    }
    for old, new in turns.items():
        if old in case[0].text:
            return with_text(case, case[0].text.replace(old, new, 1))
    return None


def turned_comparison(case: Case) -> Case | None:
    words = {"above": "below", "below": "above", "larger": "smaller", "smaller": "larger"}
    text = re.sub(r"\b(above|below|larger|smaller)\b", lambda m: words[m[0]], case[0].text, count=1)
    return with_text(case, text) if text != case[0].text else None


def wrong_unit(case: Case) -> Case | None:
    match = re.search(r"\d\.\d+(?! degrees| times)(?=[ ,;:)])", case[0].text)
    text = re.sub(r"\d px|degrees", lambda m: m[0].replace("px", "mm") if "px" in m[0] else "mm", case[0].text)
    if text != case[0].text:
        return with_text(case, text)
    return with_text(case, case[0].text[: match.end()] + " mm" + case[0].text[match.end() :]) if match else None


def other_image(case: Case) -> Case | None:
    ledger = {k: e.model_copy(update={"image": OTHER}) for k, e in case[1].items() if e.image}
    return (case[0], ledger, case[2]) if ledger else None


def no_evidence(case: Case) -> Case:
    return case[0].model_copy(update={"evidence": ()}), case[1], case[2]


def unresolved_evidence(case: Case) -> Case:
    return case[0].model_copy(update={"evidence": ("E77",)}), case[1], case[2]


def failed_evidence(case: Case) -> Case | None:
    failure = ToolFailure(code="tool_error", message=case[0].text)
    ledger = {k: e.model_copy(update={"result": failure, "kind": "tool_failure"}) for k, e in case[1].items()}
    return (case[0], ledger, case[2]) if case[0].polarity != "uncertain" else None


def against_belief(case: Case) -> Case | None:
    belief = case[2].get(case[0].concept)
    if belief is None:
        return None
    p = None if belief.probability is None else 1 - belief.probability
    side = {"present": "absent", "absent": "present"}[belief.polarity]
    return case[0], case[1], {case[0].concept: belief.model_copy(update={"probability": p, "polarity": side})}


def undecided_belief(case: Case) -> Case | None:
    belief = case[2].get(case[0].concept)
    if belief is None:
        return None
    return case[0], case[1], {case[0].concept: belief.model_copy(update={"polarity": "uncertain"})}


def without_belief(case: Case) -> Case | None:
    return (case[0], case[1], {}) if case[0].concept == ENLARGED else None


def overstated(case: Case) -> Case:
    return with_text(case, case[0].text + " This is a confirmed and severe case.")


def invented_probability(case: Case) -> Case | None:
    claim = case[0].model_copy(update={"probability": 0.77})
    return (claim, case[1], case[2])


def foreign_tag(case: Case) -> Case:
    return with_text(case, case[0].text + " [E55]")


MUTATIONS: list[Callable[[Case], Case | None]] = [
    swapped_side, swapped_location, added_side, shifted_number, added_finding, added_unknown_finding, dropped_negation,
    added_negation, turned_comparison, wrong_unit, other_image, no_evidence, unresolved_evidence, failed_evidence,
    against_belief, undecided_belief, without_belief, overstated, invented_probability, foreign_tag,
]  # fmt: skip
