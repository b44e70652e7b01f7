"""Measurements as a DICOM structured report after TID 1500, with landmarks on the image they were taken from."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from secondread.imaging.export.codes import describe_schemes, private, side_code, structure, unit
from secondread.imaging.export.source import FileSource, SourceFiles, finished, read_sources
from secondread.imaging.export.write import MAKER, Exported, Maker, new_uid, own_version, save
from secondread.imaging.quiet import quiet
from secondread.schema.errors import InputError
from secondread.schema.evidence import Measurement

PURPOSE = "A DICOM structured report"
SERIES_NUMBER = 9102
LONGEST = 1024
"""Characters of one text item; DICOM allows more, viewers do not show it."""


@dataclass(frozen=True)
class Measured:
    """One measurement to be written, with where it was taken."""

    measurement: Measurement
    maker: Maker
    site: str | None = None
    """Concept id of the structure it is about, e.g. `heart`; None when there is none."""
    site_radlex: str | None = None
    tracking: str = ""
    """Readable identifier, e.g. the id of the evidence."""
    source: int | None = 0
    """Which of the sources, counted from 0; None: all of them, as for a whole volume."""
    frame: int = 0
    """Frame of a multi-frame source, counted from 0."""
    places: tuple[tuple[int, int], ...] = ()
    """Source and frame of each landmark, for landmarks that lie on several; empty: all on `source` and `frame`."""


def write_measurement_report(
    sources: Sequence[FileSource], measured: Sequence[Measured], out: str | os.PathLike[str]
) -> Exported:
    """Write measurements as one Comprehensive SR with a TID 1500 Measurement Report.

    Each measurement becomes a group (TID 1501) with its tracking ids, finding site, tool and value; landmarks become a
    spatial coordinate item on the image. The interval is written as upper and lower measurement uncertainty, and once
    more in words with its level and method. A measurement that could not be taken is a comment without a number.

    Args:
        sources: DICOM files of the images measured.
        measured: What to write; landmarks are in pixel-centre coordinates of the image.
        out: Path of the new file.

    Raises:
        UnsupportedImage: A source is no DICOM image.
        UnreadableImage: A source cannot be read.
        InputError: Nothing to write, or a header that lacks what the report must repeat.
        UsageError: `out` cannot be written.
    """
    if not measured:
        raise InputError("There is no measurement to write.")
    files = read_sources(sources, PURPOSE)
    with quiet():
        try:
            ds = _object(files, measured)
        except (AttributeError, KeyError, TypeError, ValueError, IndexError):
            raise InputError("The DICOM source lacks what a structured report must repeat from it.") from None
    return Exported(save(ds, out), str(ds.SOPInstanceUID), files.caveats)


def _object(files: SourceFiles, measured: Sequence[Measured]) -> Any:
    from highdicom.sr import (
        ComprehensiveSR,
        DeviceObserverIdentifyingAttributes,
        MeasurementReport,
        ObservationContext,
        ObserverContext,
    )
    from pydicom.sr.codedict import codes

    observer = ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=DeviceObserverIdentifyingAttributes(
            uid=new_uid(), name=MAKER, manufacturer_name=MAKER, model_name=own_version()
        ),
    )
    report = MeasurementReport(
        observation_context=ObservationContext(observer_device_context=observer),
        procedure_reported=codes.SCT.ImagingProcedure,
        imaging_measurements=[_group(item, files) for item in measured],
        title=codes.DCM.ImagingMeasurementReport,
    )
    ds = ComprehensiveSR(
        evidence=list(files.datasets),
        content=report[0],
        series_instance_uid=new_uid(),
        series_number=SERIES_NUMBER,
        sop_instance_uid=new_uid(),
        instance_number=1,
        manufacturer=MAKER,
        is_complete=True,
        is_final=False,
        is_verified=False,
        series_description="secondread measurements (research use only)",
    )
    ds.add_new("SoftwareVersions", "LO", own_version())
    describe_schemes(ds)
    return finished(ds)


def _group(item: Measured, files: SourceFiles) -> Any:
    """A measurement group, TID 1501."""
    from highdicom.sr import (
        AlgorithmIdentification,
        MeasurementsAndQualitativeEvaluations,
        SourceImageForMeasurementGroup,
        TrackingIdentifier,
    )
    from pydicom.sr.codedict import codes

    images = list(files.datasets) if item.source is None else [files.datasets[item.source]]
    frames = None if item.source is None else _frames(images[0], item.frame)
    parameters = [f"weights_sha256={item.maker.weights}"] if item.maker.weights else None
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(
            uid=new_uid(), identifier=f"{item.tracking} {item.measurement.name}".strip()[:LONGEST]
        ),
        algorithm_id=AlgorithmIdentification(
            name=item.maker.tool,
            version=item.maker.version,
            parameters=parameters,
            family=codes.DCM.ArtificialIntelligence,
            manufacturer=MAKER,
        ),
        finding_sites=_sites(item),
        measurements=[_number(item, files)] if item.measurement.value is not None else None,
        source_images=[
            SourceImageForMeasurementGroup(image.SOPClassUID, image.SOPInstanceUID, referenced_frame_numbers=frames)
            for image in images
        ],
    )
    for line in _comments(item.measurement):
        group[0].ContentSequence.append(_comment(line))
    return group


def _sites(item: Measured) -> list[Any] | None:
    from highdicom.sr import FindingSite

    if item.site is None:
        return None
    found = structure(item.site, item.site_radlex)
    return [FindingSite(found.code, laterality=side_code(found.side) if found.side else None)]


def _number(item: Measured, files: SourceFiles) -> Any:
    from highdicom.sr import Measurement as NumberItem
    from highdicom.sr import MeasurementProperties

    measurement = item.measurement
    value = measurement.value
    assert value is not None
    properties = None
    if measurement.interval is not None and measurement.interval.low <= value <= measurement.interval.high:
        properties = MeasurementProperties(
            upper_measurement_uncertainty=_short(measurement.interval.high - value),
            lower_measurement_uncertainty=_short(value - measurement.interval.low),
        )
    return NumberItem(
        name=private(measurement.name),
        value=_short(value),
        unit=unit(measurement.unit),
        properties=properties,
        referenced_coordinates=_landmarks(item, files) or None,
    )


def _landmarks(item: Measured, files: SourceFiles) -> list[Any]:
    """One POINT per landmark. DICOM counts from the top left corner of the top left pixel: +0.5 on both axes.

    Source: DICOM PS3.3 C.18.6.1.1.
    """
    from highdicom.sr import CoordinatesForMeasurement, GraphicTypeValues, SourceImageForRegion

    points = item.measurement.landmarks
    places = item.places or ((item.source or 0, item.frame),) * len(points)
    found: list[Any] = []
    for point, (source, frame) in zip(points, places, strict=True):
        image = files.datasets[source]
        found.append(
            CoordinatesForMeasurement(
                graphic_type=GraphicTypeValues.POINT,
                graphic_data=np.array([[point.x + 0.5, point.y + 0.5]]),
                source_image=SourceImageForRegion(
                    image.SOPClassUID, image.SOPInstanceUID, referenced_frame_numbers=_frames(image, frame)
                ),
                purpose=private(point.name or "landmark"),
            )
        )
    return found


def _frames(image: Any, frame: int) -> list[int] | None:
    """Frame numbers, from 1, for a multi-frame image; None for others."""
    return [frame + 1] if int(image.get("NumberOfFrames") or 1) > 1 else None


def _comments(measurement: Measurement) -> list[str]:
    """What the numbers alone do not say."""
    lines: list[str] = []
    if measurement.value is None:
        lines.append(f"Not measured: {measurement.not_measurable or 'no reason given'}")
    if (interval := measurement.interval) is not None:
        lines.append(
            f"{interval.level:.0%} interval {interval.low:g} to {interval.high:g} {measurement.unit}; "
            f"method: {interval.method}"
        )
    if (threshold := measurement.threshold) is not None:
        lines.append(
            f"{threshold.concept.replace('_', ' ')} when {threshold.direction} {threshold.value:g} {threshold.unit} "
            f"({threshold.population}; {threshold.source})"
        )
    if measurement.surrogate_for:
        lines.append(f"Only hints at {measurement.surrogate_for.replace('_', ' ')}; decides nothing by itself")
    lines += measurement.caveats
    return [line[:LONGEST] for line in lines]


def _comment(text: str) -> Any:
    from highdicom.sr import RelationshipTypeValues, TextContentItem
    from pydicom.sr.codedict import codes

    return TextContentItem(name=codes.DCM.Comment, value=text, relationship_type=RelationshipTypeValues.CONTAINS)


def _short(value: float) -> float:
    """Rounded so that it fits the 16 characters of a decimal string. Source: DICOM PS3.5 6.2, VR DS."""
    return float(f"{value:.9g}")
