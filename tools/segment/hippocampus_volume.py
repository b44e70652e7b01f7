"""Volume of the hippocampus and its parts on an MR crop around it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from secondread.schema.errors import SecondReadError, UsageError
from secondread.schema.evidence import Measurements
from secondread.tools.base import Card, Context, Tool, ToolRequest
from secondread.tools.expert import admit, records_of, weights_of
from secondread.tools.segment.hippocampus.weights import WEIGHTS

if TYPE_CHECKING:
    from secondread.tools.segment.hippocampus.network import HippocampusNet


KINDS_READ = ("hippocampal_mr_crop",)
"""Kinds of image, by the image router, that it reads."""


class HippocampusRequest(ToolRequest):
    """One MR crop around a hippocampus."""

    image_router: str
    """Id of the evidence that says what kind of image this is."""
    members: tuple[int, ...] | None = None
    """Networks to use; None: all. Evaluation gives a training crop to the one that has not seen it."""


class HippocampusVolume(Tool):
    """Outlines the anterior and posterior hippocampus on an MR crop and measures their volumes."""

    card = Card(
        name="hippocampus_volume",
        version="1.0",
        summary="Outline the anterior and posterior hippocampus on an MR crop around it; volumes in mm3.",
        kind="measurement",
        establishes=(
            "hippocampus_volume",
            "anterior_hippocampus_volume",
            "posterior_hippocampus_volume",
            "hippocampus",
            "anterior_hippocampus",
            "posterior_hippocampus",
        ),
        modality=("MR",),
        anatomy="hippocampus",
        dimension=3,
        outside="not_applicable",
        needs=("image_router",),
        cost_seconds=1.5,
        limits=(
            "MR crops of about 35 x 50 x 35 mm around one hippocampus only: it cannot find the hippocampus in a head.",
            "Trained on one source; other scanners and sequences are untested.",
        ),
        weights=weights_of(WEIGHTS, "Medical Segmentation Decathlon Task04 (CC BY-SA 4.0)"),
        calibration=records_of(WEIGHTS),
    )
    Request = HippocampusRequest
    Result = Measurements

    def load(self) -> "dict[int, HippocampusNet]":
        """The networks.

        Raises:
            ToolUnavailable: Weights are missing, damaged or untrained.
        """
        from secondread.tools.segment.hippocampus.weights import load_networks

        return load_networks(self.weights_folder)

    def run_batch(self, requests: Sequence[HippocampusRequest], ctx: Context) -> list[Measurements | SecondReadError]:
        """One `Measurements`, or the error, per request; each crop is seen by itself."""
        networks = ctx.model(self.card.name)
        return [self._one(request, ctx, networks) for request in requests]

    def _one(self, request: HippocampusRequest, ctx: Context, networks: "dict[int, HippocampusNet]") -> Any:
        from secondread.tools.segment.hippocampus.inference import segment
        from secondread.tools.segment.hippocampus.volumes import error_models, measurements

        try:
            if request.image is None:
                raise UsageError("hippocampus_volume needs a volume.")
            admit(ctx, request.image_router, KINDS_READ)
            volume = ctx.volume(request.image)
            found = segment(volume.values(), volume.affine, networks, request.members)
            result = measurements(found, error_models(self.card.calibration))
            if not found.plausible:
                return result
            masks = {name: ctx.put_mask(request.image, name, mask) for name, mask in found.masks.items()}
            return result.model_copy(update={"outlined": masks})
        except SecondReadError as error:
            return error

    def summarise(self, result: Any) -> str:
        """One line: the volumes."""
        parts = [
            f"{name.removesuffix('_volume').replace('_', ' ')} {m.value:.0f} mm3"
            for name in self.card.establishes[:3]
            if (m := result.get(name)) is not None and m.value is not None
        ]
        return ", ".join(parts) or next((m.not_measurable for m in result.items if m.not_measurable), "not measurable")
