"""Does a frontal chest film look mirrored? The pixels alone cannot tell it from dextrocardia."""

from secondread.schema.errors import UsageError
from secondread.schema.evidence import Finding, Findings, Regions
from secondread.tools.base import Card, Context, ToolRequest, tool

BOTH = "most of the heart lies to the image left: a mirrored film and dextrocardia look the same, pixels cannot tell"
USUAL = (
    "most of the heart lies to the image right, as on an unmirrored film of a usual heart; a mirrored film of a heart "
    "on the right looks the same"
)

CARD = Card(
    name="mirror_check",
    version="1.0",
    summary="Whether a frontal chest film may be mirrored, from the side on which the heart lies; never a verdict.",
    kind="finding",
    establishes=("mirrored_film",),
    modality=("CR", "DX", "DR", "RG"),
    anatomy="chest",
    needs=("chest_anatomy",),
    gates=("film_quality", "chest_film_guard"),
    cost_seconds=0.01,
    limits=("A mirrored film and dextrocardia cannot be told apart from pixels: both are named, no side is decided.",),
)


class MirrorRequest(ToolRequest):
    """The film."""

    chest_anatomy: str
    """Id of the evidence with the masks."""


@tool(CARD, request=MirrorRequest, result=Findings, summary=lambda result: summarise(result))
def mirror_check(request: MirrorRequest, ctx: Context) -> Findings:
    """Whether a frontal chest film may be mirrored."""
    if request.image is None:
        raise UsageError("mirror_check needs an image id.")
    ctx.info(request.image)
    found = ctx.evidence(request.chest_anatomy).result
    if not isinstance(found, Regions):
        raise UsageError("mirror_check needs the masks of heart and lungs.")
    side = found.heart_side
    note = {"image_left": BOTH, "image_right": USUAL}.get(side, "the side of the heart could not be told")
    return Findings(items=(Finding(concept="mirrored_film", score_kind="support", polarity="uncertain", note=note),))


def summarise(result: Findings) -> str:
    """One line: what the side of the heart says."""
    return result.items[0].note
