"""What trained experts have in common: weights and calibration from the manifest, and the router that admits images."""

from secondread.schema.errors import NotApplicable, ToolUnavailable
from secondread.schema.evidence import CalibrationRecord, Findings
from secondread.tools.base import Context, WeightsInfo
from secondread.tools.weights_file import WeightsFile


def weights_of(weights: WeightsFile, trained_on: str) -> WeightsInfo | None:
    """What the manifest says of the weights; None when there is none, which `load` reports.

    Args:
        weights: Where they lie.
        trained_on: The data and its licence.
    """
    try:
        sha256, _ = weights.manifest()
    except ToolUnavailable:
        return None
    return WeightsInfo(
        files=(weights.file,),
        sha256=sha256,
        source=f"{weights.recipe}, see tools/weights/{weights.name}.md",
        licence=f"{weights.licence}; trained on {trained_on}",
    )


def records_of(weights: WeightsFile) -> tuple[CalibrationRecord, ...]:
    """Calibration records of the manifest; empty when there is none."""
    try:
        return weights.manifest()[1]
    except ToolUnavailable:
        return ()


def admit(ctx: Context, router: str, concepts: tuple[str, ...]) -> None:
    """Let only images pass that the router takes for one of these kinds.

    Args:
        ctx: Gives the evidence.
        router: Id of the evidence of the image router.
        concepts: Kinds of image that the expert reads.

    Raises:
        NotApplicable: The router takes the image for something else, or for nothing it knows.
    """
    result = ctx.evidence(router).result
    findings = [f for c in concepts if isinstance(result, Findings) and (f := result.get(c)) is not None]
    if any(f.polarity == "present" for f in findings):
        return
    kinds = " or ".join(c.replace("_", " ") for c in concepts)
    why = next((f.note for f in findings if f.note), "")
    raise NotApplicable(f"This is not taken for a {kinds}{': ' + why.rstrip('.') if why else ''}.")
