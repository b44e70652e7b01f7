"""Cell nuclei on fluorescence and stained micrographs: outlines and how many."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from secondread.schema.errors import NotApplicable, SecondReadError, UsageError
from secondread.schema.evidence import Counted, Interval, Measurement, Measurements
from secondread.tools.base import Card, Context, Tool, ToolRequest
from secondread.tools.expert import admit, records_of, weights_of
from secondread.tools.measure.toolbox.agreement import agreement
from secondread.tools.segment.nuclei.inference import WEIGHTS

if TYPE_CHECKING:
    from secondread.tools.segment.unet_network import UNet

LISTED = 1000
"""Nuclei listed one by one; the count covers all."""


KINDS_READ = ("fluorescence_micrograph", "stained_micrograph")
"""Kinds of image, by the image router, that it reads."""


class NucleiRequest(ToolRequest):
    """One micrograph."""

    image_router: str
    """Id of the evidence that says what kind of image this is."""
    members: tuple[int, ...] | None = None
    """Networks to use; None: all. Evaluation gives a development image to the one that has not seen it."""


class NucleusCount(Tool):
    """Outlines and counts cell nuclei on a fluorescence or a purple-stained micrograph."""

    card = Card(
        name="nucleus_count",
        version="1.0",
        summary="Outline and count cell nuclei on a fluorescence or a purple-stained micrograph.",
        kind="measurement",
        establishes=("nucleus_count", "cell_nucleus"),
        modality=("XC", "SM", "GM", "OT"),
        anatomy="cells",
        outside="not_applicable",
        needs=("image_router",),
        cost_seconds=1.5,
        limits=("Fields of up to about 700 pixels a side at the magnifications of its training images.",),
        weights=weights_of(WEIGHTS, "2018 Data Science Bowl stage 1, corrected (CC0)"),
        calibration=records_of(WEIGHTS),
    )
    Request = NucleiRequest
    Result = Measurements

    def load(self) -> "list[UNet]":
        """The networks.

        Raises:
            ToolUnavailable: Weights are missing, damaged or untrained.
        """
        from secondread.tools.segment.nuclei.inference import load_networks

        return load_networks(self.weights_folder)

    def run_batch(self, requests: Sequence[NucleiRequest], ctx: Context) -> list[Measurements | SecondReadError]:
        """One `Measurements`, or the error, per request; each image is seen by itself."""
        networks = ctx.model(self.card.name)
        return [self._one(request, ctx, networks) for request in requests]

    def _one(self, request: NucleiRequest, ctx: Context, networks: "list[UNet]") -> Any:
        from secondread.tools.segment.nuclei.inference import segment

        try:
            if request.image is None:
                raise UsageError("nucleus_count needs an image.")
            admit(ctx, request.image_router, KINDS_READ)
            found = segment(ctx.colour(request.image), networks, request.members)
            if not found.plausible:
                raise NotApplicable(f"This does not look like such a micrograph: {'; '.join(found.reasons)}.")
            boxes = tuple(n.box for n in found.nuclei)
            points = tuple((n.x, n.y) for n in found.nuclei)
            agree, note = agreement(found.count, points, boxes)
            beyond = (f"only the first {LISTED} nuclei are listed",) if found.count > LISTED else ()
            return Measurements(
                items=(
                    Measurement(
                        name="nucleus_count",
                        value=float(found.count),
                        unit="count",
                        interval=Interval(
                            low=found.low,
                            high=found.high,
                            level=found.level,
                            method="conformal interval of the count, fitted out-of-fold",
                        ),
                        uncertainty=found.uncertainty,
                        caveats=(*beyond, *((f"count, points and boxes disagree: {note}",) if note else ())),
                    ),
                ),
                counted=(
                    Counted(
                        concept="cell_nucleus",
                        measurement="nucleus_count",
                        grid=ctx.info(request.image).ref.grid,
                        points=points[:LISTED],
                        boxes=boxes[:LISTED],
                        agree=agree,
                        note=note,
                    ),
                ),
                outlined={"cell_nucleus": ctx.put_mask(request.image, "cell_nucleus", found.labels > 0)},
            )
        except SecondReadError as error:
            return error

    def summarise(self, result: Any) -> str:
        """One line: the count."""
        m = result.get("nucleus_count")
        return f"{m.value:.0f} nuclei ({m.interval.low:.0f} to {m.interval.high:.0f}, {m.interval.level:.0%})"
