"""A blood-smear field to its white cells and platelets, with calibrated probabilities and counts.

Valid for: colour photographs of Giemsa- or Wright-type stained blood smears at high magnification (about 100x
objective: a red cell spans a tenth to a quarter of the long side), single fields of view. Red cells are found too,
but the boxes they were learned from are incomplete: their number says nothing and is not given as a count. On anything
else `plausible` is meant to be False, with reasons.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from secondread.schema.errors import ToolUnavailable
from secondread.tools.detect.cells.plausible import judge
from secondread.tools.detect.cells.smear import as_rgb, to_input
from secondread.tools.weights_file import FOLDER, WeightsFile

if TYPE_CHECKING:
    from pathlib import Path

    from secondread.tools.detect.cells.boxes import Detection
    from secondread.tools.segment.unet_network import UNet

WEIGHTS = WeightsFile("blood_cells", "secondread.training.cells")
SCORE_RECORD = "blood_cell_score"
COUNTED = ("white_cell", "platelet")
"""Kinds that are counted; red cells are not."""


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        kind: `white_cell`, `platelet` or `red_cell`.
        score: Sigmoid of the detector.
        probability: That an annotator drew such a cell there (IoU >= 0.5), calibrated out of fold; None for red cells.
        box: Left, top, right, bottom: outer edges in pixel-centre coordinates of the original image.
    """

    kind: str
    score: float
    probability: float | None
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class Count:
    """How many cells of one kind.

    Attributes:
        kind: `white_cell` or `platelet`.
        value: Cells of probability 0.5 or more.
        low: Lower end of the interval.
        high: Upper end.
        level: Probability with which the interval is meant to hold an annotator's count.
    """

    kind: str
    value: int
    low: int
    high: int
    level: float


@dataclass(frozen=True)
class CellsResult:
    """What was found on one field.

    Attributes:
        cells: White cells and platelets of probability 0.5 or more, then red cells of score 0.3 or more; by falling
            score within each.
        doubtful: White cells and platelets of lower probability (0.1 or more).
        counts: Of white cells and platelets.
        plausible: Whether the field looks like a stained blood smear.
        reasons: Why not, or what a reader should know.
    """

    cells: tuple[Cell, ...]
    doubtful: tuple[Cell, ...]
    counts: tuple[Count, ...]
    plausible: bool
    reasons: tuple[str, ...]

    def count(self, kind: str) -> Count:
        """The count of `white_cell` or `platelet`."""
        return next(c for c in self.counts if c.kind == kind)


def load_networks(folder: "Path" = FOLDER) -> "list[UNet]":
    """The member networks; number k has not seen the fields of fold k.

    Raises:
        ToolUnavailable: The weights are missing, damaged or untrained.
    """
    from secondread.tools.detect.cells.network import build

    return WEIGHTS.networks(build, folder)


def detect(
    pixels: NDArray[np.generic],
    networks: "Sequence[UNet]",
    members: Sequence[int] | None = None,
    score_model: Mapping[str, Any] | None = None,
) -> CellsResult:
    """Find the cells of one field.

    Args:
        pixels: Colour (rows, columns, 3 or 4), any range. Grey is read, less well, and said to be so.
        networks: From `load_networks`.
        members: Which of them to use; None: all. A development field must be given to the one that has not seen it.
        score_model: Parameters of the record `blood_cell_score`; None: the shipped ones.

    Raises:
        NotApplicable: The array cannot be such a field.
        ToolUnavailable: There is no such network, or no record of the scores.
    """
    rgb = as_rgb(pixels)
    rows, columns = rgb.shape[:2]
    shown, scale = to_input(rgb)
    found = raw_boxes(shown, scale, rows, columns, networks, members)
    model = score_model if score_model is not None else WEIGHTS.record(SCORE_RECORD).parameters
    return assemble(found, shown, rows, columns, model)


