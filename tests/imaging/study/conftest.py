"""Writers of tiny DICOM series with every oddity a scanner or an archive can produce."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

STUDY, SERIES, FRAME = "1.2.3.1", "1.2.3.2", "1.2.3.3"
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)


def image(number: int = 1, *, rows: int = 4, columns: int = 6, value: int | None = None, **header: Any) -> Dataset:
    """One CT slice of 4 x 6 pixels that all hold `value` (by default the number); an attribute of None is left out."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID = CTImageStorage
    ds.SOPInstanceUID = f"1.2.3.4.{number}"
    ds.Modality, ds.PatientID, ds.PatientName, ds.StudyDate = "CT", "P1", "Roe^Jane", "20200102"
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = STUDY, SERIES, FRAME
    ds.SeriesNumber, ds.InstanceNumber, ds.ImageType = 1, number, ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.ImagePositionPatient, ds.ImageOrientationPatient = [0.0, 0.0, 2.0 * number], list(AXIAL)
    ds.PixelSpacing, ds.SliceThickness = [1.0, 1.0], 2.0
    ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PhotometricInterpretation = rows, columns, 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = 1, -1024, "HU"
    pixels = np.full((rows, columns), number if value is None else value, np.uint16)
    for keyword, given in header.items():
        if given is None and keyword in ds:
            delattr(ds, keyword)
        elif given is not None:
            setattr(ds, keyword, given)
    if "PixelData" not in ds:
        ds.PixelData = pixels.tobytes()
        ds["PixelData"].VR = "OW"
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.get("SOPInstanceUID", "1.2.3.4.0")
    return ds


def save(ds: Dataset, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    ds.save_as(path, enforce_file_format=True)
    return path


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes one slice (arguments of `image`) below a folder named `disc` and returns its path."""

    def written(number: int = 1, *, name: str | None = None, **header: Any) -> Path:
        return save(image(number, **header), tmp_path / "disc" / (name or f"IM{number:04d}"))

    return written


@pytest.fixture
def write_stack(write: Callable[..., Path], tmp_path: Path) -> Callable[..., Path]:
    """A function that writes slices at positions (x, y, z) in LPS mm, numbered from `first`, and returns the folder."""

    def written(positions: Sequence[Sequence[float]], *, first: int = 1, **header: Any) -> Path:
        for number, position in enumerate(positions, first):
            write(number, ImagePositionPatient=[float(v) for v in position], **header)
        return tmp_path / "disc"

    return written


def along_z(*heights: float) -> list[tuple[float, float, float]]:
    return [(0.0, 0.0, z) for z in heights]


def without_preamble(path: Path) -> Path:
    """The file as a bare data set: no preamble, no file meta information."""
    ds = pydicom.dcmread(path)
    bare = Dataset(ds)
    pydicom.dcmwrite(path, bare, implicit_vr=True, little_endian=True, enforce_file_format=False)
    return path
