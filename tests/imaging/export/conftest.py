"""A validator of DICOM objects, and series to export from."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture
def film() -> Path:
    """The drawn chest film that the project ships."""
    return EXAMPLES / "chest.dcm"


@pytest.fixture(scope="session")
def errors_of() -> Callable[[Path], list[str]]:
    """A function that gives the errors dciodvfy finds in a file."""
    program = shutil.which("dciodvfy")
    if program is None:
        pytest.skip("dciodvfy is not installed (Debian package dicom3tools)")

    def run(path: Path) -> list[str]:
        done = subprocess.run([program, "-new", str(path)], capture_output=True, text=True, timeout=120)
        return [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")]

    return run


@pytest.fixture
def ct_series(tmp_path: Path) -> Callable[..., list[Path]]:
    """A function that writes a CT series and returns its files in order of their position."""

    def write(
        count: int = 4, rows: int = 12, columns: int = 10, orientation: Any = (1, 0, 0, 0, 1, 0), step: float = 2.5
    ) -> list[Path]:
        import pydicom
        from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

        across, down = np.array(orientation[:3]), np.array(orientation[3:])
        normal = np.cross(across, down)
        paths = []
        for k in range(count):
            ds = pydicom.Dataset()
            ds.file_meta = pydicom.dataset.FileMetaDataset()
            ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = CTImageStorage
            ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.9.{k + 1}"
            ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = "1.2.3.7", "1.2.3.8", "1.2.3.6"
            ds.Modality, ds.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
            ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = "Roe^Ann", "PX-77", "", "F"
            ds.StudyDate, ds.StudyTime, ds.AccessionNumber, ds.StudyID = "20200102", "101112", "", ""
            ds.ReferringPhysicianName, ds.PositionReferenceIndicator, ds.Manufacturer = "", "", ""
            ds.SeriesNumber, ds.InstanceNumber, ds.AcquisitionNumber = 1, k + 1, 1
            ds.ImagePositionPatient = [float(v) for v in np.array([-20.0, -30.0, 40.0]) + step * k * normal]
            ds.ImageOrientationPatient = [float(v) for v in orientation]
            ds.PixelSpacing, ds.SliceThickness = [0.8, 1.2], step
            ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PhotometricInterpretation = rows, columns, 1, "MONOCHROME2"
            ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
            ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType, ds.KVP = 0, 1, "HU", ""
            ds.PixelData = np.full((rows, columns), 100 * k, np.int16).tobytes()
            path = tmp_path / f"ct{k}.dcm"
            ds.save_as(path, enforce_file_format=True)
            paths.append(path)
        return paths

    return write
