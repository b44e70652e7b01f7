"""Writes the weights, manifest and model card of the nucleus expert."""

from pathlib import Path
from typing import TYPE_CHECKING

from secondread.evals.nuclei import count_parameters, figures, measure
from secondread.evals.refusals import believed_lines
from secondread.schema.evidence import CalibrationRecord
from secondread.tools.segment.nuclei.inference import COUNT_RECORD, WEIGHTS, load_networks
from secondread.training.card import table, today, write_card
from secondread.training.nuclei.data import Field, data_sha256

if TYPE_CHECKING:
    import torch

METHOD = (
    "conformal interval count -+ q sqrt(count + 1), one q per appearance, from out-of-fold counts: each image by the "
    "one of five networks that has not seen it"
)
SOURCE = "nuclei_dsb2018 (2018 Data Science Bowl stage 1, corrected copy), 94 development images, 5 folds by image"


def ship(data: Path, fields: list[Field], states: "list[dict[str, torch.Tensor]]", folder: Path) -> list[str]:
    """Write `nuclei.safetensors`, `nuclei.json` and `nuclei.md` into `folder`; returns lines to print."""
    sha256 = WEIGHTS.write(folder, states, [])
    rows = measure(fields, load_networks(folder))
    found = figures(rows)
    record = CalibrationRecord(
        name=COUNT_RECORD,
        method=METHOD,
        data=SOURCE,
        data_sha256=data_sha256(data),
        date=today(),
        n=len(rows),
        parameters=count_parameters(rows),
        figures=found,
    )
    WEIGHTS.write_manifest(folder, sha256, [record])
    size = (folder / WEIGHTS.file).stat().st_size
    write_card(
        Path(__file__).parent / "card.md",
        folder / "nuclei.md",
        size=f"{size / 1e6:.1f}",
        sha256=sha256,
        figures=table(found),
        refusals=believed_lines(data.parent, "nuclei", weights=folder),
        q=", ".join(f"{kind} {q:.2f}" for kind, q in record.parameters["q"].items()),
    )
    return [f"{WEIGHTS.file}: {size} bytes, {sha256}", record.model_dump_json(indent=1)]
