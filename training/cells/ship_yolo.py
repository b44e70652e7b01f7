"""Writes the weights, manifest and model card of the ultralytics twin of the blood-cell detector."""

from pathlib import Path
from typing import TYPE_CHECKING

from secondread.evals.cells import figures, measure_yolo, parameters
from secondread.schema.evidence import CalibrationRecord
from secondread.tools.detect.cells.yolo import SCORE_RECORD, WEIGHTS, load_networks
from secondread.training.card import table, today, write_card
from secondread.training.cells.data import Field, data_sha256
from secondread.training.cells.ship import SOURCE

if TYPE_CHECKING:
    import torch

METHOD = (
    "logistic regression of `is a drawn cell` on the log-odds of the score, per kind, and quantiles of the count "
    "error, on out-of-fold boxes: each field by the one of five networks that has not seen it or its group"
)


def ship(data: Path, fields: list[Field], states: "list[dict[str, torch.Tensor]]", folder: Path) -> list[str]:
    """Write `blood_cells_yolo.safetensors`, `.json` and `.md` into `folder`; returns lines to print."""
    sha256 = WEIGHTS.write(folder, states, [])
    rows = measure_yolo(fields, load_networks(folder))
    found = figures(rows)
    record = CalibrationRecord(
        name=SCORE_RECORD,
        method=METHOD,
        data=SOURCE,
        data_sha256=data_sha256(data),
        date=today(),
        n=len(rows),
        parameters=parameters(rows),
        figures=found,
    )
    WEIGHTS.write_manifest(folder, sha256, [record])
    size = (folder / WEIGHTS.file).stat().st_size
    write_card(
        Path(__file__).parent / "card_yolo.md", folder / "blood_cells_yolo.md",
        size=f"{size / 1e6:.1f}", sha256=sha256, figures=table(found),
    )  # fmt: skip
    return [f"{WEIGHTS.file}: {size} bytes, {sha256}", table(found)]
