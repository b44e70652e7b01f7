"""Areas of nerves and vessels on a regional-anaesthesia ultrasound image."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from secondread.schema.errors import NotApplicable, SecondReadError, UsageError
from secondread.schema.evidence import Counted, Interval, Measurement, Measurements
from secondread.tools.base import Card, Context, Tool, ToolRequest
from secondread.tools.expert import admit, records_of, weights_of
from secondread.tools.segment.nerves.inference import WEIGHTS

if TYPE_CHECKING:
    from secondread.tools.segment.unet_network import UNet

CONCEPTS = {"nerve": "peripheral_nerve", "vessel": "blood_vessel"}
INFERRED = "the source does not name its classes; nerve and vessel are told from how they look"
METHOD = "conformal interval of the area, fitted out-of-fold"


KINDS_READ = ("ultrasound_image",)
"""Kinds of image, by the image router, that it reads."""


class NervesRequest(ToolRequest):
    """One ultrasound image."""

    image_router: str
    """Id of the evidence that says what kind of image this is."""
    members: tuple[int, ...] | None = None
    """Networks to use; None: all. Evaluation gives a development image to the one that has not seen it."""


class NervesAndVessels(Tool):
    """Outlines nerves and vessels on a regional-anaesthesia ultrasound image and measures their areas."""

    card = Card(
        name="nerves_and_vessels",
        version="1.0",
        summary="Outline nerves and vessels on a regional-anaesthesia ultrasound image; areas in px, mm2 with spacing.",
        kind="measurement",
        establishes=("structure_area", "peripheral_nerve", "blood_vessel"),
        modality=("US",),
        anatomy="peripheral nerve",
        outside="not_applicable",
        needs=("image_router",),
        cost_seconds=1.0,
        limits=(
            "Images of one machine and one examiner on volunteers.",
            f"{INFERRED[0].upper()}{INFERRED[1:]}.",
        ),
        weights=weights_of(WEIGHTS, "usgra-seg (CC BY 4.0)"),
        calibration=records_of(WEIGHTS),
    )
    Request = NervesRequest
    Result = Measurements

    def load(self) -> "list[UNet]":
        """The networks.

        Raises:
            ToolUnavailable: Weights are missing, damaged or untrained.
        """
        from secondread.tools.segment.nerves.inference import load_networks

        return load_networks(self.weights_folder)

    def run_batch(self, requests: Sequence[NervesRequest], ctx: Context) -> list[Measurements | SecondReadError]:
        """One `Measurements`, or the error, per request; each image is seen by itself."""
        networks = ctx.model(self.card.name)
        return [self._one(request, ctx, networks) for request in requests]

    def _one(self, request: NervesRequest, ctx: Context, networks: "list[UNet]") -> Any:
        from secondread.tools.segment.nerves.inference import segment

        try:
            if request.image is None:
                raise UsageError("nerves_and_vessels needs an image.")
            admit(ctx, request.image_router, KINDS_READ)
            info = ctx.info(request.image)
            known = info.spacing is not None and info.spacing.kind == "calibrated"
            spacing = (info.spacing.row_mm, info.spacing.column_mm) if info.spacing is not None and known else None
            found = segment(ctx.colour(request.image), networks, request.members, spacing)
            if not found.plausible:
                raise NotApplicable(f"This does not look like such an ultrasound image: {'; '.join(found.reasons)}.")
            items = []
            for area in found.areas:
                factor = spacing[0] * spacing[1] if spacing else 1.0
                low, high = area.low_px, area.high_px
                items.append(
                    Measurement(
                        name="structure_area",
                        structure=CONCEPTS[area.structure],
                        value=area.pixels * factor if area.pixels else None,
                        unit="mm2" if spacing else "px",
                        interval=Interval(low=low * factor, high=high * factor, level=area.level, method=METHOD)
                        if low is not None and high is not None
                        else None,
                        not_measurable=None if area.pixels else f"no {area.structure} was found",
                        caveats=(INFERRED, f"{area.share:.1%} of the image"),
                    )
                )
            counted = tuple(
                Counted(
                    concept=concept,
                    measurement="structure_area",
                    grid=info.ref.grid,
                    points=tuple((p.x, p.y) for p in found.pieces if p.structure == kind),
                    boxes=tuple(p.box for p in found.pieces if p.structure == kind),
                    scores=tuple(p.probability for p in found.pieces if p.structure == kind),
                )
                for kind, concept in CONCEPTS.items()
            )
            masks = {CONCEPTS[k]: ctx.put_mask(request.image, CONCEPTS[k], m) for k, m in found.masks.items()}
            return Measurements(items=tuple(items), counted=counted, outlined=masks)
        except SecondReadError as error:
            return error

    def summarise(self, result: Any) -> str:
        """One line: the areas."""
        return ", ".join(
            f"{(m.structure or '').replace('_', ' ')} {m.value:.0f} {m.unit}"
            if m.value is not None
            else (m.not_measurable or "")
            for m in result.items
        )
