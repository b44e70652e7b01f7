"""Opens what a hospital hands over: a folder, a zip archive, a file or a list of these, as studies in order of time.

    for study in open_studies("disc/"):
        for series in study.series: ...

Only headers are read. Series of a study come in the order of Series Number, then time of acquisition, then description;
studies oldest first, those without a date last. Pictures, volumes and videos without a DICOM header follow as series of
the one study there is; beside several studies, or none, they make a study of their own, since nothing says whom they
show.
"""

import os
from collections.abc import Iterable
from typing import Any

from secondread.imaging.load import shown
from secondread.imaging.study import tags
from secondread.imaging.study.assemble import Draft, draft, rank, series_of
from secondread.imaging.study.collect import Collected, collect
from secondread.imaging.study.copies import without_copies
from secondread.imaging.study.films import Film, pair
from secondread.imaging.study.groups import Group, series_of_scanner, studies_of
from secondread.imaging.study.header import Header
from secondread.imaging.study.held import Held
from secondread.imaging.study.keys import opaque_key
from secondread.imaging.study.kinds import VOLUME_FORMATS, object_kind
from secondread.imaging.study.model import FilmPair, Instance, Series, Study
from secondread.imaging.study.patients import Role, roles
from secondread.imaging.study.plain import Plain
from secondread.imaging.study.split import Part, split
from secondread.imaging.study.units import Unit, units_of
from secondread.imaging.study.walk import files
from secondread.imaging.study.words import counted
from secondread.schema.errors import UnreadableImage
from secondread.schema.study import Place, SeriesKind

CHEST_FILMS = frozenset(("CR", "DX", "RG"))
"""Modalities of radiographs of the chest, digitised films among them."""


def open_studies(source: Any) -> list[Study]:
    """Studies of a folder (with all below it), a zip archive, a file, or a list of these; no pixel is read.

    Args:
        source: A path, or a list or tuple of paths. Archives are read in place; archives inside folders or archives are
            not opened.

    Returns:
        At least one study, oldest first, the undated last. Files that are no images are counted, those that should have
        been readable are listed with the reason; neither raises.

    Raises:
        UnreadableImage: A path that does not exist, a refused or damaged archive, or nothing readable at all.
        UnsupportedImage: An archive that unpacks to too much, or too many files.
        UsageError: Not a path.
    """
    return _studies(collect(files(source)), source)


def studies_in(held: Iterable[Held]) -> list[Study]:
    """Studies of files that were listed before, such as those of one study of a large folder; no pixel is read.

    Raises:
        UnreadableImage: None of them can be read.
    """
    listed = list(held)
    return _studies(collect(listed), [one.name for one in listed])


def _studies(found: Collected, source: Any) -> list[Study]:
    if not found.headers and not found.plain:
        raise _nothing(found, source)
    groups = studies_of(found)
    said = roles([group.patient for group in groups], [group.moment for group in groups])
    return [_study(group, n, len(groups), said[n], found) for n, group in enumerate(groups)]


def _study(group: Group, n: int, count: int, role: Role, found: Collected) -> Study:
    kept, copies, notes = without_copies(group.headers)
    problems = [*notes, *group.problems, *role.problems, *_of_all(found)]
    drafts: list[Draft] = []
    for members in sorted(series_of_scanner(kept), key=rank):
        drafts += _drafts(members, problems)
    contents = [*(header.content for header in kept), *(plain.content for plain in group.plain)]
    key = opaque_key("stu", contents, kept[0].study if kept else "")
    total = len(drafts) + len(group.plain)

    def place(number: int, series: str) -> Place:
        return Place(
            study=key, series=series, series_number=number, series_count=total, study_number=n + 1, study_count=count,
            role=role.role,
        )  # fmt: skip

    series: list[Series] = []
    for number, one in enumerate(drafts, 1):
        name = opaque_key("ser", (unit.header.content for unit in one.units), one.common)
        series.append(series_of(one, name, place(number, name)))
    for number, plain in enumerate(group.plain, len(drafts) + 1):
        name = opaque_key("ser", [plain.content], "")
        series.append(_plain_series(plain, name, place(number, name)))
    return Study(
        key=key,
        series=tuple(series),
        number=n + 1,
        count=count,
        role=role.role,
        patient=role.patient,
        films=_films(series, drafts),
        problems=tuple(dict.fromkeys(problems)),
        skipped=found.skipped,
        unread=tuple(found.unread),
        copies=(*copies, *group.copies),
    )


