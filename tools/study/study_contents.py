"""What a study holds: its series, slices and spacings, and what is missing or odd about them."""

from secondread.schema.evidence import Passage, Passages
from secondread.schema.study import SeriesInfo, StudyInfo
from secondread.tools.base import Card, Context, ToolRequest, tool

CARD = Card(
    name="study_contents",
    version="1.0",
    summary="List the series of the study that the image belongs to: modality, plane, slices, spacing, problems.",
    kind="passage",
    establishes=("study_contents_tool",),
    dimension=None,
    cost_seconds=0.001,
    cache="memory",
    limits=("Series descriptions are not shown: they may name a person.",),
)
SOURCE = "headers of the files handed over"
KINDS = {
    "image": "image",
    "volume": "slice",
    "cine": "frame",
    "localizer": "localizer image",
    "secondary": "secondary capture",
    "derived": "derived object",
    "document": "document",
}


@tool(CARD, request=ToolRequest, result=Passages, summary=lambda result: summarise(result))
def study_contents(request: ToolRequest, ctx: Context) -> Passages:
    """List the series of the study that the image belongs to: modality, plane, slices, spacing, problems."""
    assert request.image is not None
    study = ctx.study(request.image)
    lines = [series_words(one, len(study.series)) for one in study.series]
    lines += [f"Problem: {problem.rstrip('.')}." for problem in study.problems]
    if study.count > 1:
        lines.insert(0, f"Study {study.number} of {study.count}, {study.role}.")
    return Passages(items=tuple(Passage(text=line, source=SOURCE) for line in lines))


def series_words(one: SeriesInfo, total: int) -> str:
    """One series in a sentence, such as `Series 2 of 3: CT, 112 slices, axial, 3 mm apart.`."""
    unit = KINDS[one.kind]
    parts = [one.modality or "modality not given", f"{one.images} {unit}{'' if one.images == 1 else 's'}"]
    if one.body_part:
        parts.insert(1, one.body_part.lower())
    if one.views and set(one.views) != {"UNKNOWN"}:
        parts.append(f"view {', '.join(dict.fromkeys(v for v in one.views if v != 'UNKNOWN'))}")
    if one.plane:
        parts.append(one.plane)
    if one.spacing_mm:
        parts.append(f"{one.spacing_mm:.3g} mm apart")
    if one.pixel_mm:
        parts.append(f"pixels of {one.pixel_mm[0]:.3g} x {one.pixel_mm[1]:.3g} mm")
    told = f"Series {one.number} of {total}: {', '.join(parts)}"
    return f"{told}; {'; '.join(p.rstrip('.') for p in one.problems)}." if one.problems else f"{told}."


def study_words(study: StudyInfo) -> str:
    """A study in one line."""
    return f"{len(study.series)} series, {sum(s.images for s in study.series)} images"


def summarise(result: Passages) -> str:
    """How many lines the list has."""
    return f"{len(result.items)} line(s) on the contents of the study"
