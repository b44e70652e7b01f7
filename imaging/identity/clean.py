"""Cleans one data set after the basic profile: removes, empties, replaces, remaps, at every depth.

Source: DICOM PS3.15 Annex E. The table says what happens to an element; where it leaves a choice (`X/Z/D`), what keeps
the object valid is taken. Beyond the table: sex, age (above 89 given as 90), size and weight stay (Retain Patient
Characteristics Option); descriptions, private elements, overlays and curves go; every person name, date and instance
UID is handled wherever it stands; elements unknown to the dictionary go, since nobody can tell what they hold.
"""

import re
from dataclasses import dataclass, field
from typing import Any

from secondread.imaging.dicom.header import OLDEST, read_age
from secondread.imaging.dicom.values import text
from secondread.imaging.identity.profile import action, identifies
from secondread.imaging.identity.pseudonyms import DUMMY_DATE, Pseudonyms

KEPT = frozenset(("PatientSex", "PatientAge", "PatientSize", "PatientWeight"))
"""Retain Patient Characteristics Option; the age is capped."""

_CLASS_UIDS = frozenset(
    ("SOPClassUID", "ReferencedSOPClassUID", "RelatedGeneralSOPClassUID", "OriginalSpecializedSOPClassUID",
     "SOPClassesInStudy", "SOPClassesSupported", "CodingSchemeUID", "ContextUID", "MappingResourceUID",
     "ContextGroupExtensionCreatorUID", "StoredInstanceTransferSyntaxUID", "AvailableTransferSyntaxUID",
     "FlowTransferSyntaxUID", "MACCalculationTransferSyntaxUID", "EncryptedContentTransferSyntaxUID",
     "PertinentSOPClassesInSeries", "PertinentSOPClassesInStudy")
)  # fmt: skip
"""UIDs of classes, syntaxes and code lists: the same for every patient."""

_WALKED = frozenset(
    ("ContentSequence", "GraphicAnnotationSequence", "ReferencedImageSequence", "SourceImageSequence",
     "ReferencedPerformedProcedureStepSequence", "ReferencedStudySequence", "FlowIdentifierSequence",
     "VerifyingObserverSequence", "WaveformAnnotationSequence")
)  # fmt: skip
"""Sequences of the table whose items are cleaned in place of being removed: without them the object says nothing."""

_PIXELS = frozenset((0x7FE00008, 0x7FE00009, 0x7FE00010))
_WORDS = frozenset(("LO", "SH", "LT", "ST", "UT", "UC", "UR", "PN", "AE"))
_DUMMIES = {
    "DA": DUMMY_DATE, "TM": "000000", "DT": f"{DUMMY_DATE}000000", "PN": "Anonymous^", "AE": "REMOVED", "AS": "000Y",
    "LO": "REMOVED", "SH": "REMOVED", "ST": "REMOVED", "LT": "REMOVED", "UT": "REMOVED", "UC": "REMOVED",
    "CS": "REMOVED", "DS": "0", "IS": "0", "UR": "http://removed.invalid", "OB": b"\0\0", "UN": b"\0\0",
}  # fmt: skip
_ALLOWED_TEXTS = frozenset(("111001", "111003"))
"""Concept names (DCM) of report texts that stay: algorithm name and version."""

_OWN = frozenset(("PatientID", "PatientName", "CodingSchemeDesignator", "CodeValue"))
"""Texts that the search for names leaves alone: our stand-ins, and codes."""

_LEAST_NAME, _LEAST_ID = 3, 4
"""Shorter parts of names and shorter identifiers are not searched for in other texts: too many hold them."""


@dataclass
class Cleaned:
    """What cleaning a data set did, besides changing it."""

    patient: str
    """Key of the patient: the same for all files of one."""
    options: list[str] = field(default_factory=list)
    """Names in pydicom's DCM dictionary of the options of the profile that were used."""


