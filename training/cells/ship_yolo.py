"""Writes the weights, manifest and model card of the ultralytics twin of the blood-cell detector."""

from pathlib import Path
from typing import TYPE_CHECKING

from secondread.evals.cells import figures, measure_yolo, parameters
from secondread.tools.detect.cells.yolo import SCORE_RECORD, WEIGHTS, load_networks
from secondread.training.cells.data import Field, data_sha256
from secondread.training.cells.ship import METHOD, SOURCE
from secondread.training.shipping import Shipment

if TYPE_CHECKING:
    import torch


def ship(data: Path, fields: list[Field], states: "list[dict[str, torch.Tensor]]", folder: Path) -> list[str]:
    """Write `blood_cells_yolo.safetensors`, `.json` and `.md` into `folder`; returns lines to print."""
    shipment = Shipment(WEIGHTS, folder, SOURCE, data_sha256(data))
    sha256 = shipment.load(states)
    rows = measure_yolo(fields, load_networks(folder))
    record = shipment.record(SCORE_RECORD, METHOD, len(rows), figures(rows), parameters(rows))
    return shipment.finish(sha256, record, Path(__file__).parent / "card_yolo.md")
