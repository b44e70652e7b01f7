"""Whether text is burned into the pixels of an image, where it could name a person."""

from secondread.schema.evidence import Finding, Findings
from secondread.schema.region import Box
from secondread.tools.base import Card, Context, ToolRequest, tool

CONCEPT = "burned_in_text"

CARD = Card(
    name="burned_in_text",
    version="1.0",
    summary="Is text burned into the pixels, apart from a side letter; what it says is not passed on.",
    kind="finding",
    establishes=(CONCEPT,),
    cost_seconds=0.5,
    licence="Apache-2.0",
    limits=(
        "Text of little contrast (a tenth of the grey range) is missed in a third of cases, small text more often.",
        "Two letters or fewer count as a side or view marker, not as text.",
        "Needs the extra `ocr`.",
    ),
)


class TextRequest(ToolRequest):
    """Text on one image."""


def _summary(result: Findings) -> str:
    found = [item for item in result.items if item.polarity == "present"]
    return f"text in the pixels: {len(found)} {'place' if len(found) == 1 else 'places'}" if found else "no text found"


@tool(CARD, request=TextRequest, result=Findings, summary=_summary)
def burned_in_text(request: TextRequest, ctx: Context) -> Findings:
    """Looks for text with an OCR library; the places are given as boxes, the words are dropped."""
    from secondread.imaging.identity.burned_in import caveats, find_text

    assert request.image is not None
    grid = ctx.info(request.image).ref.grid
    found = find_text(ctx.pixels(request.image))
    note = "; ".join(caveats(found))
    places = [item for item in found if item.kind == "text"]
    if not places:
        return Findings(items=(Finding(concept=CONCEPT, polarity="absent", note="No text was found in the pixels."),))
    return Findings(
        items=tuple(
            Finding(
                concept=CONCEPT,
                polarity="present",
                region=Box(grid=grid, x0=p.x0, y0=p.y0, x1=p.x1, y1=p.y1, name=CONCEPT),
                note=note,
            )
            for p in places
        )
    )
