"""A generated film as a DX DICOM file, with a header of nobody."""

from pathlib import Path
from typing import Any, Literal

import numpy as np

from secondread.evals.phantom import Film
from secondread.schema.errors import InputError

UID_ROOT = "2.25."
DX_FOR_PRESENTATION = "1.2.840.10008.5.1.4.1.1.1.1"
EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
_VIEW_CODES = {"PA": ("272479007", "postero-anterior"), "AP": ("399348003", "antero-posterior")}
"""SNOMED CT. Source: DICOM PS3.16 CID 4010."""


def write_dicom(
    film: Film,
    path: Path | str,
    *,
    photometric: Literal["MONOCHROME1", "MONOCHROME2"] = "MONOCHROME2",
    bits: int = 12,
    view: Literal["PA", "AP"] | None = "PA",
    age: int | None = None,
    sex: Literal["F", "M"] | None = None,
    spacing: float | None = 0.8,
    window: bool = True,
) -> None:
    """Write a film as Digital X-Ray Image Storage (for presentation), explicit little endian.

    Args:
        film: What to write; its grey in [0, 1] fills the stored range.
        path: File to write.
        photometric: MONOCHROME1 stores the complement; both decode to the same grey.
        bits: Bits stored, 8 to 16.
        view: View Position, or None for a header that does not say.
        age: Patient's Age in years, or None.
        sex: Patient's Sex, or None.
        spacing: Imager Pixel Spacing in mm (0.8 makes a 512-pixel film 41 cm wide), or None for no spacing.
        window: Write a window over the whole stored range.

    Raises:
        InputError: `bits` out of range.

    Source:
        DICOM PS3.3 A.26 (DX image), C.8.11; C.11.2.1.2 (the window's half-value offsets).
    """
    from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
    from pydicom.uid import UID

    if not 8 <= bits <= 16:
        raise InputError(f"{bits} bits cannot be stored.", hint="Give 8 to 16.")
    top = 2**bits - 1
    stored = np.rint(np.clip(film.grey, 0, 1).astype(np.float64) * top).astype(np.uint16)
    if photometric == "MONOCHROME1":
        stored = (top - stored).astype(np.uint16)
    pixels = (stored.astype(np.uint8) if bits == 8 else stored.astype("<u2")).tobytes()
    made_of = (pixels, photometric, str(bits), str(view), str(age), str(sex), str(spacing), str(window))

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(DX_FOR_PRESENTATION)
    meta.MediaStorageSOPInstanceUID = _uid("instance", *made_of)
    meta.TransferSyntaxUID = UID(EXPLICIT_LITTLE_ENDIAN)
    ds = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID = meta.MediaStorageSOPClassUID
    ds.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    ds.StudyInstanceUID = _uid("study", *made_of)
    ds.SeriesInstanceUID = _uid("series", *made_of)
    _nobody(ds, film.seed, age, sex)
    ds.Modality = "DX"
    ds.PresentationIntentType = "FOR PRESENTATION"
    ds.BodyPartExamined = "CHEST"
    if view is not None:
        ds.ViewPosition = view
        ds.ViewCodeSequence = [_code(Dataset(), _VIEW_CODES[view][0], "SCT", _VIEW_CODES[view][1])]
        ds.ViewCodeSequence[0].ViewModifierCodeSequence = []
    ds.AnatomicRegionSequence = [_code(Dataset(), "51185008", "SCT", "Chest")]
    ds.PatientOrientation = ["L", "F"]
    ds.ImageLaterality = "U"
    ds.ImageType = ["DERIVED", "PRIMARY"]
    ds.DerivationDescription = "Drawn from a statistical model; shows no person"
    ds.InstanceNumber = "1"
    ds.SeriesNumber = "1"
    ds.BurnedInAnnotation = "NO"
    ds.LossyImageCompression = "00"
    ds.PixelIntensityRelationship = "LOG"
    ds.PixelIntensityRelationshipSign = -1 if photometric == "MONOCHROME2" else 1
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "0", "1", "US"
    ds.PresentationLUTShape = "IDENTITY" if photometric == "MONOCHROME2" else "INVERSE"
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = photometric
    ds.Rows, ds.Columns = film.grey.shape
    ds.BitsAllocated = 8 if bits == 8 else 16
    ds.BitsStored, ds.HighBit, ds.PixelRepresentation = bits, bits - 1, 0
    if spacing is not None:
        ds.ImagerPixelSpacing = [f"{spacing:g}", f"{spacing:g}"]
    if window:
        ds.WindowCenter, ds.WindowWidth = f"{2 ** (bits - 1)}", f"{2**bits}"
    ds.PixelData = pixels if len(pixels) % 2 == 0 else pixels + b"\0"
    ds["PixelData"].VR = "OB" if bits == 8 else "OW"
    ds.save_as(path, enforce_file_format=True)


def _nobody(ds: Any, seed: int, age: int | None, sex: str | None) -> None:
    """Header fields of a person, a visit and a machine: invented, or empty where the standard allows it."""
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.PatientName = "Anonymous^Phantom"
    ds.PatientID = f"PHANTOM-{seed}"
    ds.PatientBirthDate = ""
    ds.PatientSex = sex or ""
    if age is not None:
        ds.PatientAge = f"{age:03d}Y"
    for empty in ("StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName", "StudyID", "Laterality"):
        setattr(ds, empty, "")
    ds.ContentDate, ds.ContentTime = "20000101", "000000"
    ds.Manufacturer = "secondread phantom"
    ds.PatientIdentityRemoved = "YES"
    ds.DeidentificationMethod = "Synthetic: there is no person"


def _code(item: Any, value: str, scheme: str, meaning: str) -> Any:
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def _uid(*made_of: str | bytes) -> Any:
    """A UID of the 2.25 root that depends on the content alone, so that equal films give equal files."""
    import hashlib

    from pydicom.uid import UID

    digest = hashlib.sha256(b"\0".join(p.encode() if isinstance(p, str) else p for p in made_of)).digest()
    return UID(UID_ROOT + str(int.from_bytes(digest[:16], "big")))
