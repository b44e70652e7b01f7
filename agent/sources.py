"""What was handed over: files, folders, archives, volumes and arrays to the images that a question is asked of."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from secondread.imaging.store import ImageStore
from secondread.schema.errors import InputError, SecondReadError, UnreadableImage, UsageError
from secondread.schema.image import ImageInfo
from secondread.schema.region import Box
from secondread.schema.study import Plane

if TYPE_CHECKING:
    from secondread.imaging.study.model import Instance, Series, Study
    from secondread.imaging.volume.volume import Volume

MAX_IMAGES = 8
"""Images that one question may be asked of when they are handed over one by one."""
SHOWN = ("image", "volume", "cine", "secondary", "localizer")
"""Kinds of series that show a patient."""


@dataclass(frozen=True)
class Stated:
    """What the caller says of the images, and which part of them the question is about."""

    view: str | None = None
    age: float | None = None
    region: Sequence[float] | None = None
    series: int | None = None
    """Number of the series in the study, from 1."""
    slice: int | None = None
    """Number of a slice of a volume or of a frame of a clip, from 1."""
    plane: Plane = "axial"

    @property
    def picks(self) -> bool:
        """Whether a series or slice is named."""
        return self.series is not None or self.slice is not None


@dataclass(frozen=True)
class Handed:
    """Images to ask about, the main one first, and what else should be said of what was handed over."""

    infos: tuple[ImageInfo, ...] = ()
    notes: tuple[str, ...] = ()


def hand_over(store: ImageStore, source: Any, prior: Any, stated: Stated, *, films: bool) -> Handed:
    """Enter what was handed over into the store and choose what the question is asked of.

    Args:
        store: Takes the images.
        source: One image, volume, study or path to one of these; a list of them; or None.
        prior: An earlier image of the same patient.
        stated: What the caller says.
        films: The question needs a frontal film: in a study it comes before volumes.

    Raises:
        InputError: Nothing in it can be read, or the series or slice named is not there.
        UsageError: Too many images, several patients, or an argument that makes no sense here.
    """
    if source is None:
        if prior is not None or stated.region is not None or stated.picks:
            raise UsageError("A prior, region, series or slice needs an image.")
        return Handed()
    handed = _entered(store, source, stated, films=films)
    infos = list(handed.infos)
    if stated.region is not None:
        infos[0] = _part(store, infos[0], stated.region)
    if prior is not None:
        infos += _entered(store, prior, Stated(), films=films).infos[:1]
    return Handed(tuple(infos), handed.notes)


def _entered(store: ImageStore, source: Any, stated: Stated, *, films: bool) -> Handed:
    from secondread.imaging.study.model import Study
    from secondread.imaging.volume.volume import Volume

    given = list(source) if isinstance(source, list | tuple) else [source]
    if not given:
        raise UsageError("The list of images is empty.")
    if all(isinstance(one, Study) for one in given):
        return _of_studies(store, given, stated, films=films)
    if len(given) == 1 and isinstance(given[0], Volume):
        return Handed((_of_volume(store, given[0], stated),))
    if all(isinstance(one, str | os.PathLike) for one in given) and _study_like(given):
        from secondread.imaging.study.scan import open_studies

        return _of_studies(store, open_studies(given if len(given) > 1 else given[0]), stated, films=films)
    if len(given) > MAX_IMAGES:
        raise UsageError(f"{len(given)} images were given; one question takes at most {MAX_IMAGES}.")
    infos = tuple(store.add(one, view=stated.view, age=stated.age) for one in given)
    if stated.picks:
        raise UsageError("A series or slice can be named for studies, volumes and clips; this is a single image.")
    return Handed(infos)


def _study_like(paths: Sequence[Any]) -> bool:
    """Whether these paths are more than a few single images: a folder, an archive, a volume, a clip, many files."""
    from secondread.imaging.study.kinds import VOLUME_FORMATS, file_kind

    if len(paths) > MAX_IMAGES:
        return True
    dicoms = 0
    for path in paths:
        if os.path.isdir(path):
            return True
        try:
            with open(path, "rb") as file:
                head = file.read(1024)
        except (OSError, ValueError):
            continue  # the reader of single images says what is wrong with it
        kind = file_kind(head, os.fsdecode(path))
        if kind in VOLUME_FORMATS or kind == "video" or head.startswith(b"PK\x03\x04"):
            return True
        dicoms += kind == "dicom"
    return dicoms > 1 or (dicoms == 1 and len(paths) == 1 and _frames(paths[0]) > 1)


def _frames(path: Any) -> int:
    """Frames of a DICOM file; 1 when it cannot be read, which the reader of single images reports."""
    from secondread.imaging.dicom.file import open_dicom

    name = os.fsdecode(path)
    try:
        return open_dicom(name, name).frames
    except SecondReadError:
        return 1


def _of_studies(store: ImageStore, studies: Sequence["Study"], stated: Stated, *, films: bool) -> Handed:
    if not studies:
        raise UnreadableImage("No study was found in what was handed over.")
    patients = {study.patient for study in studies if study.patient is not None}
    if len(patients) > 1:
        raise UsageError(
            f"What was handed over holds studies of {len(patients)} patients.",
            hint="Ask about one patient at a time; `secondread batch` asks about all of them.",
        )
    for study in studies:
        store.add_study(study.info())
    study = [one for one in studies if one.role == "current"][-1]
    notes = [*study.problems]
    others = len(studies) - 1
    if others:
        notes.append(f"{others} other {'study was' if others == 1 else 'studies were'} handed over and not looked at.")
    chosen = _choices(study, stated, films=films)
    failure: SecondReadError | None = None
    for series, instance in chosen:
        try:
            info = _of_series(store, series, instance, stated)
        except InputError as error:
            if stated.picks:
                raise
            failure = failure or error
            notes.append(f"Series {series.number} could not be read and was passed over.")
            continue
        notes += series.problems
        others = sum(one.kind in SHOWN for one in study.series) - 1
        if others > 0:
            notes.append(f"{others} other series of the study {'was' if others == 1 else 'were'} not looked at.")
        return Handed((info,), tuple(dict.fromkeys(_sentence(note) for note in notes)))
    if failure is not None:
        raise failure
    if study.unread:
        raise UnreadableImage(study.unread[0].reason)
    raise UnreadableImage("The study holds no image of a patient.", hint="Segmentations and reports are not images.")


def _choices(study: "Study", stated: Stated, *, films: bool) -> list[tuple["Series", "Instance | None"]]:
    """What to look at, best first: a series with one of its images, or as a whole."""
    if stated.series is not None:
        for series in study.series:
            if series.number == stated.series:
                return [(series, None)]
        raise InputError(f"There is no series {stated.series}; the study has {len(study.series)}.")
    frontal = study.frontal
    whole = [(one, None) for one in study.series if one.kind in SHOWN]
    of_frontal = [(one, frontal) for one in study.series if frontal is not None and frontal in one.instances]
    volumes = sorted((w for w in whole if w[0].kind == "volume"), key=lambda w: -len(w[0].instances))
    others = sorted((w for w in whole if w[0].kind != "volume"), key=lambda w: SHOWN.index(w[0].kind))
    if films:
        return [*of_frontal, *others, *volumes]
    return [*volumes, *of_frontal, *others]


def _of_series(store: ImageStore, series: "Series", instance: "Instance | None", stated: Stated) -> ImageInfo:
    """Enter one series: as a volume, as one of its images, or as a frame of its clip."""
    if series.kind in ("derived", "document"):
        raise InputError(f"Series {series.number} is no image of a patient.")
    if series.kind == "volume":
        return _of_volume(store, series.volume(), stated, series.instances[0].name)
    if series.instances and series.instances[0].format == "video":
        return store.add_frame(series, (stated.slice or 1) - 1)
    if instance is None or stated.slice is not None:
        number = stated.slice or 1
        if not 1 <= number <= len(series.instances):
            raise InputError(f"There is no image {number} in series {series.number}; it has {len(series.instances)}.")
        instance = series.instances[number - 1]
    return store.add_instance(instance, view=stated.view, age=stated.age)


def _of_volume(store: ImageStore, volume: "Volume", stated: Stated, path: str | None = None) -> ImageInfo:
    info = store.add_volume(volume, path)
    if stated.slice is None:
        return info
    count = volume.count(stated.plane)
    if not 1 <= stated.slice <= count:
        raise InputError(f"There is no {stated.plane} slice {stated.slice}; the volume has {count}.")
    return store.slice(info.ref.id, stated.plane, stated.slice - 1)


def _part(store: ImageStore, info: ImageInfo, region: Sequence[float]) -> ImageInfo:
    """The crop of an image that a region names."""
    from pydantic import ValidationError

    if info.dimension == 3:
        raise UsageError("A region lies on one slice of a volume.", hint="Name the slice: --slice N, with --plane.")
    try:
        x0, y0, x1, y1 = (float(v) for v in region)
        box = Box(grid=info.ref.grid, x0=x0, y0=y0, x1=x1, y1=y1)
    except (ValidationError, TypeError, ValueError):
        raise UsageError("A region is x0,y0,x1,y1 in pixels with x0 < x1 and y0 < y1.") from None
    return store.info(store.derive(info.ref.id, box).id)


def _sentence(note: str) -> str:
    return note if note.endswith(".") else f"{note}."
