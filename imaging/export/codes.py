"""Codes for what is segmented and measured: those of pydicom's dictionaries, else RadLex ids, else a private scheme.

SNOMED CT codes come only from `pydicom.sr.codedict`, the subset that DICOM may publish. A name without a code there is
written under the private scheme 99SECONDREAD, whose values are the concept ids of the knowledge graph.
"""

from dataclasses import dataclass
from typing import Any, Literal

PRIVATE = "99SECONDREAD"

_SPECIAL = {"thorax": "Thorax", "chest_anatomy": "Chest", "clavicula": "Clavicle", "vertebrae": "Vertebra",
            "urinary_bladder": "Bladder", "pulmonary_artery": "PulmonaryArtery"}  # fmt: skip
_FORMS = ("{}", "{}Structure", "StructureOf{}", "BoneStructureOf{}")
_UNITS = {
    "1": ("1", "no units"),
    "mm": ("mm", "millimeter"),
    "mm2": ("mm2", "square millimeter"),
    "mm3": ("mm3", "cubic millimeter"),
    "ml": ("mL", "milliliter"),
    "cm": ("cm", "centimeter"),
    "deg": ("deg", "degree"),
    "%": ("%", "percent"),
    "px": ("{pixels}", "pixels"),
    "HU": ("[hnsf'U]", "Hounsfield unit"),
    "s": ("s", "second"),
    "a": ("a", "year"),
}
"""Unit of a Measurement -> UCUM code and meaning. Source: UCUM 2.1; `{pixels}` from DICOM PS3.16 CID 82 conventions."""


@dataclass(frozen=True)
class Structure:
    """A structure's code, and its side when it is one of a pair."""

    code: Any
    """highdicom CodedConcept."""
    side: Literal["left", "right"] | None = None


def structure(name: str, radlex: str | None = None) -> Structure:
    """Code of an anatomical structure.

    Args:
        name: Concept id such as `right_lung`, `liver` or `kidney_left`.
        radlex: RadLex id (`RID1302`) to use when pydicom's dictionaries lack the structure.
    """
    from highdicom.sr import CodedConcept
    from pydicom.sr.codedict import codes

    words = name.split("_")
    side: Literal["left", "right"] | None = next((s for s in ("left", "right") if s in words), None)
    plain = "_".join(word for word in words if word not in ("left", "right"))
    camel = _SPECIAL.get(plain) or "".join(word[:1].upper() + word[1:] for word in plain.split("_"))
    for form in _FORMS:
        found = getattr(codes.SCT, form.format(camel), None) if camel.isidentifier() else None
        if found is not None:
            return Structure(CodedConcept.from_code(found), side)
    if radlex:
        return Structure(CodedConcept(radlex, "RADLEX", _meaning(name)))
    return Structure(private(name), None)


def private(name: str, meaning: str | None = None) -> Any:
    """A CodedConcept of the project's own scheme; its value is a concept id."""
    from highdicom.sr import CodedConcept

    return CodedConcept(name[:64], PRIVATE, (meaning or _meaning(name))[:64])


def unit(name: str) -> Any:
    """UCUM unit of a measurement as CodedConcept; a unit that is not known becomes a UCUM annotation, `{name}`."""
    from highdicom.sr import CodedConcept

    value, meaning = _UNITS.get(name, (f"{{{name}}}", name))
    return CodedConcept(value[:16], "UCUM", meaning[:64])


def side_code(side: Literal["left", "right"]) -> Any:
    """Left or Right (SNOMED CT) as CodedConcept."""
    from highdicom.sr import CodedConcept
    from pydicom.sr.codedict import codes

    return CodedConcept.from_code(codes.SCT.Left if side == "left" else codes.SCT.Right)


def describe_schemes(ds: Any) -> None:
    """Say in the object what its private scheme is. Source: DICOM PS3.3 C.12.1.1.5 (Coding Scheme Identification)."""
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    if PRIVATE not in _schemes(ds):
        return
    item = Dataset()
    item.CodingSchemeDesignator = PRIVATE
    item.CodingSchemeName = "Concept ids of the secondread knowledge graph"
    item.CodingSchemeResponsibleOrganization = "secondread"
    known = [other for other in ds.get("CodingSchemeIdentificationSequence") or []
             if other.get("CodingSchemeDesignator") != PRIVATE]  # fmt: skip
    ds.CodingSchemeIdentificationSequence = Sequence([*known, item])


def _schemes(ds: Any) -> set[str]:
    found: set[str] = set()
    for element in ds:
        if element.VR == "SQ":
            for item in element.value:
                found |= _schemes(item)
        elif element.keyword == "CodingSchemeDesignator":
            found.add(str(element.value))
    return found


def _meaning(name: str) -> str:
    return name.replace("_", " ")
