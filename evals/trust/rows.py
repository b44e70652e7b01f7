"""Rows behind the trust targets: what was stated of one image beside the truth; kept, so that a rerun asks nothing."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from secondread.schema.record import Record
from secondread.schema.units import Probability

Split = Literal["out_of_fold", "val"]


class Row(Record):
    """One statement on one image beside its truth."""

    id: str
    group: str
    """Patient or look-alikes: the unit of every bootstrap."""
    split: Split = "out_of_fold"
    truth: bool | None = None
    """Of a yes/no question; None for a row of an interval alone."""
    probability: Probability | None = None
    """P(yes) under the calibration of the other folds."""
    raw: Probability | None = None
    """P(yes) as an uncalibrated score."""
    answered: bool | None = None
    """Whether the agent gave a verdict; None where rows do not go through the agent."""
    right: bool | None = None
    """Whether that verdict was right."""
    target: float | None = None
    """True value of a measurement."""
    low: float | None = None
    high: float | None = None


class Sheet(Record):
    """All rows of one question or measurement."""

    name: str
    about: str
    """What was asked of which images, and how the probability or interval was made."""
    calibrator: str
    """Id of the calibration record that ships."""
    level: Probability | None = None
    """Nominal level of the intervals; None: a yes/no question."""
    rows: tuple[Row, ...]
    code: str
    """`bench.run.code_hash` when the rows were made."""


def kept(folder: Path | None, name: str, code: str, make: Callable[[], Sheet]) -> Sheet:
    """The sheet of an earlier run of the same weights and calibrations, or a new one, which is kept.

    Args:
        folder: Where sheets are kept; None keeps none.
        name: Of the sheet.
        code: Must equal that of the kept sheet.
        make: Makes it.
    """
    path = folder / f"{name}.json" if folder is not None else None
    if path is not None and path.is_file():
        try:
            held = Sheet.model_validate(json.loads(path.read_text(encoding="utf-8")))
            if held.code == code:
                return held
        except (OSError, ValueError, ValidationError):
            pass  # half-written or of another form: made again
    made = make()
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".part")
        fresh.write_text(made.model_dump_json(indent=1) + "\n", encoding="utf-8")
        os.replace(fresh, path)
    return made
