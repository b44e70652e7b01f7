"""White blood cells and platelets on a stained blood smear: where they are and how many."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from secondread.schema.errors import NotApplicable, SecondReadError, UsageError
from secondread.schema.evidence import Counted, Interval, Measurement, Measurements
from secondread.tools.base import Card, Context, Tool, ToolRequest
from secondread.tools.detect.cells.inference import WEIGHTS
from secondread.tools.expert import admit, records_of, weights_of
from secondread.tools.measure.toolbox.agreement import agreement

if TYPE_CHECKING:
    import torch

    from secondread.tools.detect.cells.inference import CellsResult
    from secondread.tools.segment.unet_network import UNet

KINDS = {"white_cell": ("white_blood_cell", "white_cell_count"), "platelet": ("platelet", "platelet_count")}


KINDS_READ = ("blood_smear_image",)
"""Kinds of image, by the image router, that it reads."""


class BloodCellsRequest(ToolRequest):
    """One field of a blood smear."""

    image_router: str
    """Id of the evidence that says what kind of image this is."""
    members: tuple[int, ...] | None = None
    """Networks to use; None: all. Evaluation gives a development field to the one that has not seen it."""
    detector: Literal["built_in", "yolo"] = "built_in"
    """`yolo`: the ultralytics detector (extra `yolo`, weights under AGPL-3.0), which takes one member at most."""


@dataclass
class Detectors:
    """The built-in networks, and those of ultralytics once they were asked for."""

    built_in: "list[UNet]"
    folder: Path
    lock: threading.Lock = field(default_factory=threading.Lock)
    _yolo: "list[torch.nn.Module] | None" = None

    def yolo(self) -> "list[torch.nn.Module]":
        """The ultralytics networks.

        Raises:
            ToolUnavailable: The extra is not installed, or the weights are missing or damaged.
        """
        from secondread.tools.detect.cells.yolo import load_networks

        with self.lock:
            if self._yolo is None:
                self._yolo = load_networks(self.folder)
            return self._yolo


class BloodCells(Tool):
    """Finds and counts white blood cells and platelets on a photograph of a stained blood smear."""

    card = Card(
        name="blood_cells",
        version="1.1",
        summary="Find and count white blood cells and platelets on a photograph of a stained blood smear.",
        kind="measurement",
        establishes=("white_cell_count", "platelet_count", "white_blood_cell", "platelet"),
        modality=("XC", "SM", "GM", "OT"),
        anatomy="blood",
        outside="not_applicable",
        needs=("image_router",),
        cost_seconds=1.0,
        limits=(
            "Fields of one source, stained and at one magnification.",
            "Red cells are not counted: the boxes that the detector learned from leave out overlapping ones.",
            "Counts are of the cells seen in this field, not of cells per volume of blood.",
        ),
        weights=weights_of(WEIGHTS, "BCCD (MIT)"),
        calibration=records_of(WEIGHTS),
    )
    Request = BloodCellsRequest
    Result = Measurements

    def load(self) -> Detectors:
        """The networks.

        Raises:
            ToolUnavailable: Weights are missing, damaged or untrained.
        """
        from secondread.tools.detect.cells.inference import load_networks

        return Detectors(load_networks(self.weights_folder), self.weights_folder)

    def run_batch(self, requests: Sequence[BloodCellsRequest], ctx: Context) -> list[Measurements | SecondReadError]:
        """One `Measurements`, or the error, per request; each field is seen by itself."""
        networks = ctx.model(self.card.name)
        return [self._one(request, ctx, networks) for request in requests]

    def _one(self, request: BloodCellsRequest, ctx: Context, networks: Detectors) -> Any:
        from secondread.tools.detect.cells.inference import detect

        try:
            if request.image is None:
                raise UsageError("blood_cells needs an image.")
            admit(ctx, request.image_router, KINDS_READ)
            pixels = ctx.colour(request.image)
            if request.detector == "yolo":
                from secondread.tools.detect.cells.yolo import detect as detect_yolo

                found = detect_yolo(pixels, networks.yolo(), request.members)
            else:
                found = detect(pixels, networks.built_in, request.members)
            if not found.plausible:
                raise NotApplicable(f"This does not look like a stained blood smear: {'; '.join(found.reasons)}.")
            return self._result(found, ctx.info(request.image).ref.grid)
        except SecondReadError as error:
            return error

    def _result(self, found: "CellsResult", grid: str) -> Measurements:
        items, counted = [], []
        for kind, (concept, name) in KINDS.items():
            count = found.count(kind)
            cells = [c for c in found.cells if c.kind == kind]
            boxes = tuple(c.box for c in cells)
            points = tuple(((b[0] + b[2]) / 2, (b[1] + b[3]) / 2) for b in boxes)
            every = [c.probability or 0.0 for c in (*found.cells, *found.doubtful) if c.kind == kind]
            agree, note = agreement(count.value, points, boxes, every)
            items.append(
                Measurement(
                    name=name,
                    value=float(count.value),
                    unit="count",
                    interval=Interval(
                        low=float(count.low),
                        high=float(count.high),
                        level=count.level,
                        method="quantiles of the count error, fitted out-of-fold",
                    ),
                    caveats=(*found.reasons, *((f"count, points and boxes disagree: {note}",) if note else ())),
                )
            )
            counted.append(
                Counted(
                    concept=concept,
                    measurement=name,
                    grid=grid,
                    points=points,
                    boxes=boxes,
                    scores=tuple(c.probability or 0.0 for c in cells),
                    agree=agree,
                    note=note,
                )
            )
        return Measurements(items=tuple(items), counted=tuple(counted))

    def summarise(self, result: Any) -> str:
        """One line: the counts."""
        parts = [
            f"{m.value:.0f} {words} ({m.interval.low:.0f} to {m.interval.high:.0f})"
            for name, words in (("white_cell_count", "white blood cells"), ("platelet_count", "platelets"))
            if (m := result.get(name)) is not None and m.value is not None and m.interval is not None
        ]
        return ", ".join(parts)
