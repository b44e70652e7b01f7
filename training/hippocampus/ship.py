"""Writes the shipped weights, their manifest with error models and out-of-fold figures."""

import datetime
from pathlib import Path

import torch

from secondread.schema.evidence import CalibrationRecord
from secondread.tools.segment.hippocampus.volumes import METHOD, PARTS
from secondread.tools.segment.hippocampus.weights import WEIGHTS, load_networks
from secondread.training.hippocampus.data import Case, data_sha256
from secondread.training.hippocampus.out_of_fold import rows
from secondread.training.hippocampus.report import figures, lines, model_of, volume_figures

SOURCE = "Medical Segmentation Decathlon Task04, development rows of mr_hippocampus_msd, CC BY-SA 4.0"


def ship(data: Path, cases: list[Case], states: list[dict[str, torch.Tensor]], folder: Path) -> list[str]:
    """Write `hippocampus.safetensors` and `hippocampus.json`; the figures are those of the weights as they ship.

    Returns:
        The figures, one a line.
    """
    sha256 = WEIGHTS.write(folder, states, ())
    measured = list(rows(cases, load_networks(folder)))
    fixed = {
        "data": SOURCE,
        "data_sha256": data_sha256(data),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "n": len(measured),
    }
    records = [
        CalibrationRecord(
            name=WEIGHTS.name,
            method="mean over looks of five networks, one per fold; figures of single networks on unseen crops",
            figures=figures(measured),
            **fixed,
        )
    ]
    records += [
        CalibrationRecord(
            name=name,
            method=METHOD,
            parameters=model_of(measured, name).model_dump(mode="json"),
            figures=volume_figures(measured, name),
            **fixed,
        )
        for name in PARTS
    ]
    WEIGHTS.write_manifest(folder, sha256, records)
    return lines(measured)
