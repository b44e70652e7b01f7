"""Writes the weights, manifest and model card of the nerve and vessel expert."""

from pathlib import Path
from typing import TYPE_CHECKING

from secondread.evals.nerves import figures, group_lines, measure, parameters
from secondread.evals.refusals import believed_lines
from secondread.schema.evidence import CalibrationRecord
from secondread.tools.segment.nerves.inference import AREA_RECORD, STRUCTURES, WEIGHTS, load_networks
from secondread.training.card import table, today, write_card
from secondread.training.nerves.data import Scan, data_sha256

if TYPE_CHECKING:
    import torch

METHOD = (
    "conformal quantile of |log(found area / drawn area)| where something was found, and logistic regression of "
    "`overlaps a drawn piece` on the log-odds of the mean class probability, on out-of-fold images: each by the one "
    "of five networks that has not seen it or a look-alike"
)
SOURCE = "ultrasound_usgra, 204 development images, 5 folds by groups of look-alikes"


def ship(data: Path, scans: list[Scan], states: "list[dict[str, torch.Tensor]]", folder: Path) -> list[str]:
    """Write `nerves.safetensors`, `nerves.json` and `nerves.md` into `folder`; returns lines to print."""
    sha256 = WEIGHTS.write(folder, states, [])
    rows = measure(scans, load_networks(folder))
    found = figures(rows)
    record = CalibrationRecord(
        name=AREA_RECORD,
        method=METHOD,
        data=SOURCE,
        data_sha256=data_sha256(data),
        date=today(),
        n=len(rows) // len(STRUCTURES),
        parameters=parameters(rows),
        figures=found,
    )
    WEIGHTS.write_manifest(folder, sha256, [record])
    size = (folder / WEIGHTS.file).stat().st_size
    write_card(
        Path(__file__).parent / "card.md",
        folder / "nerves.md",
        size=f"{size / 1e6:.1f}",
        sha256=sha256,
        figures=table(found),
        refusals=believed_lines(data.parent, "nerves", weights=folder),
        groups="\n".join(f"    {one}" for one in group_lines(data)),
        factors=", ".join(f"{k} {v:.2f}" for k, v in record.parameters["log_error"].items()),
    )
    return [f"{WEIGHTS.file}: {size} bytes, {sha256}", record.model_dump_json(indent=1)]
