"""Rows of `results.jsonl`: what came of one question to one case, without a name or path in it."""

import json
import os
from typing import TYPE_CHECKING, Any

from secondread.schema.errors import SecondReadError
from secondread.schema.evidence import Measurements, ToolFailure

if TYPE_CHECKING:
    from secondread.agent.mapping import Outcome
    from secondread.schema.answer import Answer
    from secondread.serve.batch.case import Case

ROW_SCHEMA = 2
VOLATILE = ("seconds", "trace", "tries")
"""Fields in which two runs over the same films may differ."""
KINDS = ("answered", "abstained", "skipped", "failed")
SHORTEST = 4
"""Characters of a path below which it is not looked for in messages."""

Row = dict[str, Any]


def row_of(case: "Case", outcome: "Outcome", question_id: str) -> Row:
    """The row of one outcome."""
    row: Row = {"key": case.key, "question_id": question_id, "question": outcome.asked.question}
    if outcome.skipped is not None:
        row["skipped"] = outcome.skipped
    elif outcome.answer is not None:
        row |= _answered(outcome.answer)
    elif isinstance(outcome.error, SecondReadError):
        message = without_paths(outcome.error.message, case)
        row |= {"error": {"code": outcome.error.code, "message": message}, "internal": outcome.error.exit_code == 1}
    else:
        name = type(outcome.error).__name__
        row |= {"error": {"code": "internal", "message": name}, "internal": True}
    row |= {"tries": outcome.tries, "seconds": round(outcome.seconds, 3)}
    return row


def kind_of(row: Row) -> str:
    """One of `KINDS`."""
    if "error" in row:
        return "failed"
    if "skipped" in row:
        return "skipped"
    return "abstained" if row["abstained"] else "answered"


def as_line(row: Row) -> bytes:
    """A row as a line of JSON."""
    return json.dumps(row, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace") + b"\n"


def without_paths(message: str, case: "Case") -> str:
    """The message with the key of the case in place of every spelling of its files; long spellings first."""
    spellings = set(case.shown) | {case.study}
    for place in (*case.files, *case.prior_files):
        for path in (place.path, place.member or ""):
            spellings |= {path, os.path.basename(path)}
    for spelling in sorted(filter(lambda s: len(s) >= SHORTEST, spellings), key=len, reverse=True):
        message = message.replace(spelling, case.key)
    return message


def _answered(answer: "Answer") -> Row:
    cited = {e for claim in answer.claims for e in claim.evidence}
    return {
        "image": next((e.image for e in answer.evidence if e.image is not None), None),
        "text": answer.text,
        "verdict": answer.verdict,
        "value": answer.value.model_dump(mode="json") if answer.value is not None else None,
        "choice": answer.choice,
        "confidence": answer.confidence,
        "confidence_method": answer.confidence_method,
        "abstained": answer.abstained,
        "reason": answer.abstain_reason,
        "claims": [c.model_dump(mode="json") for c in answer.claims],
        "evidence": [
            {"id": e.id, "tool": e.tool, "tool_version": e.tool_version, "weights": e.weights, "summary": e.summary}
            for e in answer.evidence
            if e.id in cited
        ],
        "measurements": _measured(answer, cited),
        "findings": _found(answer),
        "tool_failures": [
            {"tool": e.tool, "code": e.result.code} for e in answer.evidence if isinstance(e.result, ToolFailure)
        ],
        "warnings": list(answer.warnings),
        "trace": answer.trace,
    }


def _measured(answer: "Answer", cited: set[str]) -> list[Row]:
    """Every measurement that was taken, or the reason why not; whether a claim cites it."""
    found: list[Row] = []
    for item in answer.evidence:
        if not isinstance(item.result, Measurements):
            continue
        for one in item.result.items:
            interval = one.interval
            found.append(
                {
                    "evidence": item.id,
                    "tool": item.tool,
                    "name": one.name,
                    "structure": one.structure,
                    "value": one.value,
                    "unit": one.unit,
                    "low": interval.low if interval is not None else None,
                    "high": interval.high if interval is not None else None,
                    "level": interval.level if interval is not None else None,
                    "uncertainty": one.uncertainty,
                    "threshold": one.threshold.value if one.threshold is not None else None,
                    "concept": one.threshold.concept if one.threshold is not None else None,
                    "says": _verdict(one.value, one.threshold),
                    "not_measurable": one.not_measurable,
                    "cited": item.id in cited,
                    "calibration": item.reliability.name if item.reliability is not None else None,
                }
            )
    return found


def _verdict(value: float | None, threshold: Any) -> str | None:
    """On which side of its threshold a value lies, as presence of the concept that the far side stands for."""
    if value is None or threshold is None:
        return None
    beyond = value > threshold.value if threshold.direction == "above" else value < threshold.value
    return "present" if beyond else "absent"


def _found(answer: "Answer") -> list[Row]:
    """What detectors and classifiers say, concept by concept."""
    return [
        {"evidence": e.id, "tool": e.tool, "concept": f.concept, "says": f.polarity, "score": f.score,
         "score_kind": f.score_kind}
        for e in answer.evidence
        if e.result.kind == "finding"
        for f in e.result.items
    ]  # fmt: skip
