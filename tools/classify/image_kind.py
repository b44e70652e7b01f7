"""What kind of picture an image is, in words for the asker: the header's word first, then what the pixels look like."""

from secondread.schema.errors import NotApplicable, UsageError
from secondread.schema.evidence import Finding, Findings
from secondread.schema.image import ImageInfo
from secondread.tools.base import Card, Context, ToolRequest, tool
from secondread.tools.classify.image_router import FILM_CODES, UNSTATED

RADIOGRAPHS = FILM_CODES | {"MG", "RF", "XA", "PX", "IO"}
"""DICOM modalities (PS3.3 C.7.3.1.1.1) of images that X-rays cast as a shadow."""

BY_HEADER: dict[str, frozenset[str]] = {
    "xray_image": RADIOGRAPHS,
    "ct_slice": frozenset({"CT"}),
    "mr_slice": frozenset({"MR"}),
    "ultrasound_image": frozenset({"US", "IVUS"}),
}
"""Kinds that the modality alone decides, and the codes that mean them."""

BY_PIXELS = (
    "chest_radiograph_image",
    "fundus_photograph",
    "blood_smear_image",
    "fluorescence_micrograph",
    "stained_micrograph",
    "ultrasound_image",
)
"""Kinds that the router tells from pixels; X-ray, CT and MR in general it does not."""

FROM = {"xray_image": "chest_radiograph_image"}
"""Kinds that the router knows by a kind of them only."""

LOOKS = "the pixels look like it, which supports it and decides nothing"

CARD = Card(
    name="image_kind",
    version="1",
    summary="What kind of picture this is: the modality in the header, else what the pixels look like.",
    kind="finding",
    establishes=(*BY_HEADER, *(k for k in BY_PIXELS if k not in BY_HEADER)),
    dimension=None,
    needs=("image_router",),
    cost_seconds=0.001,
    cache="memory",
    limits=("The header decides where it states a modality; pixels alone give support and no verdict.",),
)


class ImageKindRequest(ToolRequest):
    """The image."""

    image_router: str
    """Id of the evidence of the router."""


@tool(CARD, request=ImageKindRequest, result=Findings, summary=lambda result: summarise(result))
def image_kind(request: ImageKindRequest, ctx: Context) -> Findings:
    """Kind of the picture.

    Raises:
        NotApplicable: Neither the header nor the pixels say anything.
    """
    if request.image is None:
        raise UsageError("image_kind needs an image id.")
    router = ctx.evidence(request.image_router).result
    items = kinds(ctx.info(request.image), router if isinstance(router, Findings) else Findings(items=()))
    if not any(known(f) for f in items):
        raise NotApplicable(
            "The header does not say how the picture was made, and the pixels look like no kind that is known."
        )
    return Findings(items=items)


def kinds(info: ImageInfo, router: Findings) -> tuple[Finding, ...]:
    """One finding per kind on which the header or the pixels have a word; header facts carry no score.

    Args:
        info: Header facts.
        router: What the image router says of the same image.
    """
    code = (info.modality or "").upper()
    found: dict[str, Finding] = {}
    if code not in UNSTATED:
        for concept, codes in BY_HEADER.items():
            found[concept] = Finding(
                concept=concept,
                polarity="present" if code in codes else "absent",
                score_kind="fact",
                verified=True,
                note=f"the header says modality {code}",
            )
    for concept in (*BY_PIXELS, *BY_HEADER):
        seen = router.get(FROM.get(concept, concept))
        if concept not in found and seen is not None:
            likely = seen.polarity == "present"
            found[concept] = seen.model_copy(
                update={
                    "concept": concept,
                    "polarity": "uncertain",
                    "verified": False,
                    "note": LOOKS if likely else f"no header states a modality; {seen.note}",
                    "score": seen.score if likely else None,
                }
            )
    return tuple(found.values())


def known(found: Finding) -> bool:
    """Whether a finding says something that an asker for the kind wants to hear."""
    return found.polarity == "present" or (found.polarity == "uncertain" and found.score is not None)


def summarise(result: Findings) -> str:
    """What is known, in one line."""
    told = [
        f"{f.concept.replace('_', ' ')}: {f.polarity} ({f.note})" for f in result.items if known(f)
    ]  # fmt: skip
    return "; ".join(told)
