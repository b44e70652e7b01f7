"""Images of the user's graphs and corpora that show what words name."""

from typing import Any

from pydantic import Field

from secondread.schema.errors import NotApplicable
from secondread.schema.evidence import SimilarCases
from secondread.tools.base import Card, Context, ToolRequest, tool
from secondread.tools.retrieve.cases import case_of, merged, summarise
from secondread.tools.retrieve.graph_walk import shown

CARD = Card(
    name="find_images",
    version="2",
    summary="Stored images that show what words name: by image edges of the user's graphs, else by labels and look.",
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
    walked = shown(request.text, ctx.graph(), ctx.library(), request.k, request.modality)
    if walked:
        return SimilarCases(items=tuple(walked))
    corpora = ctx.library().users()
    where: dict[str, Any] = {"modality": request.modality} if request.modality else {}
    found = [one.pictured(request.text, request.k, where=where) for one in corpora]
    hits = merged(found, request.k)
    if not hits:
        raise NotApplicable(
            "No image of an installed graph or corpus is described like this.",
            hint="Build one with `secondread kg build` or `secondread index build`; name it with --graph or --corpus.",
        )
    return SimilarCases(items=tuple(case_of(hit, one) for hit, one in hits))
