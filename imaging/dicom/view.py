"""View, position and sides of a radiograph from the header, in closed vocabularies."""

import re
from typing import Any, Literal

from secondread.imaging.dicom.values import items, text, value
from secondread.schema.image import View

_POSITIONS: dict[str, View] = {
    "PA": "PA", "AP": "AP", "LL": "LATERAL", "RL": "LATERAL", "LAT": "LATERAL", "LATERAL": "LATERAL", "LLAT": "LATERAL",
    "RLAT": "LATERAL", "LLD": "OTHER", "RLD": "OTHER", "LLO": "OTHER", "RLO": "OTHER", "LAO": "OTHER", "RAO": "OTHER",
    "LPO": "OTHER", "RPO": "OTHER", "CC": "OTHER", "MLO": "OTHER", "ML": "OTHER", "LM": "OTHER", "XCCL": "OTHER",
    "AX": "OTHER", "AXIAL": "OTHER", "OBL": "OTHER", "OBLIQUE": "OTHER", "TANGENTIAL": "OTHER",
    "DECUB": "OTHER", "LORDOTIC": "OTHER",
}  # fmt: skip
"""Terms of View Position (0018,5101) and common words for them. Source: DICOM PS3.3 C.8.1.2, C.8.11.5."""

_CODES: dict[str, View] = {
    "399348003": "AP", "R-10206": "AP",
    "272479007": "PA", "R-10214": "PA", "R-40888": "PA",
    "399067008": "LATERAL", "R-102CD": "LATERAL", "49370004": "LATERAL", "G-A104": "LATERAL",
    "399173006": "LATERAL", "R-10236": "LATERAL",
    "399198007": "LATERAL", "R-10232": "LATERAL",
    "399033003": "UNKNOWN", "R-10202": "UNKNOWN",  # frontal: neither PA nor AP
}  # fmt: skip
"""View Code Sequence (0054,0220), SNOMED CT and its older codes. Source: DICOM PS3.16 CID 4010."""

_ERECT = {"10904000", "F-10320", "33586001", "F-103A0", "C86043"}
_LYING = {"40199007", "F-10340", "102538003", "F-10450"}
_PRONE = {"1240000", "F-10310"}
"""Patient Orientation Code Sequence (0054,0410) and its modifier. Source: DICOM PS3.16 CID 19 and 20."""

_DESCRIPTIONS = ("SeriesDescription", "ProtocolName", "AcquisitionDeviceProcessingDescription", "StudyDescription",
                 "PerformedProcedureStepDescription", "RequestedProcedureDescription")  # fmt: skip


def read_view(ds: Any) -> tuple[View, list[str]]:
    """View of a radiograph: View Position, else View Code Sequence; a contradiction between them is UNKNOWN.

    Words of a description never make a view PA: only AP is taken from them, as it makes every rule more careful.
    """
    position = text(ds, "ViewPosition").upper()
    stated = _POSITIONS.get(position, "UNKNOWN")
    if stated == "UNKNOWN" and position:
        known = {_POSITIONS[word] for word in re.findall(r"[A-Z]+", position) if word in _POSITIONS}
        stated = known.pop() if len(known) == 1 else "OTHER" if known else "UNKNOWN"
    coded: View = "UNKNOWN"
    for item in items(ds, "ViewCodeSequence")[:1]:
        coded = _CODES.get(text(item, "CodeValue"), "OTHER")
    if stated != "UNKNOWN" and coded != "UNKNOWN" and stated != coded:
        return "UNKNOWN", ["View Position and View Code Sequence disagree; the view is taken as unknown."]
    view = stated if stated != "UNKNOWN" else coded
    if view != "UNKNOWN":
        return view, []
    orientation = _orientation(ds)
    if orientation and orientation[0] in "AP":
        return "LATERAL", ["The view was read from Patient Orientation."]
    words = _words(ds)
    if "AP" in words and not words & {"PA", "LAT", "LATERAL"}:
        return "AP", ["The view was read from a description in the header."]
    return "UNKNOWN", []


def read_position(ds: Any) -> Literal["erect", "supine", "unknown"]:
    """Whether the patient stood or lay: codes first, then words of the descriptions."""
    found: set[Literal["erect", "supine"]] = set()
    for item in items(ds, "PatientOrientationCodeSequence")[:1]:
        modifiers = items(item, "PatientOrientationModifierCodeSequence")[:1]
        codes = {text(item, "CodeValue"), *(text(modifier, "CodeValue") for modifier in modifiers)}
        found |= {"erect"} if codes & _ERECT else set()
        found |= {"supine"} if codes & _LYING and not codes & _PRONE else set()
    if not found:
        words = _words(ds)
        found |= {"erect"} if words & {"ERECT", "UPRIGHT", "STANDING"} else set()
        found |= {"supine"} if words & {"SUPINE", "RECUMBENT"} else set()
    if not found and text(ds, "PatientPosition").upper() in ("HFS", "FFS"):
        found.add("supine")
    return found.pop() if len(found) == 1 else "unknown"


def read_portable(ds: Any) -> bool | None:
    """True when a description says portable; None when nothing is said."""
    return True if _words(ds) & {"PORTABLE", "PORT", "MOBILE", "BEDSIDE", "PORTABLES"} else None


def side_caveat(ds: Any) -> list[str]:
    """A caveat when Patient Orientation says that the rows do not run to the patient's left, as on a frontal film.

    Source: DICOM PS3.3 C.7.6.1.1.1 (directions of rows and columns).
    """
    orientation = _orientation(ds)
    if orientation is None:
        return []
    row, column = orientation
    if row == "R" and column in ("F", "H"):
        return ["The header says that the patient's left is at the image left: sides are mirrored."]
    if row in ("F", "H") or column == "H":
        return ["The header says that the image is turned: its columns do not run to the feet."]
    return []


def _orientation(ds: Any) -> tuple[str, str] | None:
    """Main directions of rows and columns, each one of A P R L H F, or None when not given."""
    found = value(ds, "PatientOrientation")
    if found is None or isinstance(found, str) or not hasattr(found, "__len__") or len(found) != 2:
        return None
    row, column = (str(part or "").upper()[:1] for part in found)
    return (row, column) if row and column and row in "APRLHF" and column in "APRLHF" else None


def _words(ds: Any) -> set[str]:
    """Words of the descriptions, only ever compared with the closed lists above."""
    found: set[str] = set()
    for keyword in _DESCRIPTIONS:
        found.update(re.findall(r"[A-Z]+", text(ds, keyword).upper()))
    return found
