"""Which studies are of one patient, and which of them are priors.

Two studies are of one patient when they have one patient id, of one issuer, and neither name, birth date nor sex says
otherwise. Missing or placeholder ids prove nothing. Pairing two patients is worse than missing a prior, so doubt means
apart, and is said.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

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


def roles(patients: Sequence[Patient | None], moments: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """Role of each study, and what has to be said of it.

    Args:
        patients: Of each study; None for files without a patient.
        moments: `YYYYMMDDhhmmss` of each study, may be empty or a day alone.

    Returns:
        `current` or `prior` per study, and problems per study.
    """
    found, problems = ["current"] * len(patients), [list[str]() for _ in patients]
    for n, patient in enumerate(patients):
        if patient is None:
            continue
        others = [m for m, other in enumerate(patients) if m != n and other is not None]
        same = [m for m in others if patient.same(patients[m])]  # type: ignore[arg-type]  # None was left out above
        if any(_earlier(moments[n], moments[m]) for m in same):
            found[n] = "prior"
        if any(not moments[n] or not moments[m] for m in same):
            problems[n].append("A study of this patient has no date: which one is the prior is not known.")
        elif any(_tied(moments[n], moments[m]) for m in same):
            problems[n].append("Two studies of this patient have one date: which one is the prior is not known.")
        apart = [m for m in others if m not in same]
        if apart and patient.known and any(patient.id == patients[m].id for m in apart):  # type: ignore[union-attr]  # as above
            problems[n].append(
                "Another study has the same patient id but another name, birth date, sex or issuer: not paired with it."
            )
        if apart and not patient.known:
            problems[n].append("The header has no patient id that proves anything: the study is paired with no other.")
    distinct = _distinct([patient for patient in patients if patient is not None])
    if distinct > 1:
        for n, patient in enumerate(patients):
            if patient is not None:
                problems[n].append(
                    f"Studies of {distinct} patients were given; those of different ones are never paired."
                )
    return found, problems


def _distinct(patients: list[Patient]) -> int:
    groups: list[Patient] = []
    for patient in patients:
        if not any(patient.same(group) or (not patient.known and patient == group) for group in groups):
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
