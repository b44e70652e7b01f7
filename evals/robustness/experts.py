"""The experts under the protocol: their cases with truth, and what each says of pixels.

Every case is read by networks that have not seen its group. Error models, calibrations and the image router are the
shipped ones, fitted on out-of-fold predictions of the same images: the clean figures are those of the fit, the change
under corruption is what is measured.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from secondread.schema.errors import SecondReadError, UsageError

if TYPE_CHECKING:
    from secondread.agent.agent import Agent
    from secondread.tools.runtime.runtime import Runtime

Pixels = NDArray[np.float32]


@dataclass(frozen=True)
class Case:
    """One image with its truth.

    Attributes:
        id: Of the image.
        group: Patient or look-alikes.
        fold: Of the networks that have not seen it.
        pixels: float32 in 0..1, (rows, columns), (rows, columns, 3) or (i, j, k).
        truth: True value of what is measured.
    """

    id: str
    group: str
    fold: int
    pixels: Pixels
    truth: float


@dataclass(frozen=True)
class Said:
    """What an expert said.

    Attributes:
        answered: Whether there is a verdict or a value.
        right: Verdict right, or the value's 90 % interval holds the truth.
        confidence: P(right) as stated: of the verdict, or the level of the interval.
        error: |value - truth| / truth, of values.
        why: Code or reason, when it did not answer.
    """

    answered: bool
    right: bool = False
    confidence: float | None = None
    error: float | None = None
    why: str = ""


class Expert(Protocol):
    """One expert under the protocol."""

    modality: str
    """Key of `corruptions.OF_MODALITY`."""
    asks: str
    """What is asked, and what counts as right."""

    def cases(self, data: Path) -> Iterator[Case]:
        """Every case, in file order."""

    def ask(self, case: Case, pixels: Pixels) -> Said:
        """What it says of these pixels of a case."""

    def close(self) -> None:
        """Unload."""


class Chest:
    """The question on heart size through the agent, the view stated PA, one agent per fold."""

    modality = "x-ray"
    asks = "Is the heart enlarged? Right: the verdict agrees with the drawn masks (ratio above 0.50)"

    def __init__(self) -> None:
        self._agents: dict[int, Agent] = {}

    def cases(self, data: Path) -> Iterator[Case]:
        """Masked train films."""
        from secondread.evals.films import masked_films
        from secondread.imaging.load import load
        from secondread.training.anatomy.data import fold_of

        for film in masked_films(data, "train"):
            grey = np.asarray(load(film.path).grey, np.float32)
            yield Case(film.path.name, film.patient, fold_of(film.patient), grey, film.ctr())

    def ask(self, case: Case, pixels: Pixels) -> Said:
        """The agent's verdict; an abstention is told by its reason."""
        from secondread.agent.agent import Agent
        from secondread.agent.config import Settings

        if case.fold not in self._agents:
            settings = Settings(
                anatomy_members=(case.fold,), guard_member=case.fold, trace_dir=None, cache_dir=None, checkpoints=False
            )
            self._agents[case.fold] = Agent(settings=settings)
        try:
            answer = self._agents[case.fold].ask(pixels, "Is the heart enlarged?", view="PA")
        except SecondReadError as error:
            return Said(False, why=error.code)
        if answer.verdict not in ("yes", "no"):
            return Said(False, why=(answer.abstain_reason or "abstained")[:80])
        return Said(True, (answer.verdict == "yes") == (case.truth > 0.5), answer.confidence)

    def close(self) -> None:
        """Unload."""
        for agent in self._agents.values():
            agent.close()


class Measuring:
    """An expert tool that gives one measurement, behind the image router as in an answer."""

    def __init__(
        self,
        tool: str,
        name: str,
        modality: str,
        asks: str,
        cases: Callable[[Path], Iterator[Case]],
        structure: str | None = None,
    ) -> None:
        self.tool, self.name, self.structure, self.modality, self._cases = tool, name, structure, modality, cases
        self.asks = f"{asks} Right: the 90 % interval holds the drawn value"
        self._runtime: Runtime | None = None

    def cases(self, data: Path) -> Iterator[Case]:
        """The development images."""
        return self._cases(data)

    def ask(self, case: Case, pixels: Pixels) -> Said:
        """The measurement of the network of the case's fold; a refusal of tool or router is no answer."""
        from secondread.schema.evidence import Measurements, ToolFailure
        from secondread.tools.runtime.calls import Call
        from secondread.tools.runtime.runtime import Runtime

        if self._runtime is None:
            self._runtime = Runtime()
        runtime = self._runtime
        shown = np.round(pixels * 255).astype(np.uint8)
        info = runtime.store.add(shown)
        call = Call(tool=self.tool, args={"image": info.ref.id, "members": (case.fold,)})
        made = [e for e in runtime.submit(runtime.run([call])).result().values()]
        result = next((e.result for e in made if e.tool == self.tool), None)
        if not isinstance(result, Measurements):
            failed = result if isinstance(result, ToolFailure) else None
            return Said(False, why=failed.code if failed else "router")
        found = result.get(self.name, self.structure)
        if found is None or found.value is None or found.interval is None:
            return Said(False, why="not measurable")
        return said_of(found.value, found.interval.low, found.interval.high, found.interval.level, case.truth)

    def close(self) -> None:
        """Unload."""
        if self._runtime is not None:
            self._runtime.close()


