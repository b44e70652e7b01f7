"""Writes the shipped weights, their manifest with error models and out-of-fold figures."""

import datetime
from pathlib import Path

import torch

from secondread.schema.evidence import CalibrationRecord
from secondread.tools.segment.vessels.values import METHOD, UNITS
from secondread.tools.segment.vessels.weights import WEIGHTS, load_networks
from secondread.training.vessels.data import Eye, data_sha256
from secondread.training.vessels.out_of_fold import rows
from secondread.training.vessels.report import figures, lines, measure_figures, model_of

SOURCE = "CHASE_DB1, development rows of retina_chase_db1, first observer, CC BY 4.0"


def ship(data: Path, eyes: list[Eye], states: list[dict[str, torch.Tensor]], folder: Path) -> list[str]:
    """Write `vessels.safetensors` and `vessels.json`; the figures are those of the weights as they ship.

    Returns:
        The figures, one a line.
    """
    sha256 = WEIGHTS.write(folder, states, ())
    measured = list(rows(eyes, load_networks(folder)))
    fixed = {
        "data": SOURCE,
        "data_sha256": data_sha256(data),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "n": len(measured),
    }
    records = [
        CalibrationRecord(
            name=WEIGHTS.name,
            method="mean over looks of five networks, one per fold; figures of single networks on unseen children",
            figures=figures(measured),
            **fixed,
        )
    ]
    records += [
        CalibrationRecord(
            name=name,
            method=METHOD,
            parameters=model_of(measured, name).model_dump(mode="json"),
            figures=measure_figures(measured, name),
            **fixed,
        )
        for name in UNITS
    ]
    WEIGHTS.write_manifest(folder, sha256, records)
    return lines(measured)