def clean(ds: Any, pseudonyms: Pseudonyms, *, keep_dates_relative: bool = False) -> Cleaned:
    """Clean a data set in place. Pixels are not touched.

    Args:
        ds: pydicom data set with its meta information in `file_meta`.
        pseudonyms: Where stand-ins come from.
        keep_dates_relative: Move all dates of a patient by one number of days in place of removing them; times stay.
    """
    patient = patient_key(ds)
    walk = _Walk(pseudonyms, patient, keep_dates_relative)
    strong = _strong(ds)
    age, _ = read_age(ds)
    walk.items(ds)
    _set_age(ds, age)
    if "PatientID" in ds or "PatientName" in ds:
        ds.PatientID = f"P{pseudonyms.name('patient', patient)}"
        ds.PatientName = f"Anonymous^{ds.PatientID}"
    _scrub(ds, strong)
    options = ["BasicApplicationConfidentialityProfile", *walk.options]
    if any(keyword in ds for keyword in KEPT):
        options.append("RetainPatientCharacteristicsOption")
    if keep_dates_relative:
        options.append("RetainLongitudinalTemporalInformationModifiedDatesOption")
    return Cleaned(patient, list(dict.fromkeys(options)))


def patient_key(ds: Any) -> str:
    """What tells patients apart: id and its issuer, else name and birth date, else the study, else what is left."""
    if identifier := text(ds, "PatientID"):
        return f"id|{identifier}|{text(ds, 'IssuerOfPatientID')}"
    if name := text(ds, "PatientName"):
        return f"name|{name}|{text(ds, 'PatientBirthDate')}"
    for keyword in ("StudyInstanceUID", "FrameOfReferenceUID", "SOPInstanceUID"):
        if uid := text(ds, keyword):
            return f"{keyword}|{uid}"
    return f"meta|{text(ds.file_meta, 'MediaStorageSOPInstanceUID')}"


@dataclass
class _Walk:
    pseudonyms: Pseudonyms
    patient: str
    keep_dates: bool
    options: list[str] = field(default_factory=list)

    def items(self, ds: Any) -> None:
        """Every element of a data set or item."""
        from pydicom.datadict import dictionary_has_tag, keyword_for_tag

        report = text(ds, "ValueType") == "TEXT"
        for tag in list(ds.keys()):
            number = int(tag)
            if number in _PIXELS:
                continue
            group = number >> 16
            if (
                not dictionary_has_tag(number)
                or group & 1
                or group < 8
                or group >> 8 in (0x50, 0x60)
                or not tag & 0xFFFF
            ):
                del ds[tag]
                continue
            self._element(ds, number, str(keyword_for_tag(number)))
        if report and "TextValue" in ds and not _allowed(ds):
            ds.TextValue = "REMOVED"

    def _element(self, ds: Any, tag: int, keyword: str) -> None:
        element = ds[tag]
        code = action(tag)
        if element.VR == "SQ":
            self._sequence(ds, tag, keyword, code, element)
        elif keyword in KEPT:
            return
        elif element.VR == "UI":
            if code == "X":
                del ds[tag]
            elif keyword not in _CLASS_UIDS:
                element.value = self._uids(element.value)
        elif element.VR in ("DA", "DT") and self.keep_dates and "Birth" not in keyword and "Death" not in keyword:
            element.value = self._dates(element.value)
        elif element.VR == "TM" and self.keep_dates and "Birth" not in keyword:
            return
        elif code is None and element.VR in ("PN", "DA", "DT"):
            _replace(element)
        elif code is not None:
            if "D" in code.split("/"):
                _replace(element)
            elif "Z" in code.split("/"):
                element.value = "" if element.VR not in ("OB", "UN") else b""
            else:
                del ds[tag]

    def _sequence(self, ds: Any, tag: int, keyword: str, code: str | None, element: Any) -> None:
        if code is None or keyword in _WALKED:
            if keyword == "ContentSequence":
                self.options.append("CleanStructuredContentOption")
            elif keyword in ("GraphicAnnotationSequence", "WaveformAnnotationSequence"):
                self.options.append("CleanGraphicsOption")
            for item in element.value:
                self.items(item)
        elif code in ("X", "X/D", "X/Z/D"):
            del ds[tag]
        elif code == "D" and element.value:
            element.value = [_dummy_code()]
        else:
            element.value = []

    def _uids(self, value: Any) -> Any:
        if value is None or isinstance(value, str):
            return self.pseudonyms.uid(str(value or ""))
        return [self.pseudonyms.uid(str(one)) for one in value]

    def _dates(self, value: Any) -> Any:
        if value is None or value == "":
            return value
        if isinstance(value, str):
            return self.pseudonyms.shifted(value, self.patient)
        if hasattr(value, "original_string"):
            return self.pseudonyms.shifted(str(value.original_string), self.patient)
        return [self._dates(one) for one in value]


