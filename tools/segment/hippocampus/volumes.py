"""Volumes of the hippocampus and its parts in mm3, with 90 % intervals from error models fitted out-of-fold."""

from collections.abc import Iterable, Mapping

import numpy as np

from secondread.schema.evidence import CalibrationRecord, Measurement, Measurements
from secondread.tools.measure.error_model import ErrorModel
from secondread.tools.segment.hippocampus.inference import STRUCTURES, HippocampusResult, Sample

PARTS: dict[str, tuple[str, ...]] = {
    "hippocampus_volume": STRUCTURES,
    "anterior_hippocampus_volume": STRUCTURES[:1],
    "posterior_hippocampus_volume": STRUCTURES[1:],
}
"""Measurement to the structures it adds up."""
METHOD = (
    "Student t error model and conformal 0.90 quantile of out-of-fold residuals against manual labels; "
    "covers the error of this outline on crops like those of the set"
)


def error_models(records: Iterable[CalibrationRecord]) -> dict[str, ErrorModel]:
    """Error model of each volume, from the records beside the weights."""
    return {r.name: ErrorModel.model_validate(r.parameters) for r in records if r.name in PARTS}


def volumes(result: HippocampusResult) -> dict[str, float]:
    """Voxel count times voxel volume of each entry of `PARTS`, in mm3."""
    return {
        name: float(sum(int(result.masks[s].sum()) for s in structures)) * result.voxel_mm3
        for name, structures in PARTS.items()
    }


def spread(samples: list[Sample], structures: tuple[str, ...]) -> float:
    """Standard deviation of a volume over the looks of one network, root mean square over networks, in mm3."""
    by_network: dict[int, list[float]] = {}
    for sample in samples:
        by_network.setdefault(sample.member, []).append(sum(sample.volumes_mm3[s] for s in structures))
    variances = [float(np.var(v, ddof=1)) for v in by_network.values() if len(v) > 1]
    return float(np.sqrt(np.mean(variances))) if variances else 0.0


def measurements(result: HippocampusResult, models: Mapping[str, ErrorModel]) -> Measurements:
    """The three volumes.

    Args:
        result: From `segment`.
        models: From `error_models`; a volume without one gets no interval.

    Returns:
        mm3, each with its interval, spread and the uncertainty of the masks. Where the masks are not plausible, every
        volume is refused with the reasons.
    """
    items = []
    for name, value in volumes(result).items():
        if not result.plausible:
            items.append(Measurement(name=name, unit="mm3", not_measurable=" ".join(result.reasons)))
            continue
        wavers, model = spread(result.samples, PARTS[name]), models.get(name)
        caveats = []
        if model is not None and model.outside(result.network_uncertainty):
            caveats.append("The masks are less sure than any the error model was fitted on.")
        items.append(
            Measurement(
                name=name,
                value=value,
                unit="mm3",
                interval=model and model.interval(value, wavers, METHOD, result.network_uncertainty),
                spread=wavers,
                uncertainty=result.network_uncertainty,
                caveats=tuple(caveats),
            )
        )
    return Measurements(items=tuple(items))
