"""How far a cohort is from the data that a measure was calibrated on: the figures that its record holds, compared."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from secondread.schema.evidence import CalibrationRecord
from secondread.serve.batch.figures import differs, share
from secondread.tools.base import WEIGHTS_FOLDER

SIGNIFICANT = 0.01
"""p value below which a difference is told as one; several measures are looked at, so not 0.05."""
MOST_OUTSIDE = 0.05
"""Share of cases outside the range of the calibration above which that is told."""


def drift(
    name: str, says: Mapping[str, int], uncertain: Sequence[float], folder: Path = WEIGHTS_FOLDER
) -> dict[str, Any]:
    """Compare a cohort with a calibration record.

    Args:
        name: Of the record.
        says: How many cases lie beyond the threshold (`present`), not beyond it (`absent`), or have none (`value`).
        uncertain: Uncertainty of the masks of each case.
        folder: Where records lie.

    Returns:
        Prevalence here and there with the p value of the difference, the share of cases whose uncertainty lies outside
        the range of the calibration data, and `notes` in words. What the record lacks is None.
    """
    found: dict[str, Any] = {"calibration": name, "cases": sum(says.values()), "data": None, "prevalence": None}
    found |= {"calibration_prevalence": None, "p_value": None, "outside": None, "notes": []}
    file = folder / f"{name}.json"
    if not file.is_file():
        found["notes"].append("The calibration record is not installed: nothing to compare with.")
        return found
    record = CalibrationRecord.model_validate_json(file.read_text(encoding="utf-8"))
    found["data"] = f"{record.data}, n = {record.n}"
    present, judged = says.get("present", 0), says.get("present", 0) + says.get("absent", 0)
    before = record.figures.get("prevalence")
    found["prevalence"] = share(present, judged)
    if isinstance(before, float) and judged:
        found["calibration_prevalence"] = share(round(before * record.n), record.n)
        p = differs(present, judged, before * record.n, record.n)
        found["p_value"] = p
        if p is not None and p < SIGNIFICANT:
            found["notes"].append(
                f"Prevalence {present / judged:.0%} differs from the {before:.0%} of the calibration data: predictive "
                "values stated there do not hold here."
            )
    bounds = record.parameters.get("uncertainty_range")
    if bounds and uncertain:
        outside = share(sum(not bounds[0] <= one <= bounds[1] for one in uncertain), len(uncertain))
        found["outside"] = outside
        if (outside["share"] or 0.0) > MOST_OUTSIDE:
            found["notes"].append(
                f"{outside['share']:.0%} of the cases are less or more certain to the networks than all calibration "
                "cases: their intervals are extrapolated."
            )
    return found
