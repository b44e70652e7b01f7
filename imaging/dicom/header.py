"""What a DICOM header says of an image, in closed vocabularies: no text of the header is passed on."""

import datetime
import re
from typing import Any, Literal

from secondread.imaging.dicom.spacing import read_spacing, squeezed
from secondread.imaging.dicom.values import text
from secondread.imaging.dicom.view import read_portable, read_position, read_view, side_caveat

MODALITIES = frozenset(
    (
        "AR", "AS", "AU", "BDUS", "BI", "BMD", "CFM", "CR", "CT", "CTPROTOCOL", "DG", "DMS", "DOC", "DX", "ECG", "EEG",
        "EMG", "EOG", "EPS", "ES", "FA", "FID", "GM", "HC", "HD", "IO", "IOL", "IVOCT", "IVUS", "KER", "KO", "LEN",
        "LS", "M3D", "MA", "MG", "MR", "NM", "OAM", "OCT", "OP", "OPM", "OPR", "OPT", "OPTBSV", "OPTENF", "OPV", "OSS",
        "OT", "PA", "PLAN", "POS", "PR", "PT", "PX", "REG", "RESP", "RF", "RG", "RTDOSE", "RTIMAGE", "RTINTENT",
        "RTPLAN", "RTRAD", "RTRECORD", "RTSEGANN", "RTSTRUCT", "RWV", "SEG", "SM", "SMR", "SR", "SRF", "STAIN",
        "TEXTUREMAP", "TG", "US", "VA", "XA", "XAPROTOCOL", "XC",
    )
)  # fmt: skip
"""Source: DICOM PS3.3 C.7.3.1.1.1, defined terms of Modality."""

PHOTOMETRICS = frozenset(
    ("MONOCHROME1", "MONOCHROME2", "RGB", "PALETTE COLOR", "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_420",
     "YBR_PARTIAL_422", "YBR_ICT", "YBR_RCT", "XYB", "HSV", "ARGB", "CMYK")
)  # fmt: skip

BODY_PARTS = frozenset(
    (
        "ABDOMEN", "ABDOMENPELVIS", "ADRENAL", "ANKLE", "ANUS", "AORTA", "AORTICARCH", "ARM", "AXILLA", "BACK",
        "BLADDER", "BRAIN", "BREAST", "BRONCHUS", "BUTTOCK", "CALCANEUS", "CAROTID", "CEREBELLUM", "CHEST",
        "CHESTABDOMEN", "CHESTABDPELVIS", "CIRCLEOFWILLIS", "CLAVICLE", "COCCYX", "COLON", "CSPINE", "CTSPINE",
        "DUODENUM", "EAR", "ELBOW", "ESOPHAGUS", "EXTREMITY", "EYE", "FACE", "FEMUR", "FINGER", "FOOT", "FOREARM",
        "GALLBLADDER", "HAND", "HEAD", "HEADNECK", "HEART", "HIP", "HUMERUS", "ILEUM", "IAC", "JAW", "KIDNEY", "KNEE",
        "LARYNX", "LEG", "LIVER", "LSPINE", "LSSPINE", "LUNG", "MANDIBLE", "MAXILLA", "MEDIASTINUM", "NECK",
        "NECKCHEST", "NOSE", "ORBIT", "PANCREAS", "PATELLA", "PELVIS", "PROSTATE", "RECTUM", "RIB", "SCAPULA", "SELLA",
        "SHOULDER", "SINUS", "SKULL", "SPINE", "SPLEEN", "SSPINE", "STERNUM", "STOMACH", "THIGH", "THORAX", "THUMB",
        "THYROID", "TLSPINE", "TOE", "TRACHEA", "TSPINE", "UTERUS", "WHOLEBODY", "WRIST", "ZYGOMA",
    )
)  # fmt: skip
"""Source: DICOM PS3.16 Annex L, terms of Body Part Examined, in part."""

OLDEST = 89
"""Ages above are given as 90: with a rare age a person can be told. Source: US 45 CFR 164.514(b)(2)(i)(C)."""


