"""Writes the weights, manifest and model card of the blood-cell detector."""

from pathlib import Path
from typing import TYPE_CHECKING

from secondread.evals.cells import figures, measure, parameters
from secondread.evals.refusals import believed_lines
from secondread.tools.detect.cells.inference import SCORE_RECORD, WEIGHTS, load_networks
from secondread.training.card import table
from secondread.training.cells.data import Field, data_sha256
from secondread.training.shipping import Shipment

if TYPE_CHECKING:
    import torch

METHOD = (
    "logistic regression of `is a drawn cell` on the log-odds of the score, per kind, and quantiles of the count "
    "error, on out-of-fold boxes: each field by the one of five networks that has not seen it or its group"
)
SOURCE = "cells_bccd, 288 development fields, 5 folds by the index's groups"


def ship(data: Path, fields: list[Field], states: "list[dict[str, torch.Tensor]]", folder: Path) -> list[str]:
    """Write `blood_cells.safetensors`, `.json` and `.md` into `folder`; returns lines to print."""
    shipment = Shipment(WEIGHTS, folder, SOURCE, data_sha256(data))
    sha256 = shipment.load(states)
    networks = load_networks(folder)
    rows = measure(fields, networks)
    grey = {k: v for k, v in figures(measure(fields, networks, grey=True)).items() if "IoU" in k}
    return shipment.finish(
        sha256,
        shipment.record(SCORE_RECORD, METHOD, len(rows), figures(rows), parameters(rows)),
        Path(__file__).parent / "card.md",
        refusals=believed_lines(data.parent, "cells", weights=folder),
        grey=table(grey),
    )
