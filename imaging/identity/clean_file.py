"""One DICOM file cleaned: read, changed in place, and written whole."""

import io
import os
import tempfile
from pathlib import Path
from typing import Any, Literal

from secondread.imaging.dicom.values import text
from secondread.imaging.identity.clean import clean
from secondread.imaging.identity.pseudonyms import Pseudonyms
from secondread.schema.errors import UnreadableImage, UnsupportedImage

TextInPixels = Literal["ignore", "warn", "mask"]

_OFTEN_WRITTEN = frozenset(("US", "IVUS", "BDUS", "ES", "XC", "GM", "OT", "SC", "DOC", "XA", "RF"))
"""Modalities whose devices write names into the pixels, with secondary captures."""

_MARKS = ("SOPClassUID", "SOPInstanceUID", "Modality", "PixelData", "StudyInstanceUID")
"""A file without preamble that has one of these is DICOM."""

_NAMED = (("MediaStorageSOPClassUID", "SOPClassUID"), ("MediaStorageSOPInstanceUID", "SOPInstanceUID"))
"""What the meta information repeats from the data set; where that lacks it, its own value gets a stand-in."""


def parsed(data: bytes) -> Any | None:
    """The data set, or None for a file that is not DICOM."""
    import pydicom
    from pydicom.errors import InvalidDicomError

    whole = data[128:132] == b"DICM"
    try:
        ds = pydicom.dcmread(io.BytesIO(data), force=True)
    except (InvalidDicomError, EOFError):
        ds = None
    except Exception:
        if whole:
            raise
        ds = None
    if ds is not None and (any(keyword in ds for keyword in _MARKS) or (whole and len(ds) > 0)):
        return ds
    if whole:
        raise UnreadableImage("It is a damaged or truncated DICOM file.")
    return None


def cleaned_in_place(
    ds: Any, names: Pseudonyms, *, keep_dates_relative: bool = False, text_in_pixels: TextInPixels = "ignore"
) -> str:
    """Clean a whole data set: elements, meta information, and on request its pixels.

    Returns:
        A warning for the user, or nothing.

    Raises:
        UnsupportedImage: An encapsulated document, which cannot be cleaned, or pixels that cannot be masked.
    """
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence
    from pydicom.sr.codedict import codes

    from secondread.imaging.export.write import own_version

    if "EncapsulatedDocument" in ds:
        raise UnsupportedImage("It is a document inside DICOM, which cannot be cleaned.")
    told = text(ds, "BurnedInAnnotation").upper() == "YES"
    suspect = text(ds, "Modality").upper() in _OFTEN_WRITTEN or "ConversionType" in ds
    places = _text(ds, text_in_pixels)
    done = clean(ds, names, keep_dates_relative=keep_dates_relative)
    options = [*done.options, *(["CleanPixelDataOption"] if text_in_pixels == "mask" and "PixelData" in ds else [])]
    ds.PatientIdentityRemoved = "YES"
    ds.DeidentificationMethod = f"secondread {own_version()}, PS3.15 basic profile"[:64]
    items = []
    for option in options:
        code = getattr(codes.DCM, option)
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code.value, "DCM", code.meaning
        items.append(item)
    ds.DeidentificationMethodCodeSequence = Sequence(items)
    ds.LongitudinalTemporalInformationModified = "MODIFIED" if keep_dates_relative else "REMOVED"
    _meta(ds, names)
    if text_in_pixels == "warn" and places:
        return f"Its pixels show text in {'one place' if places == 1 else f'{places} places'}."
    if told and not (text_in_pixels == "mask" and places):
        return "The header says that the pixels show identifying text; none was painted over."
    if suspect and text_in_pixels == "ignore" and "PixelData" in ds:
        return "Images of this kind often show text in their pixels; nobody looked."
    return _cut_short(ds)


def _text(ds: Any, wanted: TextInPixels) -> int:
    """Places of text in the pixels, as far as they are to be looked for; painted over on request."""
    if wanted == "ignore":
        return 0
    from secondread.imaging.identity.mask_pixels import mask_pixels, places_of_text

    return mask_pixels(ds) if wanted == "mask" else places_of_text(ds)


def _cut_short(ds: Any) -> str:
    """A warning when uncompressed pixels end before the header says they do."""
    from pydicom.pixels.utils import get_expected_length
    from pydicom.uid import UID

    if "PixelData" not in ds:
        return ""
    try:
        if UID(ds.file_meta.TransferSyntaxUID).is_encapsulated:
            return ""
        short = len(ds.PixelData) < get_expected_length(ds)
    except Exception:  # a malformed number of frames or the like: nothing can be said
        return ""
    return "Its pixels end before the header says they do." if short else ""


def _meta(ds: Any, names: Pseudonyms) -> None:
    """Meta information that says nothing of where the file came from; preamble emptied."""
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import (
        PYDICOM_IMPLEMENTATION_UID,
        ExplicitVRBigEndian,
        ExplicitVRLittleEndian,
        ImplicitVRLittleEndian,
    )

    old = ds.file_meta
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\0\1"
    meta.ImplementationClassUID = PYDICOM_IMPLEMENTATION_UID
    meta.FileMetaInformationGroupLength = 0  # pydicom fills it in
    syntax = text(old, "TransferSyntaxUID")
    if not syntax:
        implicit, little = ds.original_encoding
        syntax = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian if little else ExplicitVRBigEndian
    meta.TransferSyntaxUID = syntax
    for keyword, instead in _NAMED:
        if value := text(ds, instead) or names.uid(text(old, keyword)):
            setattr(meta, keyword, value)
    ds.file_meta = meta
    ds.preamble = b"\0" * 128


def write(ds: Any, path: Path) -> None:
    """Write a cleaned data set so that `path` is either absent or whole."""
    from pydicom.uid import UID

    temporary = ""
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", suffix=".part", delete=False) as file:
            temporary = file.name
            if UID(ds.file_meta.TransferSyntaxUID).is_transfer_syntax:
                ds.save_as(file, enforce_file_format="MediaStorageSOPInstanceUID" in ds.file_meta)
            else:  # a syntax that pydicom does not know: written in the encoding it was read in
                implicit, little = ds.original_encoding
                ds.save_as(file, implicit_vr=implicit, little_endian=little, force_encoding=True)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        raise