def _replace(element: Any) -> None:
    """A dummy for a value that is there; an empty one stays empty."""
    if element.is_empty:
        return
    dummy = _DUMMIES.get(element.VR, "REMOVED" if element.VR in _WORDS else None)
    element.value = dummy if dummy is not None else (0 if element.VR in ("US", "SS", "UL", "SL", "FD", "FL") else "")


def _dummy_code() -> Any:
    from pydicom.dataset import Dataset

    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "REMOVED", "99SECONDREAD", "Removed"
    return item


def _allowed(item: Any) -> bool:
    names = item.get("ConceptNameCodeSequence") or []
    return any(text(name, "CodeValue") in _ALLOWED_TEXTS for name in names)


def _set_age(ds: Any, age: float | None) -> None:
    """The age as the header stated it or its dates tell, never above 90 years."""
    stated = text(ds, "PatientAge")
    if age is None:
        if stated:
            del ds.PatientAge
        return
    if age >= OLDEST + 1:
        ds.PatientAge = "090Y"
    elif not stated and age >= 1:
        ds.PatientAge = f"{int(age):03d}Y"
    elif not stated:
        ds.PatientAge = f"{min(999, round(age * 365.25)):03d}D"


def _strong(ds: Any) -> set[str]:
    """Names and identifiers of a data set, lower case, as they might be repeated in some other text."""
    found: set[str] = set()
    for element in _elements(ds):
        tag = int(element.tag)
        if not (identifies(tag) or element.VR == "PN") or element.VR not in _WORDS or element.is_empty:
            continue
        keyword = str(element.keyword)
        if element.VR != "PN" and not keyword.endswith(("ID", "IDs", "Number", "Name", "Address", "Numbers")):
            continue
        values = [element.value] if isinstance(element.value, str) or element.VM <= 1 else list(element.value)
        for value in values:
            whole = str(value).strip().lower()
            parts = whole.replace("=", "^").split("^") if element.VR == "PN" else [whole]
            least = _LEAST_NAME if element.VR == "PN" else _LEAST_ID
            found |= {part.strip() for part in (whole, *parts) if len(part.strip()) >= least}
    return found


def _elements(ds: Any) -> Any:
    for tag in list(ds.keys()):
        number = int(tag)
        if number in _PIXELS or (number >> 16) & 1:
            continue
        element = ds[tag]
        if element.VR == "SQ":
            for item in element.value:
                yield from _elements(item)
        else:
            yield element


def _scrub(ds: Any, strong: set[str]) -> None:
    """Replace texts that still hold a name or identifier of the original as a word, such as a comment of the maker."""
    if not strong:
        return
    words = "|".join(re.escape(value) for value in sorted(strong, key=len, reverse=True))
    pattern = re.compile(rf"(?<!\w)(?:{words})(?!\w)")
    for element in _elements(ds):
        if element.VR not in _WORDS or element.is_empty or element.keyword in _OWN:
            continue
        if pattern.search(str(element.value).lower()):
            element.value = _DUMMIES[element.VR]
