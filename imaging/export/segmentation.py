"""Masks as a DICOM segmentation object, on the very grid of the images they were made from."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.draw.palette import colours
from secondread.imaging.export.codes import describe_schemes, side_code, structure
from secondread.imaging.export.planes import on_sources
from secondread.imaging.export.source import FileSource, SourceFiles, finished, read_sources
from secondread.imaging.export.write import MAKER, Exported, Maker, new_uid, own_version, save
from secondread.imaging.quiet import quiet
from secondread.schema.errors import InputError
from secondread.schema.study import Affine

PURPOSE = "A DICOM segmentation"
SERIES_NUMBER = 9101


@dataclass(frozen=True)
class Segment:
    """One structure to be written."""

    name: str
    """Concept id, e.g. `right_lung`."""
    mask: NDArray[np.bool_]
    """Shape (rows, columns) of one frame, (frames, rows, columns) of all, or (i, j, k) of a volume with an affine."""
    maker: Maker
    radlex: str | None = None
    frame: int = 0
    """Frame or file, counted from 0, that a two-dimensional mask belongs to."""


def write_segmentation(
    sources: Sequence[FileSource],
    segments: Sequence[Segment],
    out: str | os.PathLike[str],
    *,
    affine: Affine | None = None,
) -> Exported:
    """Write binary masks as one DICOM SEG, one segment per structure.

    The object belongs to the patient and study of the source files, in a series of its own, and has their geometry.
    An empty mask stays a segment without frames; at least one mask must have pixels.

    Args:
        sources: The DICOM files the masks were made from: one film, all slices of a series, or one multi-frame file.
        segments: What to write.
        out: Path of the new file.
        affine: Voxel index to RAS mm of masks that are volumes; they are put on the slices by geometry.

    Raises:
        UnsupportedImage: A source is no DICOM image.
        UnreadableImage: A source cannot be read.
        InputError: No segment, only empty ones, a mask of another shape or grid than the sources, images of fewer than
            8 pixels, or a clip whose frames have no place.
        UsageError: `out` cannot be written.
    """
    if not segments:
        raise InputError("There is no mask to write.")
    files = read_sources(sources, PURPOSE)
    if files.shape[0] * files.shape[1] < 8:
        raise InputError(
            "A segmentation of fewer than 8 pixels per frame is not written."
        )  # highdicom packs it wrongly
    if files.frames > 1 and len(files.datasets) == 1 and "SharedFunctionalGroupsSequence" not in files.datasets[0]:
        raise InputError(f"{PURPOSE} needs the place of every frame; this clip does not say how its frames lie.")
    pixels = _pixels(files, segments, affine)
    with quiet():
        try:
            ds = _object(files, segments, pixels)
        except (AttributeError, KeyError, TypeError, ValueError, IndexError):
            raise InputError("The DICOM source lacks what a segmentation must repeat from it.") from None
    return Exported(save(ds, out), str(ds.SOPInstanceUID), files.caveats)


def _pixels(files: SourceFiles, segments: Sequence[Segment], affine: Affine | None) -> NDArray[Any]:
    """Label map (frames, rows, columns) of masks that do not meet, which costs one mask; else one more axis."""
    labels = np.zeros((files.frames, *files.shape), np.uint8 if len(segments) < 256 else np.uint16)
    for number, segment in enumerate(segments, 1):
        mask = _frames(segment, files, affine)
        if (labels[mask] != 0).any():
            return np.stack([_frames(each, files, affine) for each in segments], axis=-1).astype(np.uint8)
        labels[mask] = number
    if not labels.any():
        raise InputError("All masks are empty; a segmentation would show nothing.")
    return labels


def _frames(segment: Segment, files: SourceFiles, affine: Affine | None) -> NDArray[np.bool_]:
    mask = np.asarray(segment.mask, dtype=np.bool_)
    if affine is not None and mask.ndim == 3:
        return on_sources(mask, affine, files.datasets)
    wanted = (files.frames, *files.shape)
    if mask.shape == files.shape and 0 <= segment.frame < files.frames:
        frames = np.zeros(wanted, np.bool_)
        frames[segment.frame] = mask
        return frames
    if mask.shape != wanted:
        raise InputError(f"The mask {segment.name} has shape {mask.shape}; the DICOM source needs {wanted}.")
    return mask


def _object(files: SourceFiles, segments: Sequence[Segment], pixels: NDArray[Any]) -> Any:
    from highdicom.seg import Segmentation

    ds = Segmentation(
        source_images=list(files.datasets),
        pixel_array=pixels,
        segmentation_type="BINARY",
        segment_descriptions=_descriptions(segments),
        series_instance_uid=new_uid(),
        series_number=SERIES_NUMBER,
        sop_instance_uid=new_uid(),
        instance_number=1,
        manufacturer=MAKER,
        manufacturer_model_name=MAKER,
        software_versions=own_version(),
        device_serial_number="none",
        content_description="Masks of an automatic reading, research use only",
        content_label="SECONDREAD",
        series_description="secondread segmentation (research use only)",
    )
    if "ImagePositionPatient" not in files.datasets[0] and "PatientOrientation" not in ds:
        # PS3.3 C.7.6.1: required without a position in the patient; highdicom leaves it out
        ds.PatientOrientation = files.datasets[0].get("PatientOrientation") or ""
    describe_schemes(ds)
    return finished(ds)


def _descriptions(segments: Sequence[Segment]) -> list[Any]:
    from highdicom import AlgorithmIdentificationSequence
    from highdicom.color import CIELabColor
    from highdicom.seg import SegmentDescription
    from pydicom.sequence import Sequence as Items
    from pydicom.sr.codedict import codes

    palette = colours([segment.name for segment in segments])
    described: list[Any] = []
    for number, segment in enumerate(segments, 1):
        found = structure(segment.name, segment.radlex)
        item = SegmentDescription(
            segment_number=number,
            segment_label=segment.name.replace("_", " ")[:64],
            segmented_property_category=codes.SCT.AnatomicalStructure,
            segmented_property_type=found.code,
            algorithm_type="AUTOMATIC",
            algorithm_identification=AlgorithmIdentificationSequence(
                name=segment.maker.tool,
                family=codes.DCM.ArtificialIntelligence,
                version=segment.maker.version,
                source=MAKER,
                parameters={"weights_sha256": segment.maker.weights} if segment.maker.weights else None,
            ),
            tracking_uid=new_uid(),
            tracking_id=f"{segment.name} {number}",
            display_color=CIELabColor.from_rgb(*palette[segment.name]),
        )
        if found.side is not None:
            item.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = Items(
                [side_code(found.side)]
            )
        described.append(item)
    return described