def describe(ds: Any, caveats: list[str], frame: int = 0) -> dict[str, Any]:
    """Fields of `ImageInfo` that come from the header.

    Args:
        ds: The data set.
        caveats: What the reader noticed so far; this adds to it.
        frame: From 0.

    Returns:
        Values for `modality`, `body_part`, `view`, `position`, `spacing`, .. and `caveats`.
    """
    modality = _closed(text(ds, "Modality").upper(), MODALITIES)
    photometric = _closed(text(ds, "PhotometricInterpretation").upper(), PHOTOMETRICS)
    view, notes = read_view(ds)
    caveats += notes
    age, notes = read_age(ds)
    caveats += notes
    spacing, notes = read_spacing(ds, modality, frame)
    caveats += notes
    lost = squeezed(ds, spacing)
    if lost:
        caveats.append(
            "The pixels are not square and no spacing says by how much: heights, areas and angles do not hold."
        )
    caveats += side_caveat(ds)
    if text(ds, "PresentationIntentType").upper() == "FOR PROCESSING":
        caveats.append("The pixels are raw detector values (for processing), not meant for reading.")
    if text(ds, "BurnedInAnnotation").upper() == "YES":
        caveats.append("The header says that identifying text is burned into the pixels.")
    if modality in ("SEG", "PR", "RTDOSE", "REG", "RWV"):
        caveats.append("The object is derived data, not an image taken of a patient.")
    return {
        "modality": modality,
        "body_part": read_body_part(ds),
        "view": view,
        "view_source": "header" if view != "UNKNOWN" else "unknown",
        "position": read_position(ds),
        "portable": read_portable(ds),
        "image_laterality": read_laterality(ds),
        "age_years": age,
        "age_source": "header" if age is not None else "unknown",
        "sex": _closed(text(ds, "PatientSex").upper(), frozenset("FMO")),
        "spacing": spacing,
        "photometric": photometric,
        "squeezed": lost,
        "caveats": tuple(caveats),
    }


def read_body_part(ds: Any) -> str | None:
    """Body part in the standard's terms, or None."""
    named = re.sub(r"[^A-Z]", "", text(ds, "BodyPartExamined").upper())
    if named in ("THORAX", "CHESTPA", "CHESTAP", "CHESTLAT"):
        return "CHEST"
    return named if named in BODY_PARTS else None


def read_laterality(ds: Any) -> Literal["L", "R", "B", "U"] | None:
    """Which of paired body parts is shown."""
    for keyword in ("ImageLaterality", "Laterality"):
        found = text(ds, keyword).upper()
        for known in ("L", "R", "B", "U"):
            if found == known:
                return known
    return None


def read_age(ds: Any) -> tuple[float | None, list[str]]:
    """Age in years: Patient's Age, or birth date and date of the study; dates go no further.

    Returns:
        Whole years from 2 on, two decimals below, 90 for any age above 89; None when unknown or when age and dates
        disagree by more than two years. `000Y` is read as unknown: it is what many systems write for no age.
    """
    stated = _age_string(text(ds, "PatientAge"))
    born = _date(text(ds, "PatientBirthDate"))
    taken = next(
        (d for k in ("AcquisitionDate", "ContentDate", "SeriesDate", "StudyDate") if (d := _date(text(ds, k)))), None
    )
    dated = (taken - born).days / 365.25 if born and taken and taken >= born else None
    if dated is not None and dated > 130:
        dated = None
    if stated is not None and dated is not None and abs(stated - dated) > 2:
        return None, ["Patient's Age and the dates of the header disagree; the age is taken as unknown."]
    age = stated if stated is not None else dated
    if age is None:
        return None, []
    if age > OLDEST:
        return 90.0, ["The age is above 89 and is given as 90."]
    return (float(int(age)) if age >= 2 else round(age, 2)), []


def _age_string(found: str) -> float | None:
    """`045Y`, `010M`, `003W`, `002D` in years."""
    match = re.fullmatch(r"(\d{1,3})\s*([YMWD])", found.upper())
    if match is None or match.group(0).lstrip("0") == "Y":
        return None
    days = {"Y": 365.25, "M": 365.25 / 12, "W": 7.0, "D": 1.0}[match.group(2)]
    years = int(match.group(1)) * days / 365.25
    return years if years <= 130 else None


def _date(found: str) -> datetime.date | None:
    match = re.fullmatch(r"(\d{4})[.\-]?(\d{2})[.\-]?(\d{2})", found)
    if match is None:
        return None
    try:
        day = datetime.date(*(int(part) for part in match.groups()))
    except ValueError:
        return None
    return day if day.year >= 1890 else None


def _closed(found: str, vocabulary: frozenset[str]) -> Any:
    return found if found in vocabulary else None
