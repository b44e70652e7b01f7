"""Which studies are of one patient, and which of them are priors.

Two studies are of one patient when they have one patient id, of one issuer, and neither name, birth date nor sex says
otherwise. Missing or placeholder ids prove nothing. Pairing two patients is worse than missing a prior, so doubt means
apart, and is said.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from secondread.imaging.study import tags
from secondread.imaging.study.header import Header

_PLACEHOLDERS = frozenset(
    ("", "0", "00", "000", "0000", "00000000", "1", "NONE", "NA", "UNKNOWN", "UNK", "ANON", "ANONYMOUS", "ANONYMIZED",
     "ANONYMISED", "NOID", "TEST", "XXX", "XXXX", "PATIENT", "ID", "DEIDENTIFIED", "REMOVED")
)  # fmt: skip
"""Ids, without punctuation, that many patients share."""


@dataclass(frozen=True, slots=True)
class Patient:
    """What tells patients apart. Never leaves this package."""

    id: str
    issuer: str
    name: frozenset[str]
    birth: str
    sex: str

    @property
    def known(self) -> bool:
        """Whether the id can prove that two studies are of one patient."""
        return re.sub(r"[^A-Z0-9]", "", self.id) not in _PLACEHOLDERS

    def same(self, other: "Patient") -> bool:
        """Whether both are known to be one."""
        return self.known and other.known and self.id == other.id and not self.contradicts(other)

    def contradicts(self, other: "Patient") -> bool:
        """Whether issuer, name, birth date or sex differ where both are given."""
        named = self.name and other.name and not (self.name <= other.name or other.name <= self.name)
        pairs = ((self.issuer, other.issuer), (self.birth, other.birth), (self.sex, other.sex))
        return bool(named) or any(a and b and a != b for a, b in pairs)


def patient_of(header: Header) -> Patient:
    """The patient of one file."""
    words = re.split(r"[\\^=\s,]+", header.text(tags.NAME).upper())
    return Patient(
        id=header.text(tags.PATIENT).upper(),
        issuer=header.text(tags.ISSUER).upper(),
        name=frozenset(word for word in words if word and word not in _PLACEHOLDERS),
        birth=re.sub(r"\D", "", header.text(tags.BIRTH)),
        sex=header.text(tags.SEX).upper(),
    )


@dataclass(slots=True)
class Role:
    """What one study is among those handed over."""

    role: Literal["current", "prior"] = "current"
    patient: int | None = None
    """Counts the patients from 1; None when nothing tells whose study it is."""
    problems: list[str] = field(default_factory=list)


def roles(patients: Sequence[Patient | None], moments: Sequence[str]) -> list[Role]:
    """Role of each study.

    Args:
        patients: Of each study; None for files without a patient.
        moments: `YYYYMMDDhhmmss` of each study, may be empty or a day alone.
    """
    found = [Role() for _ in patients]
    known = [(n, patient) for n, patient in enumerate(patients) if patient is not None]
    groups: list[Patient] = []
    for n, patient in known:
        same = [m for m, other in known if m != n and patient.same(other)]
        apart = [other for m, other in known if m != n and m not in same]
        found[n].patient = _number(patient, groups)
        if any(_earlier(moments[n], moments[m]) for m in same):
            found[n].role = "prior"
        if any(not moments[n] or not moments[m] for m in same):
            found[n].problems.append("A study of this patient has no date: which one is the prior is not known.")
        elif any(_tied(moments[n], moments[m]) for m in same):
            found[n].problems.append("Two studies of this patient have one date: which one is the prior is not known.")
        if patient.known and any(patient.id == other.id for other in apart):
            found[n].problems.append(
                "Another study has the same patient id but another name, birth date, sex or issuer: not paired with it."
            )
        if apart and not patient.known:
            found[n].problems.append("The header has no patient id that proves anything: it is paired with no study.")
    if len(groups) > 1:
        for n, _ in known:
            found[n].problems.append(
                f"Studies of {len(groups)} patients were given; those of different ones are never paired."
            )
    return found


def priors(patients: Sequence[Patient], moments: Sequence[str]) -> list[list[int]]:
    """For each study, the earlier ones of the same patient, the latest first.

    Args:
        patients: Of each study.
        moments: As for `roles`; studies without a date, or of one day whose order is not known, are no priors.
    """
    found: list[list[int]] = []
    for n, patient in enumerate(patients):
        before = [m for m, other in enumerate(patients) if m != n and patient.same(other)]
        before = [m for m in before if _earlier(moments[m], moments[n])]
        found.append(sorted(before, key=lambda m: moments[m], reverse=True))
    return found


def _number(patient: Patient, groups: list[Patient]) -> int | None:
    """Which patient it is, counted from 1; a new one is added. None without an id that proves anything."""
    if not patient.known:
        return None
    for number, group in enumerate(groups, 1):
        if patient.same(group):
            return number
    groups.append(patient)
    return len(groups)


def _earlier(one: str, other: str) -> bool:
    """Whether a study is known to be older; two of one day need both times."""
    if not one or not other or _tied(one, other):
        return False
    return one < other


def _tied(one: str, other: str) -> bool:
    """Same day, and the times are equal or one is missing."""
    return bool(one) and one[:8] == other[:8] and (one == other or len(one) == 8 or len(other) == 8)
