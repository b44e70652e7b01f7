"""The catalogue of calibrations: every probability that the program states names one of them by its id.

A calibrator is a `CalibrationRecord`: the error model of a measurement, the records in the manifest of an expert, a
risk table, or what `secondread calibrate fit` wrote. Its id is `NAME@HASH`, the hash over name, method, data hash and
parameters, so that another fit has another id.
"""

import json
import math
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from secondread.schema.errors import InputError
from secondread.schema.evidence import CalibrationRecord
from secondread.schema.record import short_hash

FOLDER = Path(__file__).resolve().parent / "weights"
DIGITS = 10


def calibrator_id(record: CalibrationRecord) -> str:
    """The id of a calibration, e.g. `cardiothoracic_ratio@0f3a..`."""
    about = {
        "name": record.name,
        "method": record.method,
        "data": record.data_sha256,
        "parameters": record.model_dump(mode="json")["parameters"],
    }
    return f"{record.name}@{short_hash(about)[:DIGITS]}"


@cache
def shipped() -> dict[str, CalibrationRecord]:
    """The calibrations that ship, by id. A damaged file is left out here and reported by the tool that needs it."""
    found: dict[str, CalibrationRecord] = {}
    for path in sorted(FOLDER.glob("*.json")):
        try:
            for record in records_in(path):
                found[calibrator_id(record)] = record
        except InputError:
            continue
    return found


def records_in(path: Path) -> tuple[CalibrationRecord, ...]:
    """Calibration records of a file: one record, or the records of an expert's manifest; none in other JSON files.

    Raises:
        InputError: The file cannot be read, is not JSON, or holds a damaged record.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path.name} cannot be read as JSON: {type(error).__name__}.") from None
    if not isinstance(raw, dict):
        return ()
    listed = raw.get("records", [raw] if {"name", "method", "data_sha256"} <= set(raw) else [])
    try:
        return tuple(CalibrationRecord.model_validate(one) for one in listed)
    except (ValidationError, TypeError) as error:
        what = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise InputError(f"{path.name} holds a damaged calibration: {what}.") from None


def named_in(text: str, known: dict[str, CalibrationRecord] | None = None) -> tuple[str, ...]:
    """Ids of the catalogue (or of another one) that a method's text names, in order of their names."""
    return tuple(key for key in sorted(known if known is not None else shipped()) if key in text)


def applied(record: CalibrationRecord, score: float) -> float:
    """P(right) of a score under a calibration that `secondread calibrate fit` wrote.

    Args:
        record: `parameters["map"]` holds `kind` and its numbers, see `evals.calibration.methods`.
        score: In the unit of the fit.

    Raises:
        InputError: The record holds no such map.
    """
    held = record.parameters.get("map")
    found: dict[str, Any] = held if isinstance(held, dict) else {}
    try:
        kind = found["kind"]
        if kind in ("temperature", "platt"):
            x = _log_odds(score) if found["on"] == "log-odds" else score
            return _sigmoid(float(found["slope"]) * x + float(found["intercept"]))
        if kind == "beta":
            s = min(max(score, 1e-6), 1 - 1e-6)
            return _sigmoid(float(found["a"]) * math.log(s) - float(found["b"]) * math.log(1 - s) + float(found["c"]))
        if kind == "isotonic":
            return _between([float(v) for v in found["x"]], [float(v) for v in found["y"]], score)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise InputError(f"The calibration {record.name} holds no map: {type(error).__name__}.") from None
    raise InputError(f"The calibration {record.name} has a map of the unknown kind {kind!r}.")


def _between(x: list[float], y: list[float], at: float) -> float:
    """Linear between the points, constant beyond them."""
    if at <= x[0]:
        return y[0]
    for (x0, x1), (y0, y1) in zip(pairwise(x), pairwise(y), strict=True):
        if at <= x1:
            return y0 + (y1 - y0) * (at - x0) / (x1 - x0) if x1 > x0 else y1
    return y[-1]


def _log_odds(probability: float) -> float:
    p = min(max(probability, 1e-6), 1 - 1e-6)
    return math.log(p / (1 - p))


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))
