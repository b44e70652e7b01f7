"""A drawn film, and a writer of DICOM files around it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray


@pytest.fixture
def film8() -> NDArray[np.uint8]:
    """An 8-bit film of 96 x 80 pixels that uses the whole range: a bright heart between dark lungs."""
    rows, columns = np.mgrid[0:96, 0:80]
    lungs = np.exp(-(((columns - 22) / 12) ** 2) - ((rows - 45) / 30) ** 2)
    lungs += np.exp(-(((columns - 58) / 12) ** 2) - ((rows - 45) / 30) ** 2)
    heart = np.exp(-(((columns - 44) / 14) ** 2) - ((rows - 60) / 14) ** 2)
    film = 0.5 + 0.5 * heart - 0.45 * lungs
    film[:3, :3] = 0
    return np.rint((film - film.min()) / (film.max() - film.min()) * 255).astype(np.uint8)


@pytest.fixture
def write_dicom(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes a digital radiograph of `pixels` with any further attributes and returns its path."""

    def write(pixels: NDArray[Any], name: str = "film.dcm", *, bits: int = 12, **header: Any) -> Path:
        import pydicom
        from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian

        ds = pydicom.Dataset()
        ds.file_meta = pydicom.dataset.FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
        ds.Modality = "DX"
        ds.Rows, ds.Columns = pixels.shape[-2:] if pixels.ndim < 3 or pixels.shape[-1] != 3 else pixels.shape[:2]
        ds.SamplesPerPixel = 3 if pixels.shape[-1] == 3 else 1
        if ds.SamplesPerPixel == 3:
            ds.PlanarConfiguration = 0
        ds.BitsAllocated = 8 * pixels.dtype.itemsize
        ds.BitsStored, ds.HighBit = bits, bits - 1
        ds.PixelRepresentation = int(pixels.dtype.kind == "i")
        ds.PhotometricInterpretation = "MONOCHROME2"
        ds.PixelData = pixels.tobytes()
        ds["PixelData"].VR = "OW" if ds.BitsAllocated > 8 else "OB"
        compress = header.pop("compress", None)
        for keyword, value in header.items():
            setattr(ds, keyword, value)
        if compress is not None:
            ds.compress(compress)
        path = tmp_path / name
        ds.save_as(path, enforce_file_format=True)
        return path

    return write


@pytest.fixture
def film12(film8: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """The same film in 12 bits."""
    return np.rint(film8 / 255 * 4095).astype(np.uint16)
