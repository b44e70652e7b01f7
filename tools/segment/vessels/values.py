"""The measures of retinal vessels as measurements, with 90 % intervals from error models fitted out-of-fold."""

from collections.abc import Iterable, Mapping

from secondread.schema.evidence import CalibrationRecord, Measurement, Measurements
from secondread.tools.measure.error_model import ErrorModel
from secondread.tools.segment.vessels.inference import VesselResult
from secondread.tools.segment.vessels.measures import Shape

UNITS = {
    "retinal_vessel_density": "1",
    "retinal_vessel_calibre": "px",
    "retinal_vessel_tortuosity": "1",
    "retinal_vessel_curvature": "1/px",
}
METHOD = (
    "error model and conformal 0.90 quantile of out-of-fold differences from the same measure of the first observer's "
    "drawing; covers the difference from that observer on photographs like those of the set"
)
NO_MM = "In pixels of this photograph: without a known spacing there are no millimetres."


def values_of(shape: Shape) -> dict[str, float]:
    """The measure of each entry of `UNITS`, lengths in pixels of the standard grid."""
    return {
        "retinal_vessel_density": shape.density,
        "retinal_vessel_calibre": shape.calibre,
        "retinal_vessel_tortuosity": shape.tortuosity,
        "retinal_vessel_curvature": shape.curvature,
    }


def error_models(records: Iterable[CalibrationRecord]) -> dict[str, ErrorModel]:
    """Error model of each measure, lengths in pixels of the standard grid, from the records beside the weights."""
    return {r.name: ErrorModel.model_validate(r.parameters) for r in records if r.name in UNITS}


def measurements(result: VesselResult, models: Mapping[str, ErrorModel]) -> Measurements:
    """Density, calibre, tortuosity and curvature; all refused with the reasons where the mask is not plausible.

    Args:
        result: From `segment`.
        models: From `error_models`.

    Returns:
        Lengths in pixels of the photograph.
    """
    items = []
    for name, unit in UNITS.items():
        if not result.plausible or result.shape is None:
            items.append(Measurement(name=name, unit=unit, not_measurable=" ".join(result.reasons)))
            continue
        factor = {"px": result.scale, "1/px": 1 / result.scale}.get(unit, 1.0)
        value, model = values_of(result.shape)[name], models.get(name)
        interval = None
        if model is not None:
            found = model.interval(value, 0.0, METHOD, result.network_uncertainty)
            interval = found.model_copy(update={"low": found.low * factor, "high": found.high * factor})
        caveats = [NO_MM] if "px" in unit else []
        if model is not None and model.outside(result.network_uncertainty):
            caveats.append("The mask is less sure than any the error model was fitted on.")
        items.append(
            Measurement(
                name=name,
                value=value * factor,
                unit=unit,
                interval=interval,
                uncertainty=result.network_uncertainty,
                caveats=tuple(caveats),
            )
        )
    return Measurements(items=tuple(items))
