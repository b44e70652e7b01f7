"""What is handed over becomes studies, series and images in order; nothing is lost, nothing odd goes unsaid."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.uid import (
    BasicTextSRStorage,
    DigitalXRayImageStorageForPresentation,
    EncapsulatedPDFStorage,
    GrayscaleSoftcopyPresentationStateStorage,
    MRImageStorage,
    RTStructureSetStorage,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
    UltrasoundMultiFrameImageStorage,
)

from secondread.imaging.study.model import Series, Study
from secondread.imaging.study.scan import open_studies
from secondread.schema.errors import NotApplicable, SecondReadError, UnreadableImage, UsageError
from tests.imaging.study.conftest import along_z, image, save, without_preamble

Write = Callable[..., Path]


def only_series(study: Study) -> Series:
    [series] = study.series
    return series


def heights(series: Series) -> list[float | None]:
    return [one.place.position_mm for one in series.instances]


def kinds(study: Study) -> list[str]:
    return [series.kind for series in study.series]


# order, places


def test_slices_are_ordered_by_position_and_never_by_instance_number(write_stack: Write) -> None:
    [study] = open_studies(write_stack(along_z(6, 2, 0, 4)))
    series = only_series(study)
    assert series.kind == "volume"
    assert heights(series) == [0, 2, 4, 6]
    assert [one.place.index for one in series.instances] == [1, 2, 3, 4]
    assert series.instances[0].place.words() == "series 1 of 1, slice 1 of 4 (axial, z 0.0 mm)"
    assert series.problems == study.problems == ()
    info = series.info()
    assert (info.images, info.plane, info.spacing_mm, info.pixel_mm) == (4, "axial", 2, (1, 1))


def test_a_single_slice_has_pixels_in_mm_and_no_distance_to_another(write: Write) -> None:
    [study] = open_studies(write(1, PixelSpacing=[0.5, 0.25]))
    info = only_series(study).info()
    assert (info.kind, info.pixel_mm, info.spacing_mm) == ("image", (0.5, 0.25), None)


def test_position_is_that_of_the_slice_centre_in_ras(write: Write) -> None:
    for number in (1, 2):
        write(
            number, rows=3, columns=5, ImageOrientationPatient=[1, 0, 0, 0, 0, -1],
            ImagePositionPatient=[0, 10 + 2 * number, 0],
        )  # fmt: skip
    [study] = open_studies(write(1, name="again", SOPInstanceUID="1.9", ImagePositionPatient=None).parent)
    volume = next(one for one in study.series if one.kind == "volume")
    assert volume.plane == "coronal"
    assert heights(volume) == [-14, -12]


def test_a_loaded_image_knows_its_place_and_geometry(write_stack: Write) -> None:
    [study] = open_studies(write_stack(along_z(2, 0)))
    first = only_series(study).instances[0]
    info = first.load().info
    assert info.place == first.place
    assert info.geometry == first.geometry
    assert info.place is not None and info.place.study == study.key
    values = first.values()
    assert values is not None and (values == 2 - 1024).all()


def test_series_come_by_number_and_then_by_time(write: Write) -> None:
    for number, (series, when) in enumerate([(3, "100000"), (None, "090000"), (1, "120000"), (None, "080000")], 1):
        write(number, SeriesInstanceUID=f"1.5.{number}", SeriesNumber=series, AcquisitionTime=when)
    [study] = open_studies(write(9, SeriesInstanceUID="1.5.9", SeriesNumber=2).parent)
    assert [one.instances[0].source.name[-1] for one in study.series] == ["3", "9", "1", "4", "2"]
    assert [one.number for one in study.series] == [1, 2, 3, 4, 5]


def test_folders_files_and_lists_give_the_same_study(write_stack: Write) -> None:
    folder = write_stack(along_z(0, 2, 4))
    shutil.move(folder / "IM0002", (folder / "deep" / "deeper").mkdir(parents=True) or folder / "deep" / "deeper" / "x")
    [whole] = open_studies(folder)
    [listed] = open_studies([folder / "IM0003", str(folder / "IM0001"), folder / "deep"])
    assert listed.info() == whole.info()
    [one] = open_studies(folder / "IM0001")
    assert one.images == 1 and only_series(one).kind == "image"


# keys


def test_keys_follow_the_content_and_not_names_order_or_place(write_stack: Write, tmp_path: Path) -> None:
    folder = write_stack(along_z(0, 2, 4))
    [first] = open_studies(folder)
    (tmp_path / "moved").mkdir()
    for number, path in enumerate(sorted(folder.iterdir(), reverse=True)):
        shutil.copy(path, tmp_path / "moved" / f"{number}.dcm")
    [again] = open_studies(tmp_path / "moved")
    assert (again.key, again.series[0].key) == (first.key, first.series[0].key)
    assert re.fullmatch(r"stu-[0-9a-f]{16}", first.key) and re.fullmatch(r"ser-[0-9a-f]{16}", first.series[0].key)


def test_a_key_cannot_be_had_from_the_uids_alone(write_stack: Write, write: Write, tmp_path: Path) -> None:
    [first] = open_studies(write_stack(along_z(0, 2, 4)))
    shutil.rmtree(tmp_path / "disc")
    [other] = open_studies(write_stack(along_z(0, 2, 5)))
    assert other.key != first.key and other.series[0].key != first.series[0].key


def test_keys_are_those_of_another_run(write_stack: Write) -> None:
    folder = write_stack(along_z(0, 2))
    code = (
        "import sys; from secondread.imaging.study.scan import open_studies; print(open_studies(sys.argv[1])[0].key);"
        "assert not {'pydicom', 'torch'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == open_studies(folder)[0].key


# what one series of the scanner really holds


def test_two_orientations_are_two_stacks(write: Write) -> None:
    for k in range(6):
        write(k + 1)
        write(
            k + 11, ImageOrientationPatient=[1, 0, 0, 0, 0, -1], ImagePositionPatient=[0, 3.0 * k, 0], SliceThickness=3
        )
    [study] = open_studies(write(99, SeriesInstanceUID="1.8").parent)
    assert [(one.kind, one.plane, len(one.instances)) for one in study.series][:2] == [
        ("volume", "axial", 6),
        ("volume", "coronal", 6),
    ]
    assert "differ in orientation" in study.series[0].problems[0]
    assert len({one.key for one in study.series}) == 3


def test_two_matrix_sizes_are_two_stacks(write: Write) -> None:
    for k in range(4):
        write(k + 1)
        write(k + 11, rows=8)
    [study] = open_studies(write(12, rows=8).parent)
    assert [len(one.instances) for one in study.series] == [4, 4]
    assert "matrix size" in study.series[0].problems[0]


@pytest.mark.parametrize(
    ("label", "headers"),
    [
        ("echo number", [{"EchoNumbers": 1, "EchoTime": 10}, {"EchoNumbers": 2, "EchoTime": 90}]),
        ("echo time", [{"EchoTime": 10}, {"EchoTime": 90}]),
        ("temporal position", [{"TemporalPositionIdentifier": n} for n in (1, 2, 3)]),
        ("image type", [{"ImageType": ["ORIGINAL", "PRIMARY", t]} for t in ("M", "P")]),
        ("b-value", [{"DiffusionBValue": float(b)} for b in (0, 500, 1000)]),
        ("reconstruction kernel", [{"ConvolutionKernel": k} for k in ("B30f", "B70f")]),
        ("acquisition", [{"AcquisitionNumber": n} for n in (1, 2)]),
        ("trigger time", [{"TriggerTime": t} for t in (0, 100)]),
    ],
)
def test_images_at_one_position_are_told_apart(write: Write, label: str, headers: list[dict[str, Any]]) -> None:
    number = 0
    for k in range(4):
        for extra in headers:
            number += 1
            path = write(
                number, ImagePositionPatient=[0, 0, 2.0 * k], SOPClassUID=MRImageStorage, Modality="MR", **extra
            )
    [study] = open_studies(path.parent)
    assert [len(one.instances) for one in study.series] == [4] * len(headers)
    assert all(one.kind == "volume" and heights(one) == [0, 2, 4, 6] for one in study.series)
    assert all(f"told apart by {label}" in one.problems[0] for one in study.series)


def test_what_changes_from_slice_to_slice_splits_nothing(write: Write) -> None:
    for k in range(6):
        path = write(
            k + 1, AcquisitionTime=f"10000{k}", TriggerTime=10.0 * k, AcquisitionNumber=k, EchoTime=80 + 0.1 * k
        )
    [study] = open_studies(path.parent)
    assert len(only_series(study).instances) == 6


def test_echoes_and_times_together_are_split_by_both(write: Write) -> None:
    number = 0
    for k in range(3):
        for echo in (1, 2):
            for time in (1, 2):
                number += 1
                path = write(
                    number, ImagePositionPatient=[0, 0, 2.0 * k], EchoTime=echo, TemporalPositionIdentifier=time
                )
    [study] = open_studies(path.parent)
    assert [heights(one) for one in study.series] == [[0, 2, 4]] * 4


def test_images_that_nothing_tells_apart_are_taken_in_rounds(write: Write) -> None:
    for number in range(1, 9):
        path = write(number, ImagePositionPatient=[0, 0, 2.0 * (number % 4)])
    [study] = open_studies(path.parent)
    assert [len(one.instances) for one in study.series] == [4, 4]
    assert "not told apart by the header" in study.series[0].problems[0]


def test_stacks_side_by_side_are_two(write: Write) -> None:
    for k in range(4):
        write(k + 1, ImagePositionPatient=[-100, 0, 2.0 * k])
        path = write(k + 11, ImagePositionPatient=[100, 0, 2.0 * k])
    [study] = open_studies(path.parent)
    assert [len(one.instances) for one in study.series] == [4, 4]
    assert "told apart by place in the plane" in study.series[0].problems[0]


def test_images_all_at_one_position_stay_one_series_without_volume(write: Write) -> None:
    for number in range(1, 5):
        path = write(number, ImagePositionPatient=[0, 0, 0], TriggerTime=10.0 * number)
    [study] = open_studies(path.parent)
    series = only_series(study)
    assert (series.kind, len(series.instances)) == ("image", 4)
    assert "one position" in series.problems[0]
    with pytest.raises(NotApplicable):
        series.volume()


def test_a_localizer_is_known_by_its_image_type(write_stack: Write, write: Write) -> None:
    folder = write_stack(along_z(0, 2, 4))
    write(
        50, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"], ImageOrientationPatient=[1, 0, 0, 0, 0, -1],
        rows=30, SeriesInstanceUID="1.7", SeriesNumber=0,
    )  # fmt: skip
    [study] = open_studies(folder)
    assert kinds(study) == ["localizer", "volume"]


def test_a_lone_image_across_the_stack_of_its_series_is_a_localizer(write_stack: Write, write: Write) -> None:
    folder = write_stack(along_z(*range(0, 24, 2)))
    write(50, ImageOrientationPatient=[0, 1, 0, 0, 0, -1], ImagePositionPatient=[3, 0, 0])
    [study] = open_studies(folder)
    assert kinds(study) == ["volume", "localizer"]
    assert len(study.series[0].instances) == 12 and study.series[0].problems == ()
    assert "crosses" in study.series[1].problems[0]


def test_a_three_plane_series_is_a_localizer(write: Write) -> None:
    number = 0
    for orientation in ([1, 0, 0, 0, 1, 0], [1, 0, 0, 0, 0, -1], [0, 1, 0, 0, 0, -1]):
        for k in range(3):
            number += 1
            path = write(number, ImageOrientationPatient=orientation, ImagePositionPatient=[10.0 * k] * 3)
    [study] = open_studies(path.parent)
    assert kinds(study) == ["localizer"] * 3


# gaps, doubles, tilt, missing values


def test_a_gap_is_said_and_the_volume_is_the_longer_part(write_stack: Write) -> None:
    [study] = open_studies(write_stack(along_z(0, 2, 4, 10, 12)))
    series = only_series(study)
    assert len(series.instances) == 5
    assert series.info().spacing_mm is None
    assert any("2 slices missing" in said for said in series.problems)
    volume = series.volume()
    assert volume.shape == (6, 4, 3)
    assert any("slices 1 to 3 of 5" in said for said in volume.header.caveats)


def test_a_corrupt_file_in_the_middle_is_listed_and_leaves_a_gap(write_stack: Write) -> None:
    folder = write_stack(along_z(0, 2, 4, 6, 8))
    whole = (folder / "IM0003").read_bytes()
    (folder / "IM0003").write_bytes(whole[:300])
    [study] = open_studies(folder)
    assert [unread.source.name[-6:] for unread in study.unread] == ["IM0003"]
    assert "1 file could not be read." in study.problems
    assert any("missing" in said for said in only_series(study).problems)
    (folder / "IM0003").write_bytes(whole[:-20])
    [study] = open_studies(folder)
    assert "holds fewer pixels" in study.unread[0].reason and "IM0003" in study.unread[0].reason


def test_copies_are_left_out_and_listed(write_stack: Write) -> None:
    folder = write_stack(along_z(0, 2))
    (folder / "copy").mkdir()
    shutil.copy(folder / "IM0001", folder / "copy" / "IM0001")
    [study] = open_studies(folder)
    assert len(only_series(study).instances) == 2
    assert [held.name[-11:] for held in study.copies] == ["copy/IM0001"]
    assert "Left out as copies of other files: 1." in study.problems


def test_one_uid_with_other_content_is_listed_apart(write_stack: Write, write: Write) -> None:
    folder = write_stack(along_z(0, 2))
    write(1, name="other", ImagePositionPatient=[0, 0, 0], ImageType=["DERIVED", "PRIMARY", "AXIAL"])
    [study] = open_studies(folder)
    assert len(only_series(study).instances) == 2
    assert any("instance UID of another file" in said for said in study.problems)


def test_images_that_all_carry_one_uid_are_all_kept(write: Write) -> None:
    for number in range(1, 5):
        path = write(number, SOPInstanceUID="1.2.3.4.5")
    [study] = open_studies(path.parent)
    assert len(only_series(study).instances) == 4
    assert "Different images that share one instance UID, all kept: 3." in study.problems


def test_a_second_slice_at_one_position_is_left_out(write_stack: Write) -> None:
    [study] = open_studies(write_stack(along_z(0, 2, 2, 4)))
    series = only_series(study)
    assert len(series.instances) == 3 and [held.name[-6:] for held in series.left_out] == ["IM0003"]
    assert [one.source.name[-6:] for one in series.instances] == ["IM0001", "IM0002", "IM0004"]


def test_missing_positions_leave_an_order_and_no_millimetre(write: Write) -> None:
    for number, location in ((1, 30.0), (2, 10.0), (3, 20.0)):
        path = write(number, ImagePositionPatient=None, SliceLocation=location)
    [study] = open_studies(path.parent)
    series = only_series(study)
    assert series.kind == "volume"
    assert [one.source.name[-1] for one in series.instances] == ["2", "3", "1"]
    assert any("No grid in mm" in said for said in series.problems)
    volume = series.volume()
    assert volume.header.placed is False and volume.header.oriented is False
    assert volume.slice_info("axial", 0).spacing is None


@pytest.mark.parametrize(
    "broken",
    [
        {"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]},
        {"ImageOrientationPatient": [2, 0, 0, 0, 2, 0]},
        {"ImageOrientationPatient": [0, 0, 0, 0, 0, 0]},
        {"PixelSpacing": [0, 0]},
        {"PixelSpacing": None},
        {"ImagePositionPatient": [1, 2]},
    ],
)
def test_geometry_that_cannot_be_is_not_used(write: Write, broken: dict[str, Any]) -> None:
    for number in (1, 2, 3):
        path = write(number, **broken)
    series = only_series(open_studies(path.parent)[0])
    assert series.stack is not None and series.stack.affine is None
    assert all(one.geometry is None and one.place.position_mm is None for one in series.instances)


def test_missing_uids_group_by_folder_and_say_so(write: Write, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        write(number, SOPInstanceUID=None, StudyInstanceUID=None, SeriesInstanceUID=None)
        save(
            image(number, SOPInstanceUID=None, StudyInstanceUID=None, SeriesInstanceUID=None),
            tmp_path / "disc" / "other" / f"{number}",
        )
    studies = open_studies(tmp_path / "disc")
    assert [len(only_series(study).instances) for study in studies] == [3, 3]
    assert all(any("those of one folder" in said for said in study.problems) for study in studies)


def test_a_bare_data_set_without_preamble_is_read(write_stack: Write) -> None:
    folder = write_stack(along_z(0, 2, 4))
    without_preamble(folder / "IM0002")
    assert (folder / "IM0002").read_bytes()[128:132] != b"DICM"
    [study] = open_studies(folder)
    assert heights(only_series(study)) == [0, 2, 4]


# several frames, other objects


def enhanced(times: int = 1) -> Dataset:
    """An enhanced CT of four slices (numbered against their heights) at each of some time points."""
    ds = image(
        1, SOPClassUID="1.2.840.10008.5.1.4.1.1.2.1", ImagePositionPatient=None, ImageOrientationPatient=None,
        PixelSpacing=None, SliceThickness=None, NumberOfFrames=4 * times,
        PixelData=np.repeat(np.arange(4 * times, dtype=np.uint16), 24).tobytes(),
    )  # fmt: skip
    shared, orientation, measures = Dataset(), Dataset(), Dataset()
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    measures.PixelSpacing, measures.SliceThickness = [0.5, 0.5], 3
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = [orientation], [measures]
    ds.SharedFunctionalGroupsSequence = [shared]
    frames = []
    for frame in range(4 * times):
        item, position, content, value = Dataset(), Dataset(), Dataset(), Dataset()
        position.ImagePositionPatient = [0, 0, 9.0 - 3.0 * (frame % 4)]
        content.TemporalPositionIndex = 1 + frame // 4
        value.RescaleSlope, value.RescaleIntercept, value.RescaleType = 1, -1000, "HU"
        item.PlanePositionSequence, item.FrameContentSequence = [position], [content]
        item.PixelValueTransformationSequence = [value]
        frames.append(item)
    ds.PerFrameFunctionalGroupsSequence = frames
    return ds


def test_an_enhanced_object_is_one_series_of_its_frames(tmp_path: Path) -> None:
    save(enhanced(), tmp_path / "e.dcm")
    [study] = open_studies(tmp_path / "e.dcm")
    series = only_series(study)
    assert (series.kind, heights(series)) == ("volume", [0, 3, 6, 9])
    assert [one.frame for one in series.instances] == [3, 2, 1, 0]
    volume = series.volume()
    assert volume.spacing_mm == pytest.approx((0.5, 0.5, 3))
    assert volume.dtype == np.int16 and volume.header.unit == "HU"
    assert volume.values()[0, 0].tolist() == [-997, -998, -999, -1000]


def test_time_points_of_an_enhanced_object_are_series_of_their_own(tmp_path: Path) -> None:
    save(enhanced(times=3), tmp_path / "e.dcm")
    [study] = open_studies(tmp_path / "e.dcm")
    assert [heights(one) for one in study.series] == [[0, 3, 6, 9]] * 3
    assert [one.volume().values()[0, 0, 0] for one in study.series] == [-997, -993, -989]


def test_an_ultrasound_clip_is_a_cine_with_times(write: Write) -> None:
    path = write(
        1, SOPClassUID=UltrasoundMultiFrameImageStorage, Modality="US", NumberOfFrames=3, FrameTime=40,
        ImagePositionPatient=None, ImageOrientationPatient=None, PixelData=bytes(4 * 6 * 2 * 3),
    )  # fmt: skip
    [study] = open_studies(path)
    series = only_series(study)
    assert series.kind == "cine"
    assert [one.place.time_s for one in series.instances] == pytest.approx([0, 0.04, 0.08])
    assert series.instances[1].place.words() == "series 1 of 1, frame 2 of 3 (0.04 s)"
    assert series.instances[2].load().info.ref.frame == 2


def test_two_clips_of_one_series_stay_apart_from_each_other_and_from_stills(write: Write) -> None:
    shared: dict[str, Any] = {
        "SOPClassUID": UltrasoundMultiFrameImageStorage, "Modality": "US", "ImagePositionPatient": None,
    }  # fmt: skip
    for number in (1, 2):
        write(number, NumberOfFrames=3, PixelData=bytes(4 * 6 * 2 * 3), **shared)
    path = write(3, **shared)
    write(4, **shared)
    [study] = open_studies(path.parent)
    assert sorted((one.kind, len(one.instances)) for one in study.series) == [("cine", 3), ("cine", 3), ("image", 2)]


@pytest.mark.parametrize(
    ("sop_class", "modality", "kind"),
    [
        (SegmentationStorage, "SEG", "derived"),
        (GrayscaleSoftcopyPresentationStateStorage, "PR", "derived"),
        (RTStructureSetStorage, "RTSTRUCT", "derived"),
        ("1.2.840.10008.5.1.4.1.1.481.2", "RTDOSE", "derived"),
        (BasicTextSRStorage, "SR", "document"),
        ("1.2.840.10008.5.1.4.1.1.88.59", "KO", "document"),
        (EncapsulatedPDFStorage, "DOC", "document"),
        ("1.2.840.10008.5.1.4.1.1.481.5", "RTPLAN", "document"),
        (SecondaryCaptureImageStorage, "OT", "secondary"),
        (SecondaryCaptureImageStorage, "CT", "secondary"),
    ],
)
def test_what_is_no_image_of_the_patient_is_never_taken_for_one(
    write_stack: Write, write: Write, sop_class: str, modality: str, kind: str
) -> None:
    folder = write_stack(along_z(0, 2, 4))
    write(9, SOPClassUID=sop_class, Modality=modality)
    [study] = open_studies(folder)
    assert sorted(kinds(study)) == sorted([kind, "volume"])
    other = next(one for one in study.series if one.kind == kind)
    with pytest.raises(NotApplicable):
        other.volume()


# studies in time, patients


def visit(folder: Path, name: str, date: str, *, patient: str = "P1", **header: Any) -> None:
    for number in (1, 2):
        uid = f"1.6.{abs(hash(name)) % 10**9}"
        save(
            image(
                number, StudyInstanceUID=uid, SeriesInstanceUID=f"{uid}.1", SOPInstanceUID=f"{uid}.2.{number}",
                StudyDate=date, PatientID=patient, **header,
            ),
            folder / name / f"{number}",
        )  # fmt: skip


def test_older_studies_of_the_patient_are_priors_whatever_their_names(tmp_path: Path) -> None:
    visit(tmp_path, "a", "20210501")
    visit(tmp_path, "b", "20190501")
    visit(tmp_path, "c", "20200501")
    studies = open_studies(tmp_path)
    assert [study.series[0].instances[0].source.folder[-1] for study in studies] == ["b", "c", "a"]
    assert [study.role for study in studies] == ["prior", "prior", "current"]
    assert [study.patient for study in studies] == [1, 1, 1]
    place = studies[0].series[0].instances[0].place
    assert (place.study_number, place.study_count, place.role) == (1, 3, "prior")
    assert place.words().startswith("study 1 of 3 (prior), series 1 of 1")
    assert all(not study.problems for study in studies)


def test_two_patients_are_never_paired_and_it_is_said(tmp_path: Path) -> None:
    visit(tmp_path, "a", "20210501")
    visit(tmp_path, "b", "20190501", patient="P2")
    studies = open_studies(tmp_path)
    assert [study.role for study in studies] == ["current", "current"]
    assert [study.patient for study in studies] == [1, 2]
    assert all(any("2 patients" in said for said in study.problems) for study in studies)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ({"PatientName": "Doe^John"}, "same patient id but another name"),
        ({"PatientBirthDate": "19500101"}, "same patient id but another name"),
        ({"PatientName": "Roe^Jane^Mary"}, None),
        ({"PatientName": "ROE^JANE"}, None),
    ],
)
def test_one_id_pairs_only_when_nothing_contradicts(tmp_path: Path, header: dict[str, str], said: str | None) -> None:
    visit(tmp_path, "a", "20190501", PatientBirthDate="19600101")
    visit(tmp_path, "b", "20210501", **{"PatientBirthDate": "19600101", **header})
    studies = open_studies(tmp_path)
    assert studies[0].role == ("current" if said else "prior")
    assert any(said in told for told in studies[0].problems) if said else not studies[0].problems


@pytest.mark.parametrize("patient", ["", "ANONYMOUS", "0000"])
def test_ids_that_many_share_prove_nothing(tmp_path: Path, patient: str) -> None:
    visit(tmp_path, "a", "20190501", patient=patient)
    visit(tmp_path, "b", "20210501", patient=patient)
    studies = open_studies(tmp_path)
    assert [study.role for study in studies] == ["current", "current"]
    assert all(study.patient is None and "no patient id" in study.problems[0] for study in studies)


def test_studies_without_a_date_come_last_and_pair_with_none(tmp_path: Path) -> None:
    visit(tmp_path, "a", "")
    visit(tmp_path, "b", "20210501")
    studies = open_studies(tmp_path)
    assert [study.series[0].instances[0].source.folder[-1] for study in studies] == ["b", "a"]
    assert [study.role for study in studies] == ["current", "current"]
    assert all("no date" in study.problems[0] for study in studies)


def test_two_studies_of_one_day_need_times_to_be_ordered(tmp_path: Path) -> None:
    visit(tmp_path, "a", "20210501")
    visit(tmp_path, "b", "20210501")
    assert all("one date" in study.problems[0] and study.role == "current" for study in open_studies(tmp_path))
    shutil.rmtree(tmp_path / "a")
    shutil.rmtree(tmp_path / "b")
    visit(tmp_path, "a", "20210501", StudyTime="120000")
    visit(tmp_path, "b", "20210501", StudyTime="080000.5")
    assert [study.role for study in open_studies(tmp_path)] == ["prior", "current"]


# chest films


def film(folder: Path, number: int, view: str | None, **header: Any) -> None:
    defaults: dict[str, Any] = {
        "SOPClassUID": DigitalXRayImageStorageForPresentation, "Modality": "DX", "BodyPartExamined": "CHEST",
        "ImagePositionPatient": None, "ImageOrientationPatient": None, "PixelSpacing": None, "SliceThickness": None,
        "ViewPosition": view, "SeriesInstanceUID": f"1.9.{number}", "SeriesNumber": number,
    }  # fmt: skip
    save(image(number, **{**defaults, **header}), folder / f"film{number}.dcm")


def test_a_frontal_film_and_its_lateral_are_known(tmp_path: Path) -> None:
    film(tmp_path, 1, "LL")
    film(tmp_path, 2, "PA")
    [study] = open_studies(tmp_path)
    assert study.frontal is not None and study.frontal.source.name.endswith("film2.dcm")
    assert study.lateral is not None and study.lateral.source.name.endswith("film1.dcm")
    assert len(study.films) == 1
    assert study.frontal.view == "PA" and study.series[1].info().views == ("PA",)
    assert kinds(study) == ["image", "image"]


def test_two_pairs_are_matched_by_series_and_then_by_time(tmp_path: Path) -> None:
    film(tmp_path, 1, "PA", AcquisitionTime="080000")
    film(tmp_path, 2, "AP", AcquisitionTime="150000")
    film(tmp_path, 3, "LL", AcquisitionTime="150200")
    film(tmp_path, 4, "LL", AcquisitionTime="080100")
    film(tmp_path, 5, "RL", AcquisitionTime="200000")
    [study] = open_studies(tmp_path)
    told = [
        tuple(one.source.name[-5] if one is not None else None for one in (pair.frontal, pair.lateral))
        for pair in study.films
    ]
    assert told == [("1", "4"), ("2", "3"), (None, "5")]


def test_a_film_of_unknown_view_is_neither(tmp_path: Path) -> None:
    film(tmp_path, 1, None)
    film(tmp_path, 2, "LL")
    [study] = open_studies(tmp_path)
    assert study.frontal is None
    assert study.lateral is not None and study.lateral.source.name.endswith("film2.dcm")


def test_films_of_another_body_part_and_slices_are_no_chest_films(tmp_path: Path) -> None:
    film(tmp_path, 1, "PA", BodyPartExamined="HAND")
    film(tmp_path, 2, "PA", Modality="CT", SOPClassUID="1.2.840.10008.5.1.4.1.1.2")
    [study] = open_studies(tmp_path)
    assert study.films == () and study.frontal is None and study.lateral is None


# pictures, volumes, video, junk


def test_pictures_and_volumes_are_series_of_their_own(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((5, 4), np.uint8)).save(tmp_path / "a.png")
    Image.fromarray(np.zeros((5, 4), np.uint8)).save(tmp_path / "b.jpg")
    nibabel.save(nibabel.Nifti1Image(np.zeros((3, 4, 5), np.int16), np.eye(4)), tmp_path / "c.nii.gz")
    nibabel.save(nibabel.Nifti1Image(np.zeros((3, 4, 5), np.int16), np.eye(4)), tmp_path / "d.nii")
    (tmp_path / "e.nrrd").write_bytes(b"NRRD0004\ntype: uint8\n")
    (tmp_path / "f.mha").write_bytes(b"ObjectType = Image\nNDims = 3\n")
    (tmp_path / "g.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(40))
    (tmp_path / "notes.txt").write_text("a report")
    [study] = open_studies(tmp_path)
    assert kinds(study) == ["image", "image", "volume", "volume", "volume", "volume", "cine"]
    assert [one.instances[0].format for one in study.series] == [
        "png", "jpeg", "nifti", "nifti", "nrrd", "metaimage", "video",
    ]  # fmt: skip
    assert study.skipped == 1 and study.patient is None
    assert study.series[2].volume().shape == (3, 4, 5)
    assert study.series[2].volume().header.place == study.series[2].place
    assert study.series[0].instances[0].load().info.place == study.series[0].instances[0].place
    with pytest.raises(NotApplicable, match="more than one image"):
        study.series[2].instances[0].load()


def test_a_picture_beside_one_study_lies_with_it_and_the_doubt_is_said(write_stack: Write) -> None:
    folder = write_stack(along_z(0, 2))
    Image.fromarray(np.zeros((5, 4), np.uint8)).save(folder / "a.png")
    [study] = open_studies(folder)
    assert kinds(study) == ["volume", "image"]
    assert any("whom the files without a DICOM header show" in said for said in study.problems)


def test_a_dicomdir_and_system_litter_are_counted_and_skipped(write_stack: Write) -> None:
    folder = write_stack(along_z(0, 2))
    directory = Dataset()
    directory.file_meta = pydicom.dataset.FileMetaDataset()
    directory.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    directory.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.1.3.10"
    directory.file_meta.MediaStorageSOPInstanceUID = "1.2"
    directory.FileSetID = "DISC"
    directory.save_as(folder / "DICOMDIR", enforce_file_format=True)
    (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (folder / "autorun.inf").write_text("[autorun]")
    [study] = open_studies(folder)
    assert study.skipped == 3 and study.images == 2 and study.unread == ()


def test_an_empty_folder_and_a_folder_of_junk_are_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImage, match=r"^\S+ is empty\.$"):
        open_studies(tmp_path)
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "b.bin").write_bytes(os.urandom(64).replace(b"\x08\x00", b"xx"))
    (tmp_path / "c.dcm").write_bytes(b"")
    with pytest.raises(UnreadableImage, match="holds no image that can be read: 2 files no images, 1 file damaged"):
        open_studies(tmp_path)


@pytest.mark.parametrize("source", [[], 3, b"bytes", [None]])
def test_what_is_no_path_is_refused(source: Any) -> None:
    with pytest.raises(UsageError):
        open_studies(source)


def test_a_path_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImage, match=r"nowhere does not exist\."):
        open_studies(tmp_path / "nowhere")


def test_a_file_that_may_not_be_read_is_listed_by_its_reason(
    write_stack: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_stack(along_z(0, 2, 4))
    real = open

    def refusing(path: Any, *args: Any, **options: Any) -> Any:
        if str(path).endswith("IM0002"):
            raise PermissionError(13, "denied")
        return real(path, *args, **options)

    monkeypatch.setattr("builtins.open", refusing)
    [study] = open_studies(folder)
    assert len(study.unread) == 1 and study.unread[0].reason.endswith("may not be read: permission denied.")
    assert study.images == 2


def test_links_to_folders_are_not_followed_round_in_circles(write_stack: Write) -> None:
    folder = write_stack(along_z(0, 2))
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    assert open_studies(folder)[0].images == 2


def test_nothing_but_file_names_and_identity_names_a_person(write_stack: Write) -> None:
    folder = write_stack(along_z(0, 2, 8), PatientID="P4711", SeriesDescription="Jane's scan", StudyTime="101112")
    [study] = open_studies(folder)
    told = study.info().model_dump_json() + " ".join(
        one.place.model_dump_json() for series in study.series for one in series.instances
    )
    for secret in ("Roe", "Jane", "P4711", "20200102", "101112", "1.2.3"):
        assert secret not in told
    assert study.identity().reveal()["PatientID"] == "P4711"
    assert "Roe" not in repr(study) and "P4711" not in repr(study)


def test_ten_thousand_files_of_nothing_are_counted(tmp_path: Path) -> None:
    for size in range(3):
        (tmp_path / f"{size}").write_bytes(b"x" * size)
    for number in range(3, 10_000):
        os.link(tmp_path / f"{number % 3}", tmp_path / f"{number}")
    save(image(1), tmp_path / "one.dcm")
    [study] = open_studies(tmp_path)
    assert study.skipped == 10_000 and study.images == 1


@pytest.mark.data
def test_the_real_mr_series_gives_its_32_slices_in_order(data_dir: Path) -> None:
    [study] = open_studies(data_dir / "volumes_ct_mr" / "mr_dicom_hippocrop")
    series = only_series(study)
    assert series.kind == "volume" and series.problems == ()
    assert heights(series) == list(range(1, 33))
    assert series.stack is not None and series.stack.spacing_mm == (1, 1, 1)


@pytest.mark.data
def test_every_file_of_the_variety_folder_is_in_a_series_or_listed(data_dir: Path) -> None:
    folder = data_dir / "dicom_variety"
    studies = open_studies(folder)
    used = {one.source.path for study in studies for series in study.series for one in series.instances}
    held = {h.path for s in studies for h in (*s.copies, *(h for one in s.series for h in one.left_out))}
    unread = {one.source.path for one in studies[0].unread}
    files = {str(path) for path in folder.rglob("*") if path.is_file()}
    assert len(files) == len(used) + len(held) + len(unread) + studies[0].skipped
    assert len(unread) <= 3
    assert not any(
        series.kind in ("image", "volume") for s in studies for series in s.series if series.modality == "SEG"
    )


def test_pictures_that_look_alike_at_their_ends_are_told_apart_and_copies_left_out(tmp_path: Path) -> None:
    mask = np.zeros((40, 40, 40), np.int16)
    other = mask.copy()
    other[17, 23, 13] = 1
    for name, array in (("a", mask), ("b", other), ("c", mask)):
        nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), tmp_path / f"{name}.nii")
    [study] = open_studies(tmp_path)
    assert [one.instances[0].name[-5] for one in study.series] == ["a", "b"]
    assert len({one.key for one in study.series}) == 2
    assert [held.name[-5] for held in study.copies] == ["c"]


def test_files_without_patient_id_go_with_their_study(write_stack: Write, write: Write) -> None:
    folder = write_stack(along_z(0, 2))
    write(8, SeriesInstanceUID="1.8", PatientID=None)
    [study] = open_studies(folder)
    assert study.images == 3


def test_a_deflated_header_is_read_and_one_that_inflates_without_end_is_listed(
    write_stack: Write, tmp_path: Path
) -> None:
    import zlib

    folder = write_stack(along_z(0, 2))
    ds = image(3)
    ds.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    save(ds, folder / "IM0003")
    head = (folder / "IM0003").read_bytes()
    start = 132 + 12 + pydicom.dcmread(folder / "IM0003").file_meta.FileMetaInformationGroupLength
    squeeze = zlib.compressobj(9, wbits=-15)
    junk = b"\x09\x00\x10\x00OB\0\0\xff\xff\xff\x7f"
    body = squeeze.compress(junk) + b"".join(squeeze.compress(bytes(1 << 20)) for _ in range(40)) + squeeze.flush()
    (folder / "bomb").write_bytes(head[:start] + body)
    [study] = open_studies(folder)
    assert heights(only_series(study)) == [0, 2, 6]
    assert [unread.source.name[-4:] for unread in study.unread] == ["bomb"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_files_never_crash_a_scan_and_never_move_the_others(tmp_path: Path, data: st.DataObject) -> None:
    folder = tmp_path / "mutated"
    shutil.rmtree(folder, ignore_errors=True)
    for number in (1, 2, 3):
        save(image(number), folder / f"{number}")
    broken = bytearray((folder / "2").read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(broken) - 1))
        broken[at : at + 1] = data.draw(st.binary(max_size=4))
    (folder / "2").write_bytes(bytes(broken[: data.draw(st.integers(0, len(broken)))]))
    studies = open_studies(folder)
    places = {
        one.source.name[-1]: one.place.position_mm
        for study in studies for series in study.series for one in series.instances
    }  # fmt: skip
    assert places["1"] == 2 and places["3"] == 6
    for study in studies:
        for series in study.series:
            if series.kind == "volume":
                with suppress(SecondReadError):
                    assert series.volume().values().shape[2] <= 3
