"""Writes the weights, manifest and model card of the nerve and vessel expert."""

from pathlib import Path
from typing import TYPE_CHECKING

from secondread.evals.nerves import figures, group_lines, measure, parameters
from secondread.evals.refusals import believed_lines
from secondread.tools.segment.nerves.inference import AREA_RECORD, STRUCTURES, WEIGHTS, load_networks
from secondread.training.nerves.data import Scan, data_sha256
from secondread.training.shipping import Shipment

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
    shipment = Shipment(WEIGHTS, folder, SOURCE, data_sha256(data))
    sha256 = shipment.load(states)
    rows = measure(scans, load_networks(folder))
    record = shipment.record(AREA_RECORD, METHOD, len(rows) // len(STRUCTURES), figures(rows), parameters(rows))
    return shipment.finish(
        sha256,
        record,
        Path(__file__).parent / "card.md",
        refusals=believed_lines(data.parent, "nerves", weights=folder),
        groups="\n".join(f"    {one}" for one in group_lines(data)),
        factors=", ".join(f"{k} {v:.2f}" for k, v in record.parameters["log_error"].items()),
    )
