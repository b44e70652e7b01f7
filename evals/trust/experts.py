"""Rows of the other experts: probabilities of single objects, and whether intervals hold the drawn value.

Every image is read by the shipped network that has not seen it or its group; calibrations and interval widths come from
the other folds.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from secondread.evals import cells, nerves, nuclei
from secondread.evals.out_of_fold import conformal_quantile
from secondread.evals.trust.rows import Row, Sheet
from secondread.tools.calibrators import shipped
from secondread.tools.detect.cells.inference import COUNTED
from secondread.tools.segment.nerves.inference import STRUCTURES, calibrated

LEVEL = 0.90


def calibrator(name: str) -> str:
    """Id of a shipped calibration; the first of those that share a name, which is the built-in detector's."""
    return next((key for key in shipped() if key.startswith(f"{name}@")), "")


def cell_sheets(data: Path, code: str) -> list[Sheet]:
    """P(a box is a drawn cell), and the intervals of the counts."""
    from secondread.tools.detect.cells.inference import load_networks
    from secondread.training.cells.data import load_fields

    rows = cells.measure(load_fields(data / "cells_bccd"), load_networks())
    made = []
    for kind in COUNTED:
        judged = cells.judged(rows, kind)
        raw = {r.name: [d.score for d in r.found if d.kind == kind] for r in rows}
        said = [
            Row(
                id=f"{j.row.name}#{n}",
                group=j.row.group,
                truth=bool(hit),
                probability=float(p),
                raw=float(raw[j.row.name][n]),
            )
            for j in judged
            for n, (p, hit) in enumerate(zip(j.probabilities, j.hits, strict=True))
        ]
        made.append(
            Sheet(
                name=f"{kind}_box",
                about=f"Is this box a drawn {kind.replace('_', ' ')}? Uncalibrated: the score of the network",
                calibrator=calibrator("blood_cell_score"),
                rows=tuple(said),
                code=code,
            )
        )
        inside = cells.covered(rows, kind)
        made.append(
            _intervals(
                f"{kind}_count",
                "blood_cell_score",
                [(r.name, r.group, bool(i)) for r, i in zip(rows, inside, strict=True)],
                code,
                f"number of {kind.replace('_', ' ')}s in a field",
            )
        )
    return made


def nuclei_sheets(data: Path, code: str) -> list[Sheet]:
    """The interval of the nucleus count."""
    from secondread.tools.segment.nuclei.inference import load_networks
    from secondread.training.nuclei.data import load_fields

    rows = nuclei.measure(load_fields(data / "nuclei_dsb2018"), load_networks())
    inside = _below(np.array([r.score for r in rows]), [r.fold for r in rows], [r.appearance for r in rows])
    told = [(r.name, r.name, i) for r, i in zip(rows, inside, strict=True)]
    return [_intervals("nucleus_count", "nucleus_count", told, code, "number of nuclei in a micrograph")]


def nerve_sheets(data: Path, code: str) -> list[Sheet]:
    """P(a piece is a drawn structure), and the intervals of the areas."""
    from secondread.tools.segment.nerves.inference import load_networks
    from secondread.training.nerves.data import load_scans

    rows = nerves.measure(load_scans(data / "ultrasound_usgra"), load_networks())
    made = []
    for name in STRUCTURES:
        mine = [r for r in rows if r.structure == name]
        said: list[Row] = []
        for fold in sorted({r.fold for r in mine}):
            model = {"scores": {name: nerves.fit_scores([r for r in mine if r.fold != fold], name)}}
            said += [
                Row(id=f"{r.name}#{n}", group=r.group, truth=hit, probability=calibrated(raw, name, model), raw=raw)
                for r in mine
                if r.fold == fold
                for n, (raw, hit) in enumerate(r.pieces)
            ]
        made.append(
            Sheet(
                name=f"{name}_piece",
                about=f"Is this piece a drawn {name}? Uncalibrated: the mean class probability",
                calibrator=calibrator("nerve_vessel_area"),
                rows=tuple(said),
                code=code,
            )
        )
        some = [r for r in mine if r.found_px]
        inside = _below(np.array([r.log_error for r in some]), [r.fold for r in some])
        told = [(r.name, r.group, i) for r, i in zip(some, inside, strict=True)]
        made.append(
            _intervals(f"{name}_area", "nerve_vessel_area", told, code, f"area of the {name} where one is found")
        )
    return made


def volume_sheets(data: Path, code: str) -> list[Sheet]:
    """The intervals of the hippocampal volumes."""
    from secondread.tools.segment.hippocampus.volumes import PARTS
    from secondread.tools.segment.hippocampus.weights import load_networks
    from secondread.training.folds import FOLDS
    from secondread.training.hippocampus.data import load_cases
    from secondread.training.hippocampus.out_of_fold import rows as out_of_fold
    from secondread.training.hippocampus.report import covered

    rows = list(out_of_fold(load_cases(data / "mr_hippocampus_msd"), load_networks()))
    ordered = [r for fold in range(FOLDS) for r in rows if r.fold == fold]  # the order of `covered`
    return [
        _intervals(
            name,
            name,
            [(r.name, r.name, i) for r, i in zip(ordered, covered(rows, name)[0], strict=True)],
            code,
            f"{name.replace('_', ' ')} in mm3",
        )
        for name in PARTS
    ]


def vessel_sheets(data: Path, code: str) -> list[Sheet]:
    """The intervals of the retinal vessel measures."""
    from secondread.tools.segment.vessels.values import UNITS
    from secondread.tools.segment.vessels.weights import load_networks
    from secondread.training.folds import FOLDS
    from secondread.training.vessels.data import load_eyes
    from secondread.training.vessels.out_of_fold import rows as out_of_fold
    from secondread.training.vessels.report import covered

    rows = list(out_of_fold(load_eyes(data / "retina_chase_db1"), load_networks()))
    ordered = [r for fold in range(FOLDS) for r in rows if r.fold == fold]  # the order of `covered`
    return [
        _intervals(
            name,
            name,
            [(r.name, r.child, i) for r, i in zip(ordered, covered(rows, name), strict=True)],
            code,
            f"{name.replace('_', ' ')} against the first observer",
        )
        for name in UNITS
    ]


def _below(scores: NDArray[np.float64], folds: Sequence[int], kinds: Sequence[str] | None = None) -> list[bool]:
    """Whether each score lies at or below the conformal quantile of the other folds, by kind."""
    fold, kind = np.asarray(folds), np.asarray(kinds if kinds is not None else ["all"] * len(scores))
    inside = np.zeros(len(scores), bool)
    for f in np.unique(fold):
        for k in np.unique(kind):
            mine, others = (fold == f) & (kind == k), (fold != f) & (kind == k)
            inside[mine] = scores[mine] <= conformal_quantile(scores[others], LEVEL)
    return [bool(i) for i in inside]


def _intervals(name: str, record: str, told: Sequence[tuple[str, str, bool]], code: str, about: str) -> Sheet:
    return Sheet(
        name=name,
        about=f"90 % interval of the {about}",
        calibrator=calibrator(record),
        level=LEVEL,
        rows=tuple(Row(id=key, group=group, right=inside) for key, group, inside in told),
        code=code,
    )
