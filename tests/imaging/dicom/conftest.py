"""Builders of DICOM bytes: plain, multi-frame and enhanced objects, with any header."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

EXPLICIT, IMPLICIT, BIG, DEFLATED = (
    "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99",
)  # fmt: skip

Build = Callable[..., bytes]


@pytest.fixture
def item() -> Callable[..., Any]:
    """A function that makes a sequence item of its keywords."""

    def make(**values: Any) -> Any:
        from pydicom import Dataset

        ds = Dataset()
        for keyword, value in values.items():
            setattr(ds, keyword, value)
        return ds

    return make


@pytest.fixture
def build() -> Build:
    """A function that makes the bytes of a DICOM file of `pixels` with any further header; None removes an element.

    `pixels` has shape (rows, columns), (frames, rows, columns) or, with `samples=3`, a last axis of three. `compress`
    names a transfer syntax to compress into; `raw` gives the bytes of the pixel element instead of those of `pixels`.
    """

    def make(
        pixels: NDArray[Any],
        *,
        samples: int = 1,
        bits: int | None = None,
        syntax: str = EXPLICIT,
        compress: str | None = None,
        raw: bytes | None = None,
        meta: bool = True,
        **header: Any,
    ) -> bytes:
        import pydicom
        from pydicom.uid import UID

        ds = pydicom.Dataset()
        ds.file_meta = pydicom.dataset.FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = UID(syntax)
        ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.2")
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = UID("1.2.3.4")
        ds.Modality = "CT"
        shape = pixels.shape[:-1] if samples == 3 else pixels.shape
        if len(shape) == 3:
            ds.NumberOfFrames = shape[0]
        ds.Rows, ds.Columns = shape[-2:]
        ds.SamplesPerPixel = samples
        ds.PhotometricInterpretation = "RGB" if samples == 3 else "MONOCHROME2"
        if samples == 3:
            ds.PlanarConfiguration = 0
        order = ">" if syntax == BIG else "<"
        if pixels.dtype.kind == "f":
            keyword = "FloatPixelData" if pixels.dtype.itemsize == 4 else "DoubleFloatPixelData"
            ds.BitsAllocated = 8 * pixels.dtype.itemsize
        else:
            keyword = "PixelData"
            ds.BitsAllocated = 8 * pixels.dtype.itemsize
            ds.BitsStored = bits or ds.BitsAllocated
            ds.HighBit = ds.BitsStored - 1
            ds.PixelRepresentation = int(pixels.dtype.kind == "i")
        data = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes() if raw is None else raw
        setattr(ds, keyword, data + b"\0" * (len(data) % 2))
        if keyword == "PixelData":
            ds[keyword].VR = "OW" if ds.BitsAllocated > 8 else "OB"
        for name, value in header.items():
            if value is None:
                if name in ds:
                    delattr(ds, name)
            else:
                setattr(ds, name, value)
        if compress is not None:
            ds.compress(UID(compress))
        stream = io.BytesIO()
        ds.save_as(stream, enforce_file_format=True)
        found = stream.getvalue()
        return found if meta else found[found.index(b"\x08\0\x16\0") :]

    return make


@pytest.fixture
def enhanced(build: Build, item: Callable[..., Any]) -> bytes:
    """An enhanced CT of three frames, 4 rows x 6 columns: each frame has its own rescale, window and position.

    Stored value: 100 x frame + 10 x row + column. Frame k lies at z = 5 k - 7 of the patient (LPS), slope k + 1,
    intercept -10 k, a window of width 100 about 18, 225 or 630 and one of 400 about 0. Spacing of rows 2 mm, of
    columns 3 mm, both shared.
    """
    frames, rows, columns = np.mgrid[0:3, 0:4, 0:6]
    per_frame = [
        item(
            PlanePositionSequence=[item(ImagePositionPatient=[-20, 30, 5 * k - 7])],
            PixelValueTransformationSequence=[item(RescaleSlope=k + 1, RescaleIntercept=-10 * k, RescaleType="HU")],
            FrameVOILUTSequence=[item(WindowCenter=[(18, 225, 630)[k], 0], WindowWidth=[100, 400])],
        )
        for k in range(3)
    ]
    shared = item(
        PlaneOrientationSequence=[item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
        PixelMeasuresSequence=[item(PixelSpacing=[2, 3], SliceThickness=5)],
    )
    return build(
        (100 * frames + 10 * rows + columns).astype(np.uint16),
        bits=12,
        SOPClassUID="1.2.840.10008.5.1.4.1.1.2.1",
        PerFrameFunctionalGroupsSequence=per_frame,
        SharedFunctionalGroupsSequence=[shared],
    )
