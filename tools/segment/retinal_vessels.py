"""Density, calibre and tortuosity of the vessels on a colour fundus photograph."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from secondread.schema.errors import SecondReadError, UsageError
from secondread.schema.evidence import Measurements
from secondread.tools.base import Card, Context, Tool, ToolRequest
from secondread.tools.expert import admit, records_of, weights_of
from secondread.tools.segment.vessels.weights import WEIGHTS

if TYPE_CHECKING:
    from secondread.tools.segment.vessels.network import VesselNet


KINDS_READ = ("fundus_photograph",)
"""Kinds of image, by the image router, that it reads."""


class VesselsRequest(ToolRequest):
    """One fundus photograph."""

    image_router: str
    """Id of the evidence that says what kind of image this is."""
    members: tuple[int, ...] | None = None
    """Networks to use; None: all. Evaluation gives a training photograph to the one that has not seen it."""


class RetinalVessels(Tool):
    """Outlines the vessels on a colour fundus photograph and measures density, calibre and tortuosity."""

    card = Card(
        name="retinal_vessels",
        version="1.0",
        summary="Outline the vessels of a colour fundus photograph; their density, calibre and tortuosity.",
        kind="measurement",
        establishes=(
            "retinal_vessel_density",
            "retinal_vessel_calibre",
            "retinal_vessel_tortuosity",
            "retinal_vessel_curvature",
            "retinal_vessel",
        ),
        modality=("OP", "XC", "OT"),
        anatomy="retina",
        outside="not_applicable",
        needs=("image_router",),
        cost_seconds=3.0,
        limits=(
            "Colour photographs with one round field of view; trained on children's eyes of one camera.",
            "Arteries and veins are not told apart; lengths are pixels of the photograph.",
        ),
        weights=weights_of(WEIGHTS, "CHASE_DB1 (CC BY 4.0)"),
        calibration=records_of(WEIGHTS),
    )
    Request = VesselsRequest
    Result = Measurements

    def load(self) -> "dict[int, VesselNet]":
        """The networks.

        Raises:
            ToolUnavailable: Weights are missing, damaged or untrained.
        """
        from secondread.tools.segment.vessels.weights import load_networks

        return load_networks(self.weights_folder)

    def run_batch(self, requests: Sequence[VesselsRequest], ctx: Context) -> list[Measurements | SecondReadError]:
        """One `Measurements`, or the error, per request; each photograph is seen by itself."""
        networks = ctx.model(self.card.name)
        return [self._one(request, ctx, networks) for request in requests]

    def _one(self, request: VesselsRequest, ctx: Context, networks: "dict[int, VesselNet]") -> Any:
        from secondread.tools.segment.vessels.inference import segment
        from secondread.tools.segment.vessels.values import error_models, measurements

        try:
            if request.image is None:
                raise UsageError("retinal_vessels needs an image.")
            admit(ctx, request.image_router, KINDS_READ)
            found = segment(ctx.colour(request.image), networks, request.members)
            result = measurements(found, error_models(self.card.calibration))
            if not found.plausible:
                return result
            mask = ctx.put_mask(request.image, "retinal_vessel", found.mask)
            return result.model_copy(update={"outlined": {"retinal_vessel": mask}})
        except SecondReadError as error:
            return error

    def summarise(self, result: Any) -> str:
        """One line: density and calibre."""
        density, calibre = result.get("retinal_vessel_density"), result.get("retinal_vessel_calibre")
        if density is None or density.value is None:
            return next((m.not_measurable for m in result.items if m.not_measurable), "not measurable")
        width = f", mean width {calibre.value:.1f} px" if calibre is not None and calibre.value is not None else ""
        return f"vessels cover {density.value:.1%} of the field of view{width}"
