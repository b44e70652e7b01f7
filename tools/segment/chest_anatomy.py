"""Both lungs and the heart on a frontal chest film, with samples for the error of every measurement on them."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from secondread.schema.errors import SecondReadError, UsageError
from secondread.schema.evidence import MaskSample, Regions
from secondread.tools.base import Card, Context, Tool, ToolRequest, WeightsInfo
from secondread.tools.segment.weights import FOLDER, MANIFEST, weights_sha256

if TYPE_CHECKING:
    from secondread.tools.segment.network import ChestAnatomyNet


def _shipped() -> WeightsInfo | None:
    """What the manifest beside the weights says; None when it cannot be read, which `load` reports."""
    try:
        known = json.loads((FOLDER / MANIFEST).read_text())["sha256"]
        return WeightsInfo(
            files=tuple(sorted(known)),
            sha256=weights_sha256(known),
            source="secondread.training.anatomy, see tools/weights/chest_anatomy.md",
            licence="Apache-2.0; trained on films under MIT, CC BY 4.0 and the NIH Clinical Center's terms",
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


class AnatomyRequest(ToolRequest):
    """One frontal chest film."""

    image: str | None = Field(default=None)
    """Image id."""
    members: tuple[int, ...] | None = None
    """Networks of the ensemble to use; None: all. Evaluation gives a training film to the one that has not seen it."""


class ChestAnatomy(Tool):
    """Outlines the right lung, the left lung and the heart on a frontal chest film."""

    card = Card(
        name="chest_anatomy",
        version="1.2.0",
        summary="Outline right lung, left lung and heart on a frontal chest film; every chest measurement needs it.",
        kind="region",
        establishes=("right_lung", "left_lung", "heart", "chest_anatomy"),
        modality=("CR", "DX", "RG"),
        views=("PA", "AP"),
        population="adults; children with caution",
        anatomy="chest",
        needs=(),
        gates=("film_quality", "chest_film_guard"),
        cost_seconds=0.5,
        devices=("cpu", "cuda"),
        precision="bfloat16 where the processor computes in it, else float32",
        tolerance=0.01,
        limits=(
            "Trained on the masks of one source of adult films; other scanners, AP films and children only through "
            "films without masks.",
            "The lungs are the visible lung fields: lung behind the heart and the diaphragm is not in.",
            "Names of sides assume the usual display (patient's right on the image left); a mirrored film and "
            "dextrocardia look alike.",
            "Wholly opaque lungs are outlined by guess, with high uncertainty.",
        ),
        weights=_shipped(),
    )
    Request = AnatomyRequest
    Result = Regions

    def load(self) -> "dict[int, ChestAnatomyNet]":
        """All networks that the manifest names.

        Raises:
            ToolUnavailable: Weights are missing, damaged or untrained.
        """
        from secondread.tools.segment.weights import load_networks

        return load_networks(self.weights_folder)

    def run_batch(self, requests: Sequence[AnatomyRequest], ctx: Context) -> list[Regions | SecondReadError]:
        """One `Regions`, or the error, per request; each film is seen by itself, so batching changes nothing."""
        networks = ctx.model(self.card.name)
        return [self._one(request, ctx, networks) for request in requests]

    def _one(self, request: AnatomyRequest, ctx: Context, networks: "dict[int, ChestAnatomyNet]") -> Any:
        from secondread.tools.segment.inference import STRUCTURES, segment

        try:
            if request.image is None:
                raise UsageError("chest_anatomy needs an image.")
            found = segment(ctx.pixels(request.image), networks, request.members)
        except SecondReadError as error:
            return error
        image = request.image
        samples = tuple(
            MaskSample(
                source=f"fold{sample.member}/{sample.look}",
                group=f"fold{sample.member}",
                names=STRUCTURES,
                bits=ctx.put_bits(image, sample.bits),
            )
            for sample in found.samples
        )
        return Regions(
            masks={name: ctx.put_mask(image, name, mask) for name, mask in found.masks.items()},
            samples=samples,
            uncertainty=ctx.put_map(image, found.uncertainty),
            mean_uncertainty=found.mean_uncertainty,
            network_uncertainty=found.network_uncertainty,
            plausible=found.plausible,
            reasons=found.reasons,
            heart_side=found.heart_side,
        )

    def summarise(self, result: Regions) -> str:
        """Which structures were found, and whether they look like a chest."""
        shares = ", ".join(f"{name.replace('_', ' ')} {mask.pixels} px" for name, mask in result.masks.items())
        tail = "" if not result.reasons else " " + " ".join(result.reasons)
        return f"Outlined {shares}; {'plausible' if result.plausible else 'not plausible'}.{tail}"
