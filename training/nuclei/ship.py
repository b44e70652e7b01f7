"""Writes the weights, manifest and model card of the nucleus expert."""

from pathlib import Path
from typing import TYPE_CHECKING

from secondread.evals.nuclei import count_parameters, figures, measure
from secondread.evals.refusals import believed_lines
from secondread.tools.segment.nuclei.inference import COUNT_RECORD, WEIGHTS, load_networks
from secondread.training.nuclei.data import Field, data_sha256
from secondread.training.shipping import Shipment

if TYPE_CHECKING:
    import torch

METHOD = (
    "conformal interval count -+ q sqrt(count + 1), one q per appearance, from out-of-fold counts: each image by the "
    "one of five networks that has not seen it"
)
SOURCE = "nuclei_dsb2018 (2018 Data Science Bowl stage 1, corrected copy), 94 development images, 5 folds by image"


def ship(data: Path, fields: list[Field], states: "list[dict[str, torch.Tensor]]", folder: Path) -> list[str]:
    """Write `nuclei.safetensors`, `nuclei.json` and `nuclei.md` into `folder`; returns lines to print."""
    shipment = Shipment(WEIGHTS, folder, SOURCE, data_sha256(data))
    sha256 = shipment.load(states)
    rows = measure(fields, load_networks(folder))
    record = shipment.record(COUNT_RECORD, METHOD, len(rows), figures(rows), count_parameters(rows))
    return shipment.finish(
        sha256,
        record,
        Path(__file__).parent / "card.md",
        refusals=believed_lines(data.parent, "nuclei", weights=folder),
        q=", ".join(f"{kind} {q:.2f}" for kind, q in record.parameters["q"].items()),
    )