def assemble(
    found: "Sequence[Detection]", shown: NDArray[np.float32], rows: int, columns: int, model: Mapping[str, Any]
) -> CellsResult:
    """Boxes of any detector to a result: probabilities, counts, plausibility.

    Args:
        found: Boxes in corner coordinates of the original image.
        shown: The field as `to_input` gives it.
        rows: Of the original image.
        columns: Of the original image.
        model: Parameters of the detector's score record.
    """
    cells, doubtful, counts = [], [], []
    for kind in COUNTED:
        mine = [
            Cell(kind, d.score, probability(d.score, kind, model), _centred(d.box)) for d in found if d.kind == kind
        ]
        sure = [c for c in mine if c.probability is not None and c.probability >= 0.5]
        cells += sure
        doubtful += [c for c in mine if c.probability is not None and 0.1 <= c.probability < 0.5]
        below, above = model["count_error"][kind]
        counts.append(
            Count(kind, len(sure), max(0, len(sure) - int(below)), len(sure) + int(above), float(model["level"]))
        )
    cells += [
        Cell("red_cell", d.score, None, _centred(d.box)) for d in found if d.kind == "red_cell" and d.score >= 0.3
    ]
    plausible, reasons = judge(shown, found, rows, columns)
    if float(np.mean(shown.max(2) - shown.min(2))) < 1e-3:
        reasons = (*reasons, "The field is grey; the detector was made for colour.")
    return CellsResult(tuple(cells), tuple(doubtful), tuple(counts), plausible, reasons)


def raw_boxes(
    shown: NDArray[np.float32],
    scale: float,
    rows: int,
    columns: int,
    networks: "Sequence[UNet]",
    members: Sequence[int] | None = None,
) -> "list[Detection]":
    """Boxes with raw scores, from the mean of the networks' maps over the four mirror images of the field.

    Args:
        shown: The field as `to_input` gives it, shape (h, w, 3).
        scale: Its pixels per pixel of the original.
        rows: Of the original.
        columns: Of the original.
        networks: From `load_networks`.
        members: Which of them; None: all.

    Raises:
        ToolUnavailable: A member was asked for that is not there, or there is none.
    """
    from secondread.tools.detect.cells.boxes import read_boxes

    wanted = range(len(networks)) if members is None else members
    if not wanted or any(not 0 <= m < len(networks) for m in wanted):
        raise ToolUnavailable("A cell network was asked for that is not loaded.", hint=f"There are {len(networks)}.")
    total = sum(_maps(networks[m], shown) for m in wanted)
    mean = np.asarray(total / len(wanted), np.float32)
    return read_boxes(mean, scale, rows, columns)


def _maps(network: "UNet", shown: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean output over four mirror images, shape (7, ceil(h / 4), ceil(w / 4)); the field is padded with black."""
    import torch
    from torch.nn import functional

    from secondread.tools.detect.cells.layout import STEM
    from secondread.tools.segment.tiles import bf16

    image = torch.from_numpy(np.ascontiguousarray(shown.transpose(2, 0, 1)))[None]
    h, w = image.shape[2:]
    padded = functional.pad(image, (0, -w % network.step, 0, -h % network.step))
    total = torch.zeros(())
    for mirror_x in (False, True):
        for mirror_y in (False, True):
            axes = [3] * mirror_x + [2] * mirror_y
            with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bf16()):
                output = network(padded.flip(axes).contiguous(memory_format=torch.channels_last)).float().flip(axes)
            left, top, right, bottom = (3, 4, 5, 6)
            order = [right if mirror_x else left, bottom if mirror_y else top]
            order += [left if mirror_x else right, top if mirror_y else bottom]
            total = total + output[0, [0, 1, 2, *order]]
    result: NDArray[np.float32] = (total / 4).numpy()[:, : -(-h // STEM), : -(-w // STEM)]
    return result


def probability(score: float, kind: str, model: Mapping[str, Any]) -> float:
    """Calibrated probability of a score: sigmoid(slope * logit(score) + intercept) of its kind."""
    p = min(max(score, 1e-6), 1 - 1e-6)
    slope, intercept = model["scores"][kind]
    return float(1 / (1 + np.exp(-(slope * np.log(p / (1 - p)) + intercept))))


def _centred(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """From corner coordinates (0 is the edge of the image) to pixel-centre coordinates (-0.5 is the edge)."""
    return (box[0] - 0.5, box[1] - 0.5, box[2] - 0.5, box[3] - 0.5)
