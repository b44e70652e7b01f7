"""Mean, spread, lowest and highest value of an image, a region of it, or a volume."""

from secondread.schema.errors import NotMeasurable
from secondread.schema.evidence import Measurement, Measurements
from secondread.tools.base import Card, Context, ToolRequest, tool

CARD = Card(
    name="intensity_statistics",
    version="1.0",
    summary="Mean, standard deviation, lowest and highest value of an image, a cut-out region or a volume; HU on CT.",
    kind="measurement",
    establishes=("mean_intensity", "intensity_deviation", "lowest_intensity", "highest_intensity"),
    dimension=None,
    cost_seconds=0.05,
    limits=(
        "Values are HU only where the file says so; elsewhere they are the maker's scale or display grey.",
        "Over all pixels given: nothing is outlined.",
    ),
)
UNITS = {"HU": "HU", "stored": "units", "grey": "grey"}
SCALES = {
    "HU": (),
    "stored": ("values on the scale of the scanner: no unit, not comparable between machines",),
    "grey": ("display grey from 0 (black) to 1 (white): it depends on exposure and processing",),
}


@tool(CARD, request=ToolRequest, result=Measurements, summary=lambda result: summarise(result))
def intensity_statistics(request: ToolRequest, ctx: Context) -> Measurements:
    """Mean, standard deviation, lowest and highest value of an image, a cut-out region or a volume; HU on CT."""
    import numpy as np

    assert request.image is not None
    info = ctx.info(request.image)
    if info.dimension == 3:
        volume = ctx.volume(request.image)
        total, count, squares = 0.0, 0, 0.0
        low, high = np.inf, -np.inf
        for index in range(volume.count("axial")):  # slice by slice, so that memory stays that of one
            part = volume.slice("axial", index).astype(np.float64)
            part = part[np.isfinite(part)]
            if part.size:
                total, squares, count = total + part.sum(), squares + np.square(part).sum(), count + part.size
                low, high = min(low, part.min()), max(high, part.max())
        if not count:
            raise NotMeasurable("The volume holds no finite value.")
        mean = total / count
        deviation = float(np.sqrt(max(0.0, squares / count - mean * mean)))
        scope = f"over all {count} voxels of the volume, air and table included"
    else:
        values = ctx.values(request.image).astype(np.float64)
        values = values[np.isfinite(values)]
        if not values.size:
            raise NotMeasurable("The image holds no finite value.")
        mean, deviation = float(values.mean()), float(values.std())
        low, high = float(values.min()), float(values.max())
        what = "region" if info.ref.parent is not None else "image"
        scope = f"over all {values.size} pixels of the {what}"
    unit = UNITS[info.unit]
    caveats = (scope, *SCALES[info.unit])
    return Measurements(
        items=(
            Measurement(name="mean_intensity", value=float(mean), unit=unit, caveats=caveats),
            Measurement(name="intensity_deviation", value=deviation, unit=unit, caveats=caveats),
            Measurement(name="lowest_intensity", value=float(low), unit=unit, caveats=caveats),
            Measurement(name="highest_intensity", value=float(high), unit=unit, caveats=caveats),
        )
    )


def summarise(result: Measurements) -> str:
    """One line: mean, spread and range."""
    mean, deviation = result.get("mean_intensity"), result.get("intensity_deviation")
    low, high = result.get("lowest_intensity"), result.get("highest_intensity")
    assert mean is not None and deviation is not None and low is not None and high is not None
    return (
        f"mean {mean.value:.4g} {mean.unit}, standard deviation {deviation.value:.3g}, "
        f"from {low.value:.4g} to {high.value:.4g}"
    )
