"""Answers and evidence as they go over the wire: small, without paths, with links to the pictures."""

from pathlib import Path
from typing import Any

from mcp.server.mcpserver.exceptions import ToolError

from secondread.schema.answer import Answer
from secondread.schema.errors import SecondReadError
from secondread.schema.evidence import Evidence, Regions
from secondread.serve.export import pictured
from secondread.serve.mcp.images import Source

ANSWER_LIMIT = 200_000
"""Bytes of one answer as JSON."""
PICTURE_SIDE = 768
"""Longest side of an overlay, in pixels."""


def lean(answer: Answer) -> Answer:
    """The answer without mask samples; and without uncited evidence, should it still be too large for one message."""
    small = answer.model_copy(update={"evidence": tuple(_lean_evidence(e) for e in answer.evidence)})
    if len(small.model_dump_json()) <= ANSWER_LIMIT:
        return small
    cited = {e for claim in small.claims for e in claim.evidence}
    left_out = f"Uncited evidence was left out of this message; run {answer.trace} has all of it."
    return small.model_copy(
        update={
            "evidence": tuple(e for e in small.evidence if e.id in cited),
            "warnings": (*small.warnings, left_out),
        }
    )


def _lean_evidence(item: Evidence) -> Evidence:
    if isinstance(item.result, Regions):
        return item.model_copy(update={"result": item.result.model_copy(update={"samples": ()})})
    return item


def evidence_dict(item: Evidence) -> dict[str, Any]:
    """One tool result as JSON, without mask samples."""
    return _lean_evidence(item).model_dump(mode="json")


def overlay_uri(run: str, evidence_id: str) -> str:
    """Address of the picture of one piece of evidence."""
    return f"overlay://{run}/{evidence_id}"


def overlays(answer: Answer) -> list[tuple[str, str]]:
    """Evidence id and address of each picture of an answer."""
    return [(e.id, overlay_uri(answer.trace, e.id)) for e in pictured(answer) if e.kind in ("region", "measurement")]


def png(item: Evidence) -> bytes:
    """The picture of one piece of evidence, at most `PICTURE_SIDE` pixels wide and high.

    Raises:
        StoreError: It shows nothing on an image, or its pixels are gone.
    """
    import io

    picture = item.overlay()
    picture.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def refusal(error: SecondReadError, source: Source | None = None) -> ToolError:
    """The error for a client: code, message and hint, with the client's own words in place of a path."""
    text = f"{error.code}: {error.message} {error.hint}".strip()
    if source is not None and isinstance(source.value, Path):
        for spelling in (str(source.value), source.value.name):
            text = text.replace(spelling, source.said)
    return ToolError(text)
