"""Writes the shipped weights, their manifest with error models and out-of-fold figures."""

from pathlib import Path

import torch

from secondread.tools.segment.hippocampus.volumes import METHOD, PARTS
from secondread.tools.segment.hippocampus.weights import WEIGHTS, load_networks
from secondread.training.hippocampus.data import Case, data_sha256
from secondread.training.hippocampus.out_of_fold import rows
from secondread.training.hippocampus.report import figures, lines, model_of, volume_figures
from secondread.training.shipping import Shipment

ENSEMBLE = "mean over looks of five networks, one per fold; figures of single networks on unseen crops"
SOURCE = "Medical Segmentation Decathlon Task04, development rows of mr_hippocampus_msd, CC BY-SA 4.0"


def ship(data: Path, cases: list[Case], states: list[dict[str, torch.Tensor]], folder: Path) -> list[str]:
    """Write `hippocampus.safetensors` and `hippocampus.json`; the figures are those of the weights as they ship.

    Returns:
        The figures, one a line.
    """
    shipment = Shipment(WEIGHTS, folder, SOURCE, data_sha256(data))
    sha256 = shipment.load(states)
    measured = list(rows(cases, load_networks(folder)))
    n = len(measured)
    records = [shipment.record(WEIGHTS.name, ENSEMBLE, n, figures(measured))]
    records += [
        shipment.record(
            name, METHOD, n, volume_figures(measured, name), model_of(measured, name).model_dump(mode="json")
        )
        for name in PARTS
    ]
    WEIGHTS.write_manifest(folder, sha256, records)
    return lines(measured)
