"""Answers and evidence as they go over the wire: below a size, without paths, long lists in pages."""

from typing import Any, NamedTuple

from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel

from secondread.schema.answer import Answer
from secondread.schema.errors import SecondReadError
from secondread.schema.evidence import Evidence, Regions
from secondread.serve.mcp.images import Source

RESULT_LIMIT = 200_000
"""Bytes of one result as JSON, links and pictures included."""
BODY_LIMIT = 170_000
"""Bytes of the structured part of a result; the rest is for its text and links."""
PICTURE_LIMIT = 140_000
"""Bytes of one picture before base64."""
PICTURE_SIDE = 768
"""Longest side of an overlay, in pixels; smaller when the picture would be too large."""
PAGE = 200
"""Entries of a list that go into one result."""
LISTS = {
    "measurement": ("items",),
    "finding": ("items",),
    "passage": ("items",),
    "similar_case": ("items",),
    "graph_path": ("paths", "triples", "ranked"),
}
"""Lists of a result that come in pages, by its kind."""
PARALLEL = ("points", "boxes", "scores")
"""Lists of counted objects, which are cut at the same places."""


class Part(NamedTuple):
    """A piece of evidence with its long lists cut, and where the next page begins."""

    evidence: Evidence
    next: int | None


def page_of(item: Evidence, first: int = 0, count: int = PAGE, limit: int = BODY_LIMIT) -> Part:
    """Entries `first` up to `first + count` of every long list of some evidence; fewer when that is too large.

    Mask samples are left out: they are handles that mean nothing outside this process.
    """
    while True:
        part = _cut(item, first, count)
        if count == 1 or len(part.evidence.model_dump_json()) <= limit:
            return part
        count = max(1, count // 2)


def _cut(item: Evidence, first: int, count: int) -> Part:
    result: Any = item.result
    longest = 0
    if isinstance(result, Regions):
        result = result.model_copy(update={"samples": ()})
    update: dict[str, Any] = {}
    for name in LISTS.get(result.kind, ()):
        whole = getattr(result, name)
        longest = max(longest, len(whole))
        update[name] = whole[first : first + count]
    counted = getattr(result, "counted", ())
    if counted:
        longest = max(longest, *(len(getattr(one, name)) for one in counted for name in PARALLEL))
        update["counted"] = tuple(
            one.model_copy(update={name: getattr(one, name)[first : first + count] for name in PARALLEL})
            for one in counted
        )
    if update:
        result = result.model_copy(update=update)
    return Part(item.model_copy(update={"result": result}), first + count if first + count < longest else None)


def lean(answer: Answer) -> Answer:
    """The answer in one message: long lists cut, then evidence that no claim cites left out, then the rest."""
    parts = [page_of(e) for e in answer.evidence]
    notes: list[str] = []
    cut = [p.evidence.id for p in parts if p.next is not None]
    if cut:
        notes.append(f"Long lists of {', '.join(cut)} are cut; get_evidence gives all of them.")
    small = answer.model_copy(
        update={"evidence": tuple(p.evidence for p in parts), "warnings": (*answer.warnings, *notes)}
    )
    if len(small.model_dump_json()) <= BODY_LIMIT:
        return small
    cited = {e for claim in small.claims for e in claim.evidence}
    told = "Evidence was left out of this message for its size; get_evidence gives it."
    fitting: list[Evidence] = []
    room = BODY_LIMIT - len(small.model_copy(update={"evidence": ()}).model_dump_json()) - len(told) - 64
    for one in sorted(small.evidence, key=lambda e: e.id not in cited):
        size = len(one.model_dump_json())
        if size <= room:
            fitting.append(one)
            room -= size
    kept = {one.id for one in fitting}
    return small.model_copy(
        update={
            "evidence": tuple(e for e in small.evidence if e.id in kept),
            "warnings": (*small.warnings, told),
        }
    )


def png(item: Evidence) -> bytes:
    """The picture of one piece of evidence.

    Raises:
        StoreError: It shows nothing on an image, or its pixels are gone.
    """
    return small_png(item.overlay(), PICTURE_SIDE)


def small_png(picture: Any, side: int) -> bytes:
    """A picture as PNG of at most `PICTURE_LIMIT` bytes and `side` pixels.

    Args:
        picture: A PIL image; it is made smaller in place.
        side: Longest side in pixels.
    """
    import io

    while True:
        picture.thumbnail((side, side))
        buffer = io.BytesIO()
        picture.save(buffer, format="PNG", optimize=True)
        if buffer.tell() <= PICTURE_LIMIT or side <= 64:
            return buffer.getvalue()
        side = max(64, side * 3 // 4)


def plain(value: BaseModel) -> dict[str, Any]:
    """A model as JSON values."""
    return value.model_dump(mode="json")


def refusal(error: SecondReadError, *sources: Source | None) -> ToolError:
    """The error for a client: code, message and hint, with the client's own words in place of names of files."""
    text = f"{error.code}: {error.message} {error.hint}".strip()
    for source in sources:
        if source is not None:
            text = source.clean(text)
    return ToolError(text)


def cleaned(answer: Answer, *sources: Source | None) -> Answer:
    """The answer with warnings and reasons that name no file. Its text is made of claims, which never do."""
    named = [one for one in sources if one is not None and one.root is not None]
    if not named or not (answer.warnings or answer.abstain_reason):
        return answer

    def clean(text: str) -> str:
        for one in named:
            text = one.clean(text)
        return text

    return answer.model_copy(
        update={
            "warnings": tuple(map(clean, answer.warnings)),
            "abstain_reason": clean(answer.abstain_reason) if answer.abstain_reason else answer.abstain_reason,
        }
    )
