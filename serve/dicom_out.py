"""Writes what an answer rests on as DICOM objects: masks as SEG, measurements as SR, overlays as secondary captures."""

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from secondread.schema.errors import InputError, StoreError, UsageError
from secondread.schema.evidence import Evidence, Measurement, Measurements, Regions
from secondread.schema.region import MaskRef, Point
from secondread.serve.export import pictured

if TYPE_CHECKING:
    from secondread.agent.agent import Agent
    from secondread.imaging.export.original import Original
    from secondread.imaging.export.write import Exported, Maker
    from secondread.imaging.store import ImageStore
    from secondread.schema.answer import Answer

NO_FILE = "An image did not come from a DICOM file; no segmentation or report refers to it."


@dataclass
class Written:
    """What was written, and what could not be and why."""

    files: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """One sentence each; may name a path as typed, never a person."""


def write_dicom(agent: "Agent", answer: "Answer", out: Path) -> Written:
    """Write `seg.dcm`, `sr.dcm` and `sc.dcm` for each image or volume that the answer's evidence is about.

    Masks and measurements refer to the DICOM files they were taken from and repeat their patient and study; that is the
    one place where identity leaves the original files, and it happens because the caller asked for it. An image that is
    not DICOM gets only the picture, without identity. With several images or pictures a number or the id of the
    evidence follows the name. All files are made beside the folder first and moved in when all of them are there; only
    their owner can read them (0600).

    Args:
        agent: The agent that answered; its store still holds pixels and masks.
        answer: What is written.
        out: The folder; created when missing.

    Raises:
        UsageError: The folder cannot be written.
    """
    store = agent.runtime.store
    groups = _groups(store, answer)
    result = Written()
    try:
        out.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".secondread-", dir=out.parent))
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror}.") from None
    try:
        for number, evidence in enumerate(groups.values(), 1):
            _one(store, evidence, answer, staging, f"-{number}" if len(groups) > 1 else "", result)
        result.files = [out / file.name for file in result.files]
        for file in result.files:
            os.replace(staging / file.name, file)
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror}.") from None
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return result


def _one(
    store: "ImageStore", evidence: list[Evidence], answer: "Answer", folder: Path, tail: str, result: Written
) -> None:
    """The objects of one image or volume."""
    from secondread.imaging.export.capture import write_secondary_capture
    from secondread.imaging.export.report import write_measurement_report
    from secondread.imaging.export.segmentation import write_segmentation
    from secondread.imaging.export.write import new_uid

    found = _found(store, evidence)
    source = found[0][2] if found else None
    if source is None:
        result.notes += [NO_FILE] if NO_FILE not in result.notes else []
    else:
        affine = source.volume.header.affine if source.volume is not None else None
        segments, measured = _segments(store, found), _measured(store, found, answer)
        if segments:
            target = folder / f"seg{tail}.dcm"
            _try(result, partial(write_segmentation, source.files, segments, target, affine=affine))
        if measured:
            _try(result, partial(write_measurement_report, source.files, measured, folder / f"sr{tail}.dcm"))
    series = new_uid()
    shown = [entry for entry in found if entry[0] in pictured(answer)]
    for number, (item, _, original) in enumerate(shown, 1):
        try:
            picture = item.overlay()
        except StoreError:
            continue
        target = folder / (f"sc{tail}.dcm" if len(shown) == 1 else f"sc{tail}-{item.id}.dcm")
        file = original.files[original.place[0] or 0] if original is not None else None
        _try(result, partial(write_secondary_capture, picture, target, source=file, number=number, series_uid=series))


_Found = tuple[Evidence, str, "Original | None"]
"""Evidence, the image (not crop) it is about, and the files behind that."""


def _found(store: "ImageStore", evidence: list[Evidence]) -> list[_Found]:
    from secondread.imaging.export.original import original_of

    roots = [(item, _root(store, item.image)) for item in evidence if item.image is not None]
    return [(item, root, original_of(store, root)) for item, root in roots]


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


def _groups(store: "ImageStore", answer: "Answer") -> dict[str, list[Evidence]]:
    """Evidence by the volume or image that it is about, in the order of the answer."""
    groups: dict[str, list[Evidence]] = {}
    for item in answer.evidence:
        if item.image is None or not (isinstance(item.result, Regions | Measurements) or item in pictured(answer)):
            continue
        root = _root(store, item.image)
        groups.setdefault(store.info(root).ref.volume or root, []).append(item)
    return groups


def _root(store: "ImageStore", image: str) -> str:
    """The image that a crop was cut from, at any distance."""
    ref = store.info(image).ref
    while ref.parent is not None:
        ref = store.info(ref.parent).ref
    return ref.id


def _segments(store: "ImageStore", found: list[_Found]) -> list[Any]:
    """Masks that their tools hold plausible: of an image the last of each structure, of a volume of all slices."""
    from secondread.imaging.export.segmentation import Segment

    segments: dict[str, Segment] = {}
    for item, root, original in found:
        if not isinstance(item.result, Regions) or not item.result.plausible or original is None:
            continue
        for name, ref in item.result.masks.items():
            mask = original.mask(_raised_mask(store, root, item, ref))
            if not mask.any():
                continue
            earlier = segments.get(name)
            if earlier is not None and original.volume is not None:
                mask = mask | earlier.mask
            segments[name] = Segment(name, mask, _maker(item), _radlex(name), frame=original.places[0][1])
    return list(segments.values())


def _raised_mask(store: "ImageStore", root: str, item: Evidence, ref: MaskRef) -> Any:
    """A mask on the grid of the image it was taken on, not of a crop."""
    from secondread.imaging.coordinates import mask_up

    mask = store.mask(ref)
    if item.image is None or item.image == root:
        return mask
    info = store.info(root).ref
    return mask_up(mask, store.to_ancestor(item.image, info.grid), info.rows, info.columns)


def _measured(store: "ImageStore", found: list[_Found], answer: "Answer") -> list[Any]:
    """Measurements that claims cite, or all when none does; landmarks on the grids of the files."""
    from secondread.imaging.export.report import Measured

    cited = {e for claim in answer.claims for e in claim.evidence}
    able = [entry for entry in found if isinstance(entry[0].result, Measurements)]
    able = [entry for entry in able if entry[0].id in cited] or able
    result: list[Measured] = []
    for item, root, original in able:
        if not isinstance(item.result, Measurements) or original is None:
            continue
        source, frame = original.place
        for measurement in item.result.items:
            placed = [original.point(point) for point in _raised(store, root, item, measurement)]
            site = _site(measurement.name)
            result.append(
                Measured(
                    measurement.model_copy(update={"landmarks": tuple(point for point, _ in placed)}),
                    _maker(item),
                    site=site,
                    site_radlex=_radlex(site) if site else None,
                    tracking=item.id,
                    source=source,
                    frame=frame,
                    places=tuple(place for _, place in placed),
                )
            )
    return result


def _raised(store: "ImageStore", root: str, item: Evidence, measurement: Measurement) -> list[Point]:
    """Landmarks on the grid of the image they were taken on, not of a crop."""
    from secondread.imaging.coordinates import up

    if item.image is None or item.image == root:
        return list(measurement.landmarks)
    grid = store.info(root).ref.grid
    transform = store.to_ancestor(item.image, grid)
    raised = [up(point, transform, grid) for point in measurement.landmarks]
    return [point for point in raised if isinstance(point, Point)]


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
