"""Writes what an answer rests on into a folder: overlay pictures, the answer, the trace, a private crosswalk."""

import csv
import io
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from secondread.schema.errors import StoreError, UsageError

if TYPE_CHECKING:
    from secondread.agent.agent import Agent
    from secondread.schema.answer import Answer
    from secondread.schema.evidence import Evidence

PICTURED = ("measurement", "region", "finding", "image")
OVERLAY = re.compile(r"overlay-E\d+-[a-z0-9_]+\.png")
PRIVATE = 0o600


def write_answer(agent: "Agent", answer: "Answer", out: Path) -> list[Path]:
    """Write overlays, `trace.jsonl`, `crosswalk.csv` (mode 0600) and, last, `answer.json`.

    Everything is made beside the folder first and moved in only when all of it is there. Overlays of an earlier answer
    in the same folder are removed.

    Args:
        agent: The agent that answered; its image store still holds the pixels.
        answer: What is written.
        out: The folder; created when missing.

    Returns:
        The files, in the order written.

    Raises:
        UsageError: The folder cannot be written.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".secondread-", dir=out.parent))
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror}.") from None
    try:
        names = [*_overlays(answer, staging)]
        if _trace(agent, answer, staging / "trace.jsonl"):
            names.append("trace.jsonl")
        crosswalk(staging / "crosswalk.csv", ("image", "path"), _image_ids(agent, answer))
        (staging / "answer.json").write_text(answer.model_dump_json(indent=2) + "\n", encoding="utf-8")
        names += ["crosswalk.csv", "answer.json"]
        out.mkdir(exist_ok=True)
        for old in out.iterdir():
            if OVERLAY.fullmatch(old.name) and old.name not in names:
                old.unlink()
        for name in names:
            os.replace(staging / name, out / name)
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror}.") from None
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return [out / name for name in names]


def crosswalk(path: Path, header: tuple[str, str], rows: Sequence[tuple[str, str]]) -> None:
    """A two-column CSV from opaque key to path that only its owner can read."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows(rows)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE), "wb") as file:
        os.fchmod(file.fileno(), PRIVATE)
        file.write(text.getvalue().encode("utf-8", "surrogateescape"))
        file.flush()
        os.fsync(file.fileno())


def pictured(answer: "Answer") -> list["Evidence"]:
    """Evidence worth a picture: what claims cite and shows something on an image; without claims, all of that kind."""
    cited = {e for claim in answer.claims for e in claim.evidence}
    able = [e for e in answer.evidence if e.kind in PICTURED and e.image is not None]
    return [e for e in able if e.id in cited] or able


def overlays(answer: "Answer") -> Iterator[tuple[str, Any]]:
    """File name and picture (`PIL.Image.Image`) of each piece of evidence that is worth one."""
    concepts = {e: claim.concept for claim in reversed(answer.claims) for e in claim.evidence}
    for item in pictured(answer):
        try:
            picture = item.overlay()
        except StoreError:
            continue
        label = re.sub(r"[^a-z0-9_]+", "_", concepts.get(item.id, item.tool).lower())
        yield f"overlay-{item.id}-{label}.png", picture


def _overlays(answer: "Answer", folder: Path) -> list[str]:
    names: list[str] = []
    for name, picture in overlays(answer):
        picture.save(folder / name, format="PNG")
        names.append(name)
    return names


def _trace(agent: "Agent", answer: "Answer", target: Path) -> bool:
    """Copy the run's trace; False when traces are kept in memory only."""
    from secondread.agent.settled import trace_path

    source = trace_path(agent.settings, answer.trace)
    if source is None or not source.exists():
        return False
    shutil.copyfile(source, target)
    return True


def _image_ids(agent: "Agent", answer: "Answer") -> list[tuple[str, str]]:
    """Opaque id and path as typed of each image that the evidence lies on."""
    found = dict.fromkeys(item.image for item in answer.evidence if item.image is not None)
    return [(image, path) for image in found if (path := agent.runtime.store.path(image)) is not None]
