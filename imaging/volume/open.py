"""Any volume file to a `Volume`: what the content is decides, not the extension."""

import os
from typing import Literal

from secondread.imaging.load import content_kind
from secondread.imaging.volume import metaimage, nrrd
from secondread.imaging.volume.content import Content
from secondread.imaging.volume.nifti import kind_of
from secondread.imaging.volume.volume import Volume
from secondread.schema.errors import UnreadableImage, UnsupportedImage, UsageError

_HEAD = 4096
_READ = "NIfTI (.nii, .nii.gz), NRRD (.nrrd, .nhdr) and MetaImage (.mha, .mhd) are read as volumes."


def open_volume(
    source: str | os.PathLike[str] | bytes,
    name: str | None = None,
    *,
    frame: int = 0,
    unit: Literal["HU", "stored"] | None = None,
    modality: str | None = None,
) -> Volume:
    """Open a volume file. Its header is read now; voxels when a slice or value is asked for.

    Args:
        source: Path of a .nii, .nii.gz, .nrrd, .nhdr, .mha or .mhd file, or the bytes of one.
        name: What to call it in messages; the path as typed when None.
        frame: Which volume of a 4D file, from 0.
        unit: `HU` when the caller knows that the values are Hounsfield units; these formats do not say.
        modality: DICOM modality, when the caller knows it.

    Raises:
        UnreadableImage: Missing, empty, truncated, damaged, or not a volume.
        UnsupportedImage: A volume of a kind that is not read, or too large.
        UsageError: No such frame, or a unit that is not one.
    """
    if unit not in (None, "HU", "stored"):
        raise UsageError("The unit stated is not known.", hint="Use HU or stored.")
    content = Content(source, name)
    head = content.head(_HEAD)
    if kind_of(head) is not None:
        from secondread.imaging.volume.nifti import read_nifti

        return read_nifti(content, frame=frame, unit=unit, modality=modality)
    if not content.gzipped and (head.startswith(nrrd.MAGIC) or metaimage.looks_like(head)):
        from secondread.imaging.volume.itk import read_itk

        return read_itk(content, frame=frame, unit=unit, modality=modality)
    kind = content_kind(head)
    if kind is not None and "dicom" in kind:
        raise UnsupportedImage(f"{content.name} is a DICOM file, not a volume file.", hint="Open it as a study.")
    if kind is not None:
        raise UnsupportedImage(f"{content.name} is not a volume but a {kind.upper()} file.", hint=_READ)
    raise UnreadableImage(f"{content.name} is not a volume file.", hint=_READ)
