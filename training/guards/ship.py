"""Writes the shipped weights and the record of each guard: thresholds, figures, verified or not, and why."""

import datetime
from pathlib import Path
from typing import Any

import torch

from secondread.schema.evidence import CalibrationRecord
from secondread.tools.classify.guard_weights import FOLDER, write
from secondread.training.guards.arms import SHIPPED
from secondread.training.guards.data import Images
from secondread.training.guards.tables import Figures, Scored, child, flags, frontal, view

METHOD = (
    "mean log-odds of five small convolutional networks, one per fold (folds by SHA-256 of the patient); "
    "Platt scaling fitted on out-of-fold log-odds, classes weighing the same"
)

NEEDED: dict[str, dict[str, tuple[str, float]]] = {
    "frontal_chest_radiograph": {
        "unseen_cohen_chest_not_rejected/value": (">=", 0.95),
        "left_out_nih_cxr14_not_rejected/value": (">=", 0.95),
        "left_out_kermany224_not_rejected/value": (">=", 0.95),
        "left_out_wingspan_not_rejected/value": (">=", 0.95),
        "unseen_msd_ct_mr_not_accepted/value": (">=", 0.95),
        "left_out_ultrasound_usgra_not_accepted/value": (">=", 0.95),
        "left_out_volumes_not_accepted/value": (">=", 0.95),
        "left_out_retina_chase_db1_not_accepted/value": (">=", 0.95),
        "left_out_cells_bccd_not_accepted/value": (">=", 0.95),
        "left_out_nuclei_dsb2018_not_accepted/value": (">=", 0.95),
    },
    "pa_view": {
        "unseen_cohen_area/low": (">=", 0.75),
        "unseen_cohen_ap_called_pa/value": ("<=", 0.10),
    },
    "child": {
        "child_nih_only/kermany_1_to_5_not_called_adult/value": (">=", 0.99),
        "child_without_nih_minors/nih_to_12_not_called_adult/value": (">=", 0.99),
        "child_without_nih_minors/nih_13_to_17_not_called_adult/value": (">=", 0.99),
        "child_nih_only/wingspan_adults_called_adult/value": (">=", 0.90),
    },
}
"""What a guard must reach on sources it has not seen to be called verified; a figure that is missing fails."""

DATA = {
    "frontal_chest_radiograph": "train rows of NIH ChestX-ray14, Kermany, Wingspan; ultrasound, retina, nuclei, blood "
    "cells, CT and MR volumes, drawn images",
    "pa_view": "train rows of NIH ChestX-ray14 with a stated view",
    "child": "train rows of NIH ChestX-ray14 (ages), Kermany (one to five years), Wingspan (adults)",
}


def _percent(figures: Figures, path: str) -> str:
    """A share of the figures in words."""
    found: Any = figures
    for part in path.split("/"):
        found = found.get(part, {})
    if "value" not in found:
        return "unknown"
    low, value, high = (round(100 * found[k]) for k in ("low", "value", "high"))
    return f"{value} % (95 % interval {low}-{high}, n {found['n']})"


def _note(concept: str, figures: Figures, failed: list[str]) -> str:
    """What a reader of the finding must know, from the figures."""
    state = "not verified on unseen sources; " if failed else ""
    if concept == "frontal_chest_radiograph":
        kept = _percent(figures, "unseen_cohen_chest_not_rejected")
        return (
            f"{state}of the films of a source never trained on {kept} were kept; "
            "whether lateral chest films are recognised is untested; mirrored films are not told from others"
        )
    if concept == "pa_view":
        wrong = _percent(figures, "unseen_cohen_ap_called_pa")
        return f"{state}learned on one hospital; of the AP films of another source {wrong} were called PA"
    toddlers = _percent(figures, "child_nih_only/kermany_1_to_5_not_called_adult")
    young = _percent(figures, "child_without_nih_minors/nih_to_12_not_called_adult")
    teens = _percent(figures, "child_without_nih_minors/nih_13_to_17_not_called_adult")
    return (
        f"{state}children of a source never trained on and not taken for adults: one to five years {toddlers}, "
        f"to twelve {young}, thirteen to seventeen {teens}"
    )


def _record(
    concept: str, images: Images, scored: Scored, figures: Figures, thresholds: dict[str, Any]
) -> CalibrationRecord:
    verified, failed = flags(figures, NEEDED[concept])
    return CalibrationRecord(
        name=concept,
        method=METHOD,
        data=DATA[concept],
        data_sha256=images.sha256(),
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        n=scored.fitted,
        parameters={
            "slope": scored.slope,
            "intercept": scored.intercept,
            "fit_prevalence": 0.5,
            **thresholds,
            "verified": verified,
            "verified_needs": {path: f"{side} {bound}" for path, (side, bound) in NEEDED[concept].items()},
            "verified_fails": failed,
            "note": _note(concept, figures, failed),
        },
        figures=figures,
    )


def ship(images: Images, out: Path, folder: Path = FOLDER) -> list[CalibrationRecord]:
    """Write the weights file and its manifest into `folder`; returns the records."""
    records, states = [], {}
    for make, arm in zip((frontal, view, child), SHIPPED, strict=True):
        concept = {"frontal_all": "frontal_chest_radiograph", "view_nih": "pa_view", "child_all": "child"}[arm]
        scored, figures, thresholds = make(images, out)
        records.append(_record(concept, images, scored, figures, thresholds))
        states[concept] = [torch.load(out / f"{arm}_{fold}.pt", weights_only=True)["state"] for fold in range(5)]
    write(folder, states, records)
    return records
