"""`--risk`: the confidence cut-off whose error among answered questions is certified on the fit set."""

from functools import cache

from secondread.schema.evidence import CalibrationRecord
from secondread.tools.measure.error_model import FOLDER

DEFAULT_CUTOFF = 0.75
"""Confidence at which a verdict is given when no risk is asked for."""
NEVER = 1.01
"""A cut-off that no confidence reaches."""


@cache
def risk_table() -> CalibrationRecord | None:
    """The shipped table of cut-offs and their certified risks, or None.

    `parameters["table"]` is a list of {"cutoff", "risk_bound", "answered", "wrong", "share"}: among `answered`
    out-of-fold rows at or above `cutoff`, `wrong` were wrong, and `risk_bound` is the one-sided 95 % Clopper-Pearson
    bound on P(wrong | answered).
    """
    path = FOLDER / "risk_heart_size.json"
    return CalibrationRecord.model_validate_json(path.read_text()) if path.is_file() else None


def cutoff_for(risk: float | None) -> tuple[float, str | None]:
    """The lowest cut-off certified for a risk, and a warning when none is.

    Without a certified cut-off nothing is answered: a promise that cannot be kept is not made.
    """
    if risk is None:
        return DEFAULT_CUTOFF, None
    record = risk_table()
    if record is None:
        return NEVER, f"Risk {risk:g} is not certified: no risk table is installed."
    rows = [r for r in record.parameters["table"] if r["answered"] > 0]
    fitting = [r["cutoff"] for r in rows if r["risk_bound"] <= risk]
    if fitting:
        return float(min(fitting)), None
    smallest = min(r["risk_bound"] for r in rows)
    return NEVER, f"Risk {risk:g} is not certified; smallest certifiable risk {smallest:.3f}."
