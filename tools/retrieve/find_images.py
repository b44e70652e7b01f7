"""Images of the user's corpora that words describe."""

from typing import Any

from pydantic import Field

from secondread.schema.errors import NotApplicable
from secondread.schema.evidence import SimilarCases
from secondread.tools.base import Card, Context, ToolRequest, tool
from secondread.tools.retrieve.cases import case_of, merged, summarise

CARD = Card(
    name="find_images",
    version="1",
    summary="Images of the user's corpora that fit words: by labels, and by their look where the encoder takes text.",
    kind="similar_case",
    establishes=("find_images_tool",),
    image="none",
    cost_seconds=0.1,
    examples=({"text": "pleural effusion"},),
    cache="memory",
    limits=("With the embedded encoder images are found by what their source says of them, not by what they show.",),
)


class FindImagesRequest(ToolRequest):
    """What to look for."""

    text: str = Field(min_length=1, max_length=2000)
    """Words."""
    k: int = Field(default=5, ge=1, le=50)
    """Most images."""
    modality: str | None = Field(default=None, max_length=16)
    """Only images of this DICOM modality."""


@tool(CARD, request=FindImagesRequest, result=SimilarCases, summary=summarise)
def find_images(request: FindImagesRequest, ctx: Context) -> SimilarCases:
    """Images that fit words, each with source, licence and labels."""
    corpora = ctx.library().users()
    where: dict[str, Any] = {"modality": request.modality} if request.modality else {}
    found = [one.pictured(request.text, request.k, where=where) for one in corpora]
    hits = merged(found, request.k)
    if not hits:
        raise NotApplicable(
            "No image of an installed corpus is described like this.",
            hint="Build a corpus with `secondread index build`, and name it with --corpus.",
        )
    return SimilarCases(items=tuple(case_of(hit, one) for hit, one in hits))
