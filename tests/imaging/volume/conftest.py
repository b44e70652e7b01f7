"""Writers of small volume files whose every voxel says where it lies."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray


@pytest.fixture
def grid() -> tuple[NDArray[np.int16], NDArray[np.float64]]:
    """A 5 x 6 x 7 grid whose values tell their place, and an RAS affine of 2 x 3 x 4 mm."""
    x, y, z = np.mgrid[0:5, 0:6, 0:7]
    affine = np.diag([2.0, 3.0, 4.0, 1.0])
    affine[:3, 3] = (-10, 20, -30)
    return (100 * x + 10 * y + z - 300).astype(np.int16), affine


@pytest.fixture
def write_nifti(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes an array with nibabel and then overwrites header fields by name."""

    def write(
        array: NDArray[Any],
        affine: NDArray[np.float64],
        name: str = "v.nii",
        *,
        version: int = 1,
        sform: int = 1,
        qform: int = 1,
        qform_affine: NDArray[np.float64] | None = None,
        units: str | None = "mm",
        big: bool = False,
        **fields: Any,
    ) -> Path:
        import nibabel as nib

        image = (nib.Nifti1Image if version == 1 else nib.Nifti2Image)(array, affine, dtype=array.dtype)
        image.set_sform(affine if sform else None, sform)
        image.set_qform(affine if qform_affine is None else qform_affine, qform)
        image.header["pixdim"][1:4] = np.linalg.norm(affine[:3, :3], axis=0)
        if units is not None:
            image.header.set_xyzt_units(units)
        path = tmp_path / name
        nib.save(image, path)
        data = path.read_bytes()
        if name.endswith(".gz"):
            data = gzip.decompress(data)
        if big:
            header = image.header.as_byteswapped(">")
            header["vox_offset"], header["magic"] = len(header.binaryblock) + 4, f"n+{version}".encode()
            data = header.binaryblock + bytes(4) + array.astype(array.dtype.newbyteorder(">")).tobytes(order="F")
        if fields:
            data = patched(data, **fields)
        path.write_bytes(gzip.compress(data, 1) if name.endswith(".gz") else data)
        return path

    return write


def patched(data: bytes, **fields: Any) -> bytes:
    """A NIfTI-1 file with header fields overwritten, past what nibabel would write; {index: value} for a part."""
    import nibabel as nib

    header = nib.Nifti1Header(data[:348], check=False)
    for field, value in fields.items():
        if isinstance(value, dict):
            for index, item in value.items():
                header[field][index] = item
        else:
            header[field] = value
    return bytes(header.binaryblock) + data[348:]
