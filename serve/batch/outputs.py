"""What is written when a run has ended: tables, the list of failures, the crosswalk, the summary of the cohort."""

import csv
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from secondread.serve.batch.cohort import Cohort
from secondread.serve.batch.cohort_page import cohort_page
from secondread.serve.batch.recorder import PRIVATE, Recorder, write_bytes, writing
from secondread.serve.batch.state import State
from secondread.serve.batch.tables import Tables

if TYPE_CHECKING:
    from secondread.serve.batch.work import Job

DEAD, CROSSWALK, SUMMARY, COHORT = "dead_letters.jsonl", "crosswalk.csv", "cohort.html", "cohort.json"
READABLE = 0o644


def write_crosswalk(out: Path, state: State) -> None:
    """Key of each case to its files, one line per file, readable by the owner alone."""
    partial = out / (CROSSWALK + ".partial")
    with (
        writing(out),
        os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE), "wb") as file,
        io.TextIOWrapper(file, encoding="utf-8", errors="surrogateescape", newline="") as text,
    ):
        writer = csv.writer(text)
        writer.writerow(("key", "path"))
        for case in state.cases(None):
            for shown in case.shown or (f"{case.url}/studies/{case.study}",):
                writer.writerow((case.key, shown))
        text.flush()
        os.fsync(file.fileno())
    with writing(out):
        os.replace(partial, out / CROSSWALK)


def write_outputs(out: Path, recorder: Recorder, job: "Job", progress: Callable[[str], None]) -> list[str]:
    """Write everything that is made of the rows, reading each row once. Returns what could not be written and why."""
    progress("writing tables and summary")
    cohort = Cohort(job)
    dead = out / (DEAD + ".partial")
    with writing(out), Tables(out) as tables:
        with dead.open("wb") as failures:
            for row in recorder.rows():
                tables.add(row)
                cohort.add(row)
                if "error" in row:
                    failures.write(json.dumps(row, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
        notes = tables.finish()
        os.replace(dead, out / DEAD)
        figures = cohort.figures()
        text = json.dumps(figures, ensure_ascii=False, indent=2) + "\n"
        write_bytes(out / COHORT, text.encode(), READABLE)
        write_bytes(out / SUMMARY, cohort_page(figures).encode(), READABLE)
    return notes
