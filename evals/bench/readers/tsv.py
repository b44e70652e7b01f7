"""GMAI-MMBench (Chen et al. 2024) and MedQ-Bench (Liu et al. 2025): tables in the VLMEvalKit form, images as base64."""

import base64
import binascii
import os
from collections.abc import Sequence
from pathlib import Path

from secondread.evals.bench.figures import mean_figure
from secondread.evals.bench.item import Figure, Item, Problem, Read, Scored
from secondread.evals.bench.readers.base import BadRecord, Files, Options, Reader, each

LETTERS = "ABCDE"
REFERENCE = 64
"""A cell of at most so many characters is the index of the row that holds the picture."""
_KINDS = ((b"\x89PNG", "png"), (b"\xff\xd8", "jpg"), (b"GIF8", "gif"), (b"II*\0", "tif"), (b"MM\0*", "tif"))


class Pictures:
    """Pictures of a table: names for all of them, and the files where a folder was given."""

    def __init__(self, rows: Sequence[dict[str, str]], folder: Path | None) -> None:
        self._cells = {row.get("index", "").strip(): row.get("image", "").strip() for row in rows}
        self._folder = folder

    def name(self, index: str) -> str:
        """File name of the picture of a row, written when there is a folder and it is not there.

        Raises:
            BadRecord: The cell is empty, is no base64, or names a row that is not there.
        """
        cell, key = self._cells.get(index, ""), index
        if len(cell) <= REFERENCE and cell in self._cells and cell != index:
            key, cell = cell, self._cells[cell]
        if not cell:
            raise BadRecord("no image")
        try:
            data = base64.b64decode(cell, validate=True)
        except (binascii.Error, ValueError):
            raise BadRecord("the image is no base64") from None
        kind = next((k for start, k in _KINDS if data.startswith(start)), None)
        if kind is None:
            raise BadRecord("the image is neither PNG, JPEG, GIF nor TIFF")
        safe = "".join(c if c.isalnum() or c in "-_" else "_" for c in key)
        name = f"{safe}.{kind}"
        if self._folder is not None and not (self._folder / name).is_file():
            self._folder.mkdir(parents=True, exist_ok=True)
            part = self._folder / f"{name}.part"
            part.write_bytes(data)
            os.replace(part, self._folder / name)
        return name


def _strata(row: dict[str, str]) -> dict[str, str]:
    """Grouping columns under the names of the evaluator."""
    names = {
        "modality": "modality",
        "clinical vqa task": "task",
        "department": "department",
        "perceptual granularity": "granularity",
        "category": "category",
        "question_type": "question_type",
    }
    return {new: row[old].strip() for old, new in names.items() if row.get(old, "").strip()}


def _choice(row: dict[str, str], pictures: Pictures) -> Item:
    options = {letter: row[letter].strip() for letter in LETTERS if row.get(letter, "").strip()}
    answer = (row.get("answer") or "").strip().upper()
    if not answer:
        raise BadRecord("no answer: a test split without labels cannot be scored here")
    if answer.isdecimal() and int(answer) < len(options):  # MedQ-Bench writes letters or numbers from 0
        answer = LETTERS[int(answer)]
    name = pictures.name(row["index"].strip())
    return Item(
        id=row["index"].strip(),
        kind="choice",
        question=row["question"].strip(),
        images=(name,),
        options=options,
        answer=(answer,),
        group=name,
        strata=_strata(row),
    )


def _described(row: dict[str, str], pictures: Pictures) -> Item:
    name = pictures.name(row["index"].strip())
    return Item(
        id=row["index"].strip(),
        kind="report",
        question=row.get("question", "").strip() or "Describe the quality of this image.",
        images=(name,),
        answer=(row["description"].strip(),),
        group=name,
        strata=_strata(row),
    )


def read(root: Path, options: Options) -> Read:
    """Rows of one table; pictures are written to the folder of the option `unpack`."""
    files = Files(root)
    path = files.find("*.tsv")
    rows = files.table(path, delimiter="\t")
    if rows and "index" not in rows[0]:
        files.problems.append(Problem(where=path.name, what="no column index: not a table of the VLMEvalKit form"))
        rows = []
    pictures = Pictures(rows, Path(options["unpack"]) if "unpack" in options else None)
    described = bool(rows) and "description" in rows[0]
    one = _described if described else _choice
    return files.made(each(path, rows), lambda row, _: one(row, pictures))


def by_stratum(rows: Sequence[Scored]) -> list[Figure]:
    """Accuracy of choices, overall and by task, department, granularity and modality."""
    part = [r for r in rows if r.item.kind == "choice"]
    if not part:
        return []
    found = [mean_figure("accuracy", [r.score for r in part], [r.item.group for r in part])]
    for stratum in ("task", "department", "granularity", "modality"):
        for name in sorted({r.item.strata.get(stratum, "") for r in part} - {""}):
            some = [r for r in part if r.item.strata.get(stratum) == name]
            found.append(mean_figure(f"{stratum} {name}", [r.score for r in some], [r.item.group for r in some]))
    return found


_UNPACK = {"unpack": "folder to which the pictures in the table are written; it is then the image folder"}
GMAI_MMBENCH = Reader(
    name="gmai_mmbench",
    title="GMAI-MMBench",
    status="complete",
    expects="*.tsv: index, image (base64), question, A-E, answer, clinical vqa task, department, ..",
    licence="Apache-2.0 (code); images mixed",
    read=read,
    metric=by_stratum,
    options=_UNPACK,
    notes=(
        "Answers of the test split are withheld: its rows are listed as problems, only the validation split is scored.",
        "Questions with several right letters count as a malformed record.",
    ),
)
MEDQ_BENCH = Reader(
    name="medq_bench",
    title="MedQ-Bench",
    status="format",
    expects="*.tsv: index, image (base64), question, A-D, answer (letter or 0-3), modality; or a column description",
    licence="Apache-2.0 by its readme",
    read=read,
    metric=by_stratum,
    options=_UNPACK,
    notes=(
        "Multiple choice is complete. Descriptions are scored by word overlap and the common text metrics; the "
        "published four scores need a language model as judge and are not computed.",
        "Comparisons of two images in one row are not read.",
    ),
)
