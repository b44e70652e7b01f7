"""Writes the shipped weights, their manifest with error models and out-of-fold figures."""

from pathlib import Path

import torch

from secondread.tools.segment.vessels.values import METHOD, UNITS
from secondread.tools.segment.vessels.weights import WEIGHTS, load_networks
from secondread.training.shipping import Shipment
from secondread.training.vessels.data import Eye, data_sha256
from secondread.training.vessels.out_of_fold import rows
from secondread.training.vessels.report import figures, lines, measure_figures, model_of

ENSEMBLE = "mean over looks of five networks, one per fold; figures of single networks on unseen children"
SOURCE = "CHASE_DB1, development rows of retina_chase_db1, first observer, CC BY 4.0"


def ship(data: Path, eyes: list[Eye], states: list[dict[str, torch.Tensor]], folder: Path) -> list[str]:
    """Write `vessels.safetensors` and `vessels.json`; the figures are those of the weights as they ship.

    Returns:
        The figures, one a line.
    """
    shipment = Shipment(WEIGHTS, folder, SOURCE, data_sha256(data))
    sha256 = shipment.load(states)
    measured = list(rows(eyes, load_networks(folder)))
    n = len(measured)
    records = [shipment.record(WEIGHTS.name, ENSEMBLE, n, figures(measured))]
    records += [
        shipment.record(
            name, METHOD, n, measure_figures(measured, name), model_of(measured, name).model_dump(mode="json")
        )
        for name in UNITS
    ]
    WEIGHTS.write_manifest(folder, sha256, records)
    return lines(measured)