class Hippocampus:
    """The volume of the hippocampus from the segmenter itself: crops are handed over as arrays, without a router."""

    modality = "mr"
    asks = "Hippocampal volume? Right: the 90 % interval holds the drawn volume; masks not believed are no answer"

    def __init__(self) -> None:
        self._held: tuple[Any, Any] | None = None

    def cases(self, data: Path) -> Iterator[Case]:
        """The development crops, grey values scaled to 0..1."""
        from secondread.training.hippocampus.data import load_cases

        for case in load_cases(data / "mr_hippocampus_msd"):
            values = np.asarray(case.values, np.float32)
            low, high = float(values.min()), float(values.max())
            yield Case(
                case.name, case.name, case.fold, (values - low) / max(high - low, 1e-6), float((case.labels > 0).sum())
            )

    def ask(self, case: Case, pixels: Pixels) -> Said:
        """The volume by the network of the case's fold."""
        from secondread.tools.segment.hippocampus.inference import segment
        from secondread.tools.segment.hippocampus.volumes import PARTS, error_models, spread, volumes
        from secondread.tools.segment.hippocampus.weights import WEIGHTS, load_networks

        if self._held is None:
            self._held = load_networks(), error_models(WEIGHTS.manifest()[1])
        networks, models = self._held
        try:
            result = segment(pixels * 255.0, np.eye(4), networks, [case.fold])
        except SecondReadError as error:
            return Said(False, why=error.code)
        if not result.plausible:
            return Said(False, why="masks not believed")
        name = "hippocampus_volume"
        value = volumes(result)[name]
        found = models[name].interval(value, spread(result.samples, PARTS[name]), "", result.network_uncertainty)
        return said_of(value, found.low, found.high, found.level, case.truth)

    def close(self) -> None:
        """Nothing is held open."""


def said_of(value: float, low: float, high: float, level: float, truth: float) -> Said:
    """A value with its interval against the truth."""
    return Said(True, low <= truth <= high, level, abs(value - truth) / truth if truth else None)


def _unit(picture: NDArray[np.uint8]) -> Pixels:
    """uint8 as float32 in 0..1."""
    return np.asarray(picture.astype(np.float32) / np.float32(255), np.float32)


def _smears(data: Path) -> Iterator[Case]:
    from PIL import Image

    from secondread.tools.detect.cells.layout import KINDS
    from secondread.training.cells.data import load_fields

    folder = data / "cells_bccd"
    for field in load_fields(folder):
        with Image.open(folder / "images" / f"{field.name}.jpg") as picture:
            pixels = _unit(np.asarray(picture.convert("RGB")))
        white = float((field.classes == KINDS.index("white_cell")).sum())
        yield Case(field.name, field.group, field.fold, pixels, white)


def _micrographs(data: Path) -> Iterator[Case]:
    from PIL import Image

    from secondread.training.nuclei.data import load_fields

    folder = data / "nuclei_dsb2018"
    for field in load_fields(folder):
        with Image.open(folder / "images" / f"{field.name}.png") as picture:
            pixels = _unit(np.asarray(picture.convert("RGB")))
        yield Case(field.name, field.name, field.fold, pixels, float(len(np.unique(field.labels[field.labels > 0]))))


def _fundi(data: Path) -> Iterator[Case]:
    from secondread.tools.segment.vessels.inference import segment
    from secondread.tools.segment.vessels.measures import shape_of
    from secondread.tools.segment.vessels.values import values_of
    from secondread.tools.segment.vessels.weights import load_networks
    from secondread.training.vessels.data import load_eyes

    networks = load_networks()
    for eye in load_eyes(data / "retina_chase_db1"):
        field = segment(eye.rgb, networks, [eye.fold]).field  # where the photograph's round field lies
        density = values_of(shape_of(eye.first, field.mask))["retinal_vessel_density"]
        yield Case(eye.name, eye.child, eye.fold, _unit(eye.rgb), float(density))


def _scans(data: Path) -> Iterator[Case]:
    from secondread.training.nerves.data import load_scans

    for scan in load_scans(data / "ultrasound_usgra"):
        drawn = float((scan.labels == 1).sum())
        if drawn:
            yield Case(scan.name, scan.group, scan.fold, _unit(scan.grey), drawn)


EXPERTS: dict[str, Callable[[], Expert]] = {
    "chest": Chest,
    "cells": lambda: Measuring("blood_cells", "white_cell_count", "microscopy", "How many white blood cells?", _smears),
    "nuclei": lambda: Measuring("nucleus_count", "nucleus_count", "microscopy", "How many nuclei?", _micrographs),
    "vessels": lambda: Measuring(
        "retinal_vessels", "retinal_vessel_density", "fundus", "What is the vessel density?", _fundi
    ),
    "nerves": lambda: Measuring(
        "nerves_and_vessels", "structure_area", "ultrasound", "How large is the nerve?", _scans, "peripheral_nerve"
    ),
    "hippocampus": Hippocampus,
}


def expert(name: str) -> Expert:
    """An expert by name.

    Raises:
        UsageError: There is none.
    """
    if name not in EXPERTS:
        raise UsageError(f"There is no expert {name!r}.", hint=f"Experts: {', '.join(EXPERTS)}.")
    return EXPERTS[name]()
