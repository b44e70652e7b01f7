"""Checks of form: card, request, result, names, summary, honest probabilities."""

import json
import subprocess
import sys

from secondread.schema.evidence import Evidence, Finding, Findings, Measurements, Regions
from secondread.testing.report import Fault, Skip
from secondread.testing.subject import Subject
from secondread.tools.base import Card, Tool
from secondread.tools.contract import shortcomings
from secondread.tools.runtime.check import SUMMARY_CHARACTERS

HEAVY = ("torch", "tensorflow", "jax", "monai", "transformers", "ultralytics", "langgraph")
"""Not to be imported before a tool runs: listing tools must stay quick."""


def whole_card(subject: Subject) -> None:
    """Is the card complete?"""
    told = shortcomings(type(subject.tool))
    if type(subject.tool).load is not Tool.load and subject.tool.card.weights is None:
        told.append("it loads a model and its card names no weights")
    if told:
        raise Fault("; ".join(told))


def light_import(subject: Subject) -> None:
    """Does importing its module stay light?"""
    module = type(subject.tool).__module__
    script = (
        f"import sys; sys.path[:] = {sys.path!r}\ntry: import {module}\nexcept ImportError: sys.exit(9)\n"
        f"print(' '.join(m for m in {HEAVY!r} if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    if done.returncode == 9:
        raise Skip(f"{module} cannot be imported by its name")
    if done.returncode:
        raise Fault(f"importing {module} fails: {done.stderr.strip().splitlines()[-1][:200]}")
    if done.stdout.strip():
        raise Fault(
            f"importing {module} also imports {', '.join(done.stdout.split())}: import them where they are used"
        )


def request(subject: Subject) -> None:
    """Does its Request have a JSON schema, survive JSON, and refuse what it does not know?"""
    cls = subject.tool.Request
    try:
        json.dumps([type(subject.tool).request_schema(), type(subject.tool).result_schema()])
    except Exception as error:
        raise Fault(f"no JSON schema can be made: {error}"[:300]) from None
    if not cls.model_config.get("frozen") or cls.model_config.get("extra") != "forbid":
        raise Fault("its Request is not frozen and closed: build it on ToolRequest and keep its settings")
    for case, _ in subject.answers:
        again = cls.model_validate_json(case.request.model_dump_json())
        if again != case.request:
            raise Fault("a request does not survive JSON")
    heavy = [n for n, f in cls.model_fields.items() if "ndarray" in str(f.annotation) or "Path" in str(f.annotation)]
    if heavy:
        raise Fault(f"its Request holds paths or arrays: {', '.join(heavy)}; take handles")


def answers(subject: Subject) -> None:
    """Does it give a result on at least one image it is made for?"""
    if subject.broken is not None:
        raise subject.broken
    if not subject.answers:
        told = f": {subject.errors[0].message}" if subject.errors else ""
        raise Fault(f"no image gave a result{told}")


def result(subject: Subject) -> None:
    """Is its result of the promised type, and does it survive JSON, also inside evidence?"""
    tool = subject.tool
    for case, found in subject.answers:
        if type(found) is not tool.Result:
            raise Fault(f"it returned a {type(found).__name__}, its Result is {tool.Result.__name__}")
        if tool.Result.model_validate_json(found.model_dump_json()) != found:
            raise Fault("a result does not survive JSON")
        evidence = Evidence(
            id="E1", call_key="k", kind=tool.card.kind, tool=subject.name, tool_version=tool.card.version,
            image=case.image, result=found, summary="s",
        )  # fmt: skip
        if Evidence.model_validate_json(evidence.model_dump_json()) != evidence:
            raise Fault("evidence with its result does not survive JSON")


def names(subject: Subject) -> None:
    """Does it name only what its card says it establishes?"""
    known = set(subject.tool.card.establishes)
    if not known:
        raise Skip("its card establishes nothing")
    for _, found in subject.answers:
        said: set[str] = set()
        if isinstance(found, Measurements):
            said = {item.name for item in found.items}
        elif isinstance(found, Findings):
            said = {item.concept for item in found.items}
        elif isinstance(found, Regions):
            said = set(found.masks)
        if said - known:
            raise Fault(f"it names what its card does not establish: {', '.join(sorted(said - known))}")


def summary(subject: Subject) -> None:
    """Is the summary one short line?"""
    for _, found in subject.answers:
        line = subject.tool.summarise(found)
        if not isinstance(line, str) or not line.strip():
            raise Fault("the summary is empty")
        if "\n" in line or len(line) > SUMMARY_CHARACTERS:
            raise Fault(f"the summary is not one line of at most {SUMMARY_CHARACTERS} characters")


def probabilities(subject: Subject) -> None:
    """Does whatever is called a probability lie in 0..1, and has it a calibration record on the card?"""
    for _, found in subject.answers:
        if not isinstance(found, Findings):
            continue
        for item in found.items:
            if item.score is None or item.score_kind not in ("calibrated probability", "sigmoid"):
                continue
            if not 0 <= item.score <= 1:
                raise Fault(f"{item.concept} has a {item.score_kind} of {item.score}")
            if item.score_kind == "calibrated probability" and not _recorded(item, found, subject.tool.card):
                raise Fault(f"{item.concept} is called calibrated, and the card has no calibration record of it")


def _recorded(item: Finding, found: Findings, card: Card) -> bool:
    """Whether the card has a record of a finding, or of the one whose opposite it is."""
    score = item.score or 0.0
    return card.record(item.concept) is not None or any(
        other.score is not None and abs(other.score + score - 1) < 1e-3 and card.record(other.concept) is not None
        for other in found.items
        if other is not item
    )
