"""Writes what an answer rests on as DICOM objects: masks as SEG, measurements as SR, overlays as secondary captures."""

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from secondread.schema.errors import InputError, StoreError, UsageError
from secondread.schema.evidence import Evidence, Measurement, Measurements, Regions
from secondread.serve.export import pictured

if TYPE_CHECKING:
    from secondread.agent.agent import Agent
    from secondread.imaging.export.write import Exported, Maker
    from secondread.imaging.store import ImageStore
    from secondread.schema.answer import Answer


@dataclass
class Written:
    """What was written, and what could not be and why."""

    files: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """One sentence each; may name a path as typed, never a person."""


def write_dicom(agent: "Agent", answer: "Answer", out: Path, images: Sequence[str]) -> Written:
    """Write `seg.dcm`, `sr.dcm` and `sc.dcm` for each image that the answer's evidence is about.

    Masks and measurements refer to the DICOM file they were taken from and repeat its patient and study; that is the
    one place where identity leaves the machine's own files, and it happens because the caller asked for it. An image
    that is not DICOM gets only the picture, without identity. With several images a number follows the name. All files
    are made beside the folder first and moved in when all of them are there; only their owner can read them (0600).

    Args:
        agent: The agent that answered; its store still holds pixels and masks.
        answer: What is written.
        out: The folder; created when missing.
        images: Paths as typed.

    Raises:
        UsageError: The folder cannot be written.
    """
    store = agent.runtime.store
    sources = _sources(store, images)
    groups = _by_root(store, answer)
    result = Written()
    try:
        out.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".secondread-", dir=out.parent))
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror}.") from None
    try:
        for number, (root, evidence) in enumerate(groups.items(), 1):
            tail = f"-{number}" if len(groups) > 1 else ""
            _one(store, root, evidence, answer, sources.get(root), staging, tail, result)
        result.files = [out / file.name for file in result.files]
        for file in result.files:
            os.replace(staging / file.name, file)
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror}.") from None
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return result


def _one(
    store: "ImageStore",
    root: str,
    evidence: list[Evidence],
    answer: "Answer",
    source: str | None,
    folder: Path,
    tail: str,
    result: Written,
) -> None:
    """The objects of one image."""
    from secondread.imaging.export.capture import write_secondary_capture
    from secondread.imaging.export.report import write_measurement_report
    from secondread.imaging.export.segmentation import write_segmentation
    from secondread.imaging.export.write import new_uid

    if source is None:
        result.notes.append("An image was not handed over as one file; no segmentation or report refers to it.")
    else:
        segments = _segments(store, root, evidence)
        measured = _measured(store, root, evidence, answer)
        if segments:
            _try(result, partial(write_segmentation, [source], segments, folder / f"seg{tail}.dcm"))
        if measured:
            _try(result, partial(write_measurement_report, [source], measured, folder / f"sr{tail}.dcm"))
    series = new_uid()
    shown = [item for item in pictured(answer) if item in evidence]
    for number, item in enumerate(shown, 1):
        try:
            picture = item.overlay()
        except StoreError:
            continue
        target = folder / (f"sc{tail}.dcm" if len(shown) == 1 else f"sc{tail}-{item.id}.dcm")
        _try(
            result,
            partial(write_secondary_capture, picture, target, source=source, number=number, series_uid=series),
        )


def _try(result: Written, write: "Callable[[], Exported]") -> None:
    """Run a writer; what the image does not allow becomes a note."""
    try:
        written = write()
    except InputError as error:
        notes = [error.message]
    else:
        result.files.append(written.path)
        notes = list(written.caveats)
    result.notes += [note for note in notes if note not in result.notes]


def _sources(store: "ImageStore", images: Sequence[str]) -> dict[str, str]:
    """Image id -> path as typed."""
    return {store.add(path).ref.id: path for path in images if Path(path).is_file()}


def _by_root(store: "ImageStore", answer: "Answer") -> dict[str, list[Evidence]]:
    """Evidence by the image, not crop, that it is about, in the order of the answer."""
    groups: dict[str, list[Evidence]] = {}
    for item in answer.evidence:
        if item.image is None or not (isinstance(item.result, Regions | Measurements) or item in pictured(answer)):
            continue
        groups.setdefault(_root(store, item.image), []).append(item)
    return groups


def _root(store: "ImageStore", image: str) -> str:
    ref = store.info(image).ref
    while ref.parent is not None:
        ref = store.info(ref.parent).ref
    return ref.id


def _segments(store: "ImageStore", root: str, evidence: list[Evidence]) -> list[Any]:
    """The last mask of each structure that its tool holds plausible, on the grid of the image."""
    from secondread.imaging.coordinates import mask_up
    from secondread.imaging.export.segmentation import Segment

    info = store.info(root).ref
    found: dict[str, Any] = {}
    for item in evidence:
        if not isinstance(item.result, Regions) or not item.result.plausible or item.image is None:
            continue
        transform = store.to_ancestor(item.image, info.grid)
        for name, ref in item.result.masks.items():
            mask = store.mask(ref)
            if mask.shape != (info.rows, info.columns) or item.image != root:
                mask = mask_up(mask, transform, info.rows, info.columns)
            if mask.any():
                found[name] = Segment(name, mask, _maker(item), _radlex(name), frame=info.frame)
    return list(found.values())


def _measured(store: "ImageStore", root: str, evidence: list[Evidence], answer: "Answer") -> list[Any]:
    """Measurements that claims cite, or all when none does; landmarks on the grid of the image."""
    from secondread.imaging.export.report import Measured

    cited = {e for claim in answer.claims for e in claim.evidence}
    able = [item for item in evidence if isinstance(item.result, Measurements)]
    able = [item for item in able if item.id in cited] or able
    frame = store.info(root).ref.frame
    return [
        Measured(
            _raised(store, root, item, measurement),
            _maker(item),
            site=site,
            site_radlex=_radlex(site) if site else None,
            tracking=item.id,
            frame=frame,
        )
        for item in able
        if isinstance(item.result, Measurements)
        for measurement in item.result.items
        for site in [_site(measurement.name)]
    ]


def _raised(store: "ImageStore", root: str, item: Evidence, measurement: Measurement) -> Measurement:
    from secondread.imaging.coordinates import up
    from secondread.schema.region import Point

    if item.image is None or item.image == root:
        return measurement
    grid = store.info(root).ref.grid
    transform = store.to_ancestor(item.image, grid)
    raised = [up(point, transform, grid) for point in measurement.landmarks]
    return measurement.model_copy(update={"landmarks": tuple(p for p in raised if isinstance(p, Point))})


def _maker(item: Evidence) -> "Maker":
    from secondread.imaging.export.write import Maker

    return Maker(item.tool, item.tool_version, item.weights)


def _radlex(name: str) -> str | None:
    from secondread.kg.graph import core_graph

    graph = core_graph()
    return graph.concept(name).radlex if graph.has(name) else None


def _site(measurement: str) -> str | None:
    """The structure that the knowledge graph says a measurement is taken on."""
    from secondread.kg.graph import core_graph

    graph = core_graph()
    if not graph.has(measurement):
        return None
    return next((edge.object for edge in graph.neighbors(measurement, "measured_on")), None)
