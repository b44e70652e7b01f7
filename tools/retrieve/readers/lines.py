"""JSON and JSON-lines files: own manifests, question-answer passages, LLaVA and MedTrinity records."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from secondread.schema.errors import InputError
from secondread.tools.retrieve.readers.draft import Defaults, Draft
from secondread.tools.retrieve.readers.images import image_draft
from secondread.tools.retrieve.readers.keys import opaque, text_id
from secondread.tools.retrieve.readers.open_text import open_text
from secondread.tools.retrieve.records import Item

MAX_LINE = 8 << 20
Report = Callable[[str], None]


def read_lines(path: Path, defaults: Defaults, report: Report) -> Iterator[Draft]:
    """Items of a JSON-lines file, one line at a time; bad lines are reported with their number and passed over.

    Args:
        path: The file, `.jsonl` or `.jsonl.gz`.
        defaults: For what lines do not say.
        report: Takes one sentence per bad line.
    """
    with open_text(path) as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            if len(line) > MAX_LINE:
                report(f"line {number}: longer than {MAX_LINE >> 20} MB")
                continue
            try:
                record = json.loads(line)
            except ValueError:
                report(f"line {number}: not JSON")
                continue
            yield from _of(record, f"line {number}", path, defaults, report)


def read_json(path: Path, defaults: Defaults, report: Report) -> Iterator[Draft]:
    """Items of a JSON file that holds a list of records (LLaVA's layout).

    Raises:
        InputError: It is no JSON list.
    """
    try:
        with open_text(path) as file:
            records = json.load(file)
    except ValueError as error:
        raise InputError(f"{path.name} is not JSON.") from error
    if not isinstance(records, list):
        raise InputError(f"{path.name} holds no list of records.")
    for number, record in enumerate(records, 1):
        yield from _of(record, f"record {number}", path, defaults, report)


def _of(record: Any, where: str, path: Path, defaults: Defaults, report: Report) -> Iterator[Draft]:
    if not isinstance(record, dict):
        report(f"{where}: not an object")
        return
    try:
        draft = _draft(record, path, defaults)
    except InputError as error:
        report(f"{where}: {error}")
        return
    if draft is None:
        report(f"{where}: neither text nor image in it")
        return
    yield draft


def _draft(record: dict[str, Any], path: Path, defaults: Defaults) -> Draft | None:
    """One record: fields by the names that own manifests, LLaVA, MedTrinity and question-answer sets use."""
    patient = opaque("pat", _word(record, "patient", "patient_id", "subject_id"), defaults.salt)
    text, title = _told(record)
    fields = {
        "title": title,
        "text": text,
        "source": _word(record, "source", "source_name", "document_source") or defaults.source,
        "licence": _word(record, "licence", "license") or defaults.licence,
        "date": _word(record, "date") or defaults.date,
        "patient": patient,
        "study": opaque("stu", _word(record, "study", "study_id"), defaults.salt),
        "modality": _word(record, "modality") or defaults.modality,
        "labels": _labels(record),
        "language": _word(record, "language", "lang") or "en",
    }
    picture = _word(record, "image", "image_path", "file", "file_name")
    if picture:
        return image_draft(_beside(path, picture), defaults, fields)
    if not text:
        return None
    kind = "report" if _word(record, "kind") == "report" else "passage"
    given = _word(record, "id", "uid", "qid")
    source = str(fields["source"])
    made = f"doc-{given}" if given and len(given) < 150 else text_id(source, text, title)
    return Draft(Item.model_validate({**fields, "id": made, "kind": kind}))


def _told(record: dict[str, Any]) -> tuple[str, str]:
    """Text and title of a record."""
    conversation = record.get("conversations") or record.get("conversatons")  # LLaVA-Med misspells its own key
    if isinstance(conversation, list):
        said = [str(t.get("value", "")) for t in conversation if isinstance(t, dict)]
        clean = [t.replace("<image>", "").strip() for t in said]
        return "\n".join(t for t in clean if t), next((t for t in clean if t), "")[:200]
    text = _word(record, "text", "answer", "caption", "report", "passage", "contents", "findings")
    extra = _word(record, "impression")
    if extra and extra not in text:
        text = f"{text}\n{extra}".strip()
    return text, _word(record, "title", "question", "focus")


def _labels(record: dict[str, Any]) -> tuple[str, ...]:
    found = record.get("labels", record.get("label", ()))
    several = found.split("|") if isinstance(found, str) else found if isinstance(found, list) else ()
    return tuple(str(one).strip()[:200] for one in several if str(one).strip())


def _word(record: dict[str, Any], *names: str) -> str:
    for name in names:
        value = record.get(name)
        if isinstance(value, str | int | float) and str(value).strip():
            return str(value).strip()
    return ""


def _beside(manifest: Path, name: str) -> Path:
    """A file named by a manifest, which must lie in the manifest's own folder.

    Raises:
        InputError: It lies elsewhere.
    """
    root = manifest.parent.resolve()
    path = (root / name).resolve()
    if not path.is_relative_to(root):
        raise InputError("the image lies outside the folder of its manifest")
    return path
