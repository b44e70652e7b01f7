"""Chest measures that no installed tool can take: asked for by name, they are refused with the reason."""

from secondread.schema.errors import UsageError
from secondread.schema.evidence import Measurement, Measurements
from secondread.tools.base import Card, Context, ToolRequest, tool

REASONS = {
    "clavicle_distance": "no segmenter for clavicles is installed",
    "rib_count": "no segmenter for ribs is installed",
    "tracheal_offset": "no segmenter for the trachea is installed",
    "carinal_angle": "no segmenter for the airways is installed",
    "mediastinal_width": "no segmenter for the mediastinum is installed",
    "costophrenic_sharpness": "no detector for the costophrenic angles is installed",
}

CARD = Card(
    name="unsupported_chest_measures",
    version="1.0",
    summary="Says why clavicle, rib, airway and mediastinum measures cannot be taken here.",
    kind="measurement",
    establishes=(),
    anatomy="chest",
    image="optional",
    in_plan=False,
    cost_seconds=0.0,
)


class UnsupportedRequest(ToolRequest):
    """Which measures were asked for; none named means all that are known."""

    names: tuple[str, ...] = ()


@tool(CARD, request=UnsupportedRequest, result=Measurements, summary=lambda result: summarise(result))
def unsupported_chest_measures(request: UnsupportedRequest, ctx: Context) -> Measurements:
    """Says why clavicle, rib, airway and mediastinum measures cannot be taken here."""
    if request.image is not None:
        ctx.info(request.image)  # an image that does not exist is refused here like everywhere
    unknown = [n for n in request.names if n not in REASONS]
    if unknown:
        raise UsageError(f"Not a measure known here: {', '.join(unknown)}.", hint=f"Known: {', '.join(REASONS)}.")
    names = request.names or tuple(REASONS)
    return Measurements(items=tuple(Measurement(name=n, not_measurable=REASONS[n]) for n in names))


def summarise(result: Measurements) -> str:
    """One line: what cannot be measured, and why."""
    return "; ".join(f"{i.name.replace('_', ' ')}: not measurable, {i.not_measurable}" for i in result.items)
