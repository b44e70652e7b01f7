"""The error model of a measurement: how far its value lies from the truth, given how much its masks waver.

The shipped file is a `CalibrationRecord` named after the measurement, `tools/weights/<name>.json`; `parameters` hold

    bias             mean of (measured - true)
    scale_floor      scale of the error when the masks do not waver and are as sure as usual
    scale_slope      added scale per unit of spread:
                     scale = sqrt((scale_floor * exp(uncertainty_slope * (u - uncertainty_centre)))^2
                                  + (scale_slope * spread)^2)
    uncertainty_slope, uncertainty_centre
                     optional, default 0: how the floor grows with the uncertainty u of the masks; a u that is unknown
                     counts as the centre, one outside uncertainty_range (low, high of the fit) as its nearer end
    df               degrees of freedom of the Student t of (measured - bias - true) / scale; null: normal
    q90              conformal quantile of |measured - bias - true| / scale: the 0.90 interval is +- q90 * scale
    definition_sd    optional, default 0: standard deviation between ways to define the quantity; widens the
                     probability of lying beyond a threshold, never the interval of the measurement itself

all in the unit of the measurement, fitted on out-of-fold predictions.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from math import exp, sqrt
from pathlib import Path

from pydantic import Field, ValidationError

from secondread.schema.errors import ToolUnavailable
from secondread.schema.evidence import CalibrationRecord, Interval
from secondread.schema.record import Record

FOLDER = Path(__file__).resolve().parents[1] / "weights"
LEVEL = 0.90


class ErrorModel(Record):
    """Parameters of one measurement's error; see the module docstring."""

    bias: float
    scale_floor: float = Field(gt=0)
    scale_slope: float = Field(ge=0)
    df: float | None = Field(default=None, gt=0)
    q90: float = Field(gt=0)
    definition_sd: float = Field(default=0.0, ge=0)

    uncertainty_slope: float = Field(default=0.0, ge=0)
    uncertainty_centre: float = 0.0
    uncertainty_range: tuple[float, float] = (0.0, 1.0)

    def scale(self, spread: float, uncertainty: float | None = None) -> float:
        """Scale of the error, in the unit of the measurement.

        Args:
            spread: Standard deviation over mask samples, in the same unit.
            uncertainty: `Regions.network_uncertainty`; None: the centre.
        """
        low, high = self.uncertainty_range
        u = self.uncertainty_centre if uncertainty is None else min(max(uncertainty, low), high)
        floor = self.scale_floor * exp(self.uncertainty_slope * (u - self.uncertainty_centre))
        return sqrt(floor**2 + (self.scale_slope * spread) ** 2)

    def outside(self, uncertainty: float | None) -> bool:
        """Whether the masks are less sure than any that the model was fitted on."""
        return uncertainty is not None and uncertainty > self.uncertainty_range[1]

    def interval(self, value: float, spread: float, method: str, uncertainty: float | None = None) -> Interval:
        """The 0.90 interval of a measured value."""
        centre, half = value - self.bias, self.q90 * self.scale(spread, uncertainty)
        return Interval(low=centre - half, high=centre + half, level=LEVEL, method=method)

    def probability_above(
        self, value: float, spread: float, threshold: float, uncertainty: float | None = None
    ) -> float:
        """Probability that the true value lies above a threshold, under a flat prior on the true value.

        Args:
            value: The measured value.
            spread: Its standard deviation over mask samples.
            threshold: The threshold, in the same unit.
            uncertainty: As for `scale`.
        """
        from scipy import special

        scale = sqrt(self.scale(spread, uncertainty) ** 2 + self.definition_sd**2)
        z = (value - self.bias - threshold) / scale
        return float(special.ndtr(z) if self.df is None else special.stdtr(self.df, z))


_active = FOLDER


@contextmanager
def error_models_from(folder: Path) -> Iterator[None]:
    """Read error models from another folder for a while: evaluations fit one per fold. For the whole process."""
    global _active
    before, _active = _active, folder
    try:
        yield
    finally:
        _active = before


def record(name: str, folder: Path | None = None) -> CalibrationRecord | None:
    """The calibration record of a measurement in a folder (default: the shipped ones), or None when there is none.

    Raises:
        ToolUnavailable: The file is damaged.
    """
    return _read(name, folder or _active)


@cache
def _read(name: str, folder: Path) -> CalibrationRecord | None:
    """`record` of one folder.

    Raises:
        ToolUnavailable: The file is damaged.
    """
    path = folder / f"{name}.json"
    if not path.is_file():
        return None
    try:
        found = CalibrationRecord.model_validate_json(path.read_text())
        ErrorModel.model_validate(found.parameters)
    except ValidationError as error:
        raise ToolUnavailable(f"The error model {path.name} is damaged: {error.errors()[0]['msg']}.") from None
    return found


def error_model(name: str, folder: Path | None = None) -> ErrorModel | None:
    """The shipped error model of a measurement, or None: the measurement is then uncalibrated.

    Raises:
        ToolUnavailable: The file is damaged.
    """
    found = record(name, folder)
    return None if found is None else ErrorModel.model_validate(found.parameters)


def records(name: str) -> tuple[CalibrationRecord, ...]:
    """The calibration records for a tool's card; a damaged file gives none here and an error when it is used."""
    try:
        found = record(name)
    except ToolUnavailable:
        return ()
    return () if found is None else (found,)


def probability_above(value: float, spread: float, threshold: float, *, measurement: str) -> float | None:
    """`ErrorModel.probability_above` of a measurement's shipped error model; None when it has none."""
    model = error_model(measurement)
    return None if model is None else model.probability_above(value, spread, threshold)
