"""Images of the user's corpora that look like an image, a crop of it, or a volume."""

from typing import Any

from pydantic import Field

from secondread.schema.errors import NotApplicable
from secondread.schema.evidence import SimilarCases
from secondread.tools.base import Card, Context, ToolRequest, tool
from secondread.tools.retrieve.cases import case_of, merged, summarise
from secondread.tools.retrieve.readers.images import slices
from secondread.tools.retrieve.retriever import Retriever

CARD = Card(
    name="similar_cases",
    version="1",
    summary="Images of the user's corpora that look like this one, with the labels of their source.",
    kind="similar_case",
    establishes=("similar_cases_tool",),
    dimension=None,
    cost_seconds=0.3,
    cache="memory",
    limits=(
        "Looking alike is not having the same disease: labels of similar cases are support, never a verdict.",
        "Images of the same patient are left out where the patient can be told.",
    ),
)


class SimilarCasesRequest(ToolRequest):
    """Which image, and among which others."""

    image: str = Field(min_length=1)
    """Image, crop or volume id."""
    k: int = Field(default=5, ge=1, le=50)
    """Most cases."""
    modality: str | None = Field(default=None, max_length=16)
    """Only cases of this DICOM modality."""
    label: str | None = Field(default=None, max_length=200)
    """Only cases that carry this label."""
    same_patient: bool = False
    """Also show images of the same patient; off, so that an answer never leaks from the asked person's own studies."""


@tool(CARD, request=SimilarCasesRequest, result=SimilarCases, summary=summarise)
def similar_cases(request: SimilarCasesRequest, ctx: Context) -> SimilarCases:
    """Nearest images of other people, each with similarity, source, licence and labels."""
    corpora = [r for r in ctx.library().users() if r.corpus.meta("encoder:image")]
    if not corpora:
        raise NotApplicable(
            "No corpus of images is installed.",
            hint="Build one with `secondread index build FOLDER --out CORPUS`, and name it with --corpus.",
        )
    info = ctx.info(request.image)
    pictures = slices(ctx.volume(request.image)) if info.dimension == 3 else [ctx.colour(request.image)]
    where: dict[str, Any] = {}
    if request.modality:
        where["modality"] = request.modality
    if request.label:
        where["label"] = request.label
    own = _own(request.image, ctx)
    found = [
        one.similar(
            pictures,
            request.k,
            where=where,
            not_items=own,
            not_patients=() if request.same_patient else _people(one, own, request.image, ctx),
        )
        for one in corpora
    ]
    hits = merged(found, request.k)
    if not hits:
        raise NotApplicable(next((f.note for f in found if f.note), "No case was found.").capitalize() + ".")
    return SimilarCases(items=tuple(case_of(hit, one) for hit, one in hits))


def _own(image: str, ctx: Context) -> list[str]:
    """The image and what it was cut from."""
    found = [image]
    while (above := ctx.info(found[-1]).ref.parent or ctx.info(found[-1]).ref.volume) is not None:
        found.append(above)
    return found


def _people(retriever: Retriever, own: list[str], image: str, ctx: Context) -> tuple[str, ...]:
    """Opaque keys of the person on the image, as this corpus writes them."""
    keys = {*retriever.corpus.patients_of(own), ctx.person(own[-1], retriever.corpus.meta("salt"))}
    return tuple(k for k in keys if k)