def _drafts(headers: list[Header], problems: list[str]) -> list[Draft]:
    """The series that one series of the scanner becomes."""
    first = headers[0]
    kind = object_kind(first.text(tags.SOP_CLASS), first.text(tags.MODALITY).upper(), rows=first.rows)
    if not first.series and len(headers) > 1:
        problems.append(
            "Files do not say which series they belong to: those of one folder and number are taken as one."
        )
    if kind != "image":
        # a screen shot may have frames; a derived object or a document counts as one, whatever its frames
        units = [
            Unit(header, frame, None)
            for header in headers
            for frame in range(header.frames if kind == "secondary" else 1)
        ]
        return [draft(Part(units), kind, "")]
    parts = split([unit for header in headers for unit in units_of(header)])
    return [draft(part, kind, f"{index} of {len(parts)}") for index, part in enumerate(parts)]


def _plain_series(plain: Plain, key: str, place: Place) -> Series:
    kind: SeriesKind = "volume" if plain.kind in VOLUME_FORMATS else "cine" if plain.kind == "video" else "image"
    unit = {"volume": "volume", "cine": "frame"}.get(kind, "image")
    placed = place.model_copy(update={"unit": unit})
    return Series(key, kind, placed, (Instance(plain.held, placed, plain.kind),))


def _films(series: list[Series], drafts: list[Draft]) -> tuple[FilmPair, ...]:
    films: list[Film] = []
    for one, made in zip(series, drafts, strict=False):
        if one.kind != "image" or one.modality not in CHEST_FILMS or one.body_part not in (None, "CHEST"):
            continue
        for instance, unit in zip(one.instances, made.units, strict=True):
            films.append(Film(instance, _second(unit.header)))
    return pair(films)


def _second(header: Header) -> float | None:
    """Time of day of the exposure in seconds."""
    for tag in (tags.ACQUISITION_TIME, tags.CONTENT_TIME):
        text = header.text(tag).replace(":", "")
        if len(text) >= 6 and text[:6].isdigit():
            return int(text[:2]) * 3600 + int(text[2:4]) * 60 + float(text[4:6])
    return None


def _of_all(found: Collected) -> list[str]:
    """What has to be said of everything that was handed over; no file name."""
    told: list[str] = []
    if found.unread:
        told.append(f"{counted(len(found.unread), 'file')} could not be read.")
    if found.archives:
        verb = "was" if found.archives == 1 else "were"
        told.append(f"{counted(found.archives, 'archive')} inside {verb} not opened.")
    return told


def _nothing(found: Collected, source: Any) -> UnreadableImage:
    """Why there is no study."""
    if len(found.unread) == 1 and not found.skipped:
        return UnreadableImage(found.unread[0].reason)
    paths = [source] if isinstance(source, str | os.PathLike) else list(source)
    name = shown(os.fsdecode(paths[0])) if len(paths) == 1 else "What was given"
    if not found.unread and not found.skipped:
        return UnreadableImage(f"{name} is empty.")
    told = [f"{counted(found.skipped, 'file')} no images"] if found.skipped else []
    told += [f"{counted(len(found.unread), 'file')} damaged or not supported"] if found.unread else []
    hint = "DICOM, PNG, JPEG, TIFF, NIfTI, NRRD, MetaImage and video are read."
    if found.archives:
        hint = "Archives inside a folder or archive are not opened: give them by themselves."
    return UnreadableImage(f"{name} holds no image that can be read: {', '.join(told)}.", hint=hint)
