"""NRRD and MetaImage: SimpleITK places the grid (LPS, turned to RAS here), voxels are mapped or inflated by us.

SimpleITK sees a header of numbers alone, written from what was parsed: it then follows no path of the file, prints no
text of it, and allocates nothing. Voxels are not read through it because it returns damaged zlib streams without an
error, follows data files anywhere, and cannot map a file.
"""

import math
import os
import tempfile
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.volume import metaimage, nrrd
from secondread.imaging.volume.beside import TextHeader, data_content
from secondread.imaging.volume.content import Content, check_voxels
from secondread.imaging.volume.grid import as_affine, spacing_of
from secondread.imaging.volume.orientation import affine_fault
from secondread.imaging.volume.volume import Volume
from secondread.imaging.volume.voxels import HeldVoxels, MappedVoxels, VoxelSource
from secondread.schema.errors import UnreadableImage, UsageError
from secondread.schema.study import VolumeInfo


def read_itk(
    content: Content, *, frame: int = 0, unit: Literal["HU", "stored"] | None = None, modality: str | None = None
) -> Volume:
    """Open an NRRD or MetaImage file; its header is read now, voxels when asked for.

    Args:
        content: The file, or the header of a detached one.
        frame: Which volume of a 4D file, from 0.
        unit: `HU` when the caller knows that the values are Hounsfield units.
        modality: Stated by the caller; overrides the header.

    Raises:
        UnreadableImage: Damaged, truncated, or without an affine that places voxels.
        UnsupportedImage: A variant that is not read, voxels outside the header's folder, or too large.
        UsageError: No such frame.
    """
    name = content.name
    header = nrrd.read_header(content) if content.raw_head(6) == nrrd.MAGIC else metaimage.read_header(content)
    if not 0 <= frame < header.frames:
        raise UsageError(f"{name} has no frame {frame + 1}; it holds {header.frames}.")
    check_voxels(name, header.shape, header.dtype)
    affine = _affine(header, name)
    data = data_content(header, content)
    modality = modality or header.modality
    caveats = list(header.caveats)
    if header.frames > 1:
        caveats.append(f"The file holds {header.frames} frames; this is frame {frame + 1}.")
    if unit is None and modality in (None, "CT"):
        caveats.append("The file does not say what its values measure; they are taken as stored.")
    info = VolumeInfo(
        id="",
        shape=header.shape,
        frames=header.frames,
        frame=frame,
        affine=as_affine(affine),
        spacing_mm=spacing_of(affine),
        oriented=header.oriented,
        unit=unit or "stored",
        modality=modality,
        source_format=header.source_format,
        bits_stored=8 * header.dtype.itemsize,
        caveats=tuple(caveats),
    )
    return Volume(info, _voxels(header, data, frame))


def _voxels(header: TextHeader, data: Content, frame: int) -> VoxelSource:
    shape, dtype = header.shape, header.dtype
    size = math.prod(shape) * dtype.itemsize
    slack = max(512, min(shape[0] * shape[1] * dtype.itemsize // 2, 1 << 16))
    if header.deflated:
        data.check_room(0, size * header.frames, slack, deflated=True)
        after = (header.frames - 1 - frame) * size
        return HeldVoxels(
            lambda: data.inflated(frame * size, shape, dtype, after=after, slack=slack, base=header.offset),
            shape,
            dtype,
        )
    start = data.size - size * header.frames if header.from_end else header.offset
    data.check_room(max(start, 0), size * header.frames, slack, deflated=False)
    return MappedVoxels(lambda: data.mapped(start + frame * size, shape, dtype), shape, dtype)


def _affine(header: TextHeader, name: str) -> NDArray[np.float64]:
    """Voxel index to RAS mm, from the geometry that SimpleITK reads out of the minimal header."""
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    with tempfile.TemporaryDirectory(prefix="secondread-") as folder:
        path = os.path.join(folder, f"grid{header.suffix}")
        with open(path, "w", encoding="ascii") as file:
            file.write(header.minimal)
        reader.SetFileName(path)
        try:
            reader.ReadImageInformation()
        except RuntimeError:  # what SimpleITK raises for everything
            raise UnreadableImage(f"{name} has a damaged header: its grid cannot be placed.") from None
    if tuple(reader.GetSize()) != header.shape:
        raise UnreadableImage(f"{name} has a damaged header: its grid cannot be placed.")
    affine = np.eye(4)
    affine[:3, :3] = np.array(reader.GetDirection()).reshape(3, 3) * np.array(reader.GetSpacing())
    affine[:3, 3] = reader.GetOrigin()
    affine[:3] *= header.mm
    affine[:2] *= -1  # LPS to RAS
    fault = affine_fault(affine)
    if fault:
        raise UnreadableImage(f"{name} cannot be placed: {fault}.")
    if not header.oriented:
        affine = np.diag([*np.linalg.norm(affine[:3, :3], axis=0), 1.0])
    return affine
