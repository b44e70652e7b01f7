"""Which files make one study: those of one UID and patient, of one folder without UIDs, and the rest together."""

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property

from secondread.imaging.study import tags
from secondread.imaging.study.collect import Collected
from secondread.imaging.study.header import Header
from secondread.imaging.study.held import Held
from secondread.imaging.study.kinds import object_kind
from secondread.imaging.study.patients import Patient, patient_of
from secondread.imaging.study.plain import Plain, distinct


@dataclass
class Group:
    """The files of one study."""

    headers: list[Header] = field(default_factory=list)
    plain: list[Plain] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    copies: list[Held] = field(default_factory=list)

    @cached_property
    def moment(self) -> str:
        """When it was taken, see `Header.moment`; the earliest of its files."""
        return min((moment for header in self.headers if (moment := header.moment)), default="")

    @cached_property
    def patient(self) -> Patient | None:
        """Whose it is; None without DICOM files."""
        return patient_of(self.headers[0]) if self.headers else None


def studies_of(found: Collected) -> list[Group]:
    """The files of every study, oldest first, those without a date last."""
    groups: dict[tuple[str, ...], Group] = defaultdict(Group)
    owners: dict[str, str] = {}
    """Study UID -> the first patient id that comes with it; files without an id go with that one."""
    for header in found.headers:
        if header.study and (patient := header.text(tags.PATIENT)):
            owners.setdefault(header.study, patient)
    for header in found.headers:
        patient = header.text(tags.PATIENT)
        if header.study:
            groups["uid", header.study, patient or owners.get(header.study, "")].headers.append(header)
        else:
            group = groups["folder", header.held.folder, patient, header.text(tags.STUDY_DATE)]
            group.headers.append(header)
            group.problems = ["The files do not say which study they belong to: those of one folder are taken as one."]
    ordered = sorted(groups.values(), key=lambda group: (not group.moment, group.moment))
    return [*ordered, *_with_plain(found, ordered)]


def _with_plain(found: Collected, groups: list[Group]) -> list[Group]:
    """Put files without a header to the one study there is; else the study that they make."""
    plain, copies = distinct(found.plain)
    if not plain:
        return []
    if len(groups) == 1:
        groups[0].plain, groups[0].copies = plain, copies
        groups[0].problems.append("Nothing says whom the files without a DICOM header show; they lie with this study.")
        return []
    alone = Group(plain=plain, copies=copies)
    if groups or len(plain) > 1:
        alone.problems.append("Files without a DICOM header are taken as one study; nothing says whom they show.")
    if copies:
        alone.problems.append(f"Left out as copies of other files: {len(copies)}.")
    return [alone]


def series_of_scanner(headers: list[Header]) -> list[list[Header]]:
    """Files of one series by UID, or by folder and Series Number when they have none; of one kind and modality each."""
    groups: dict[tuple[str, ...], list[Header]] = defaultdict(list)
    for header in headers:
        modality = header.text(tags.MODALITY).upper()
        kind = object_kind(header.text(tags.SOP_CLASS), modality, rows=header.rows)
        if header.series:
            groups["uid", header.series, kind, modality].append(header)
        else:
            groups["folder", header.held.folder, header.text(tags.SERIES_NUMBER), kind, modality].append(header)
    return list(groups.values())
