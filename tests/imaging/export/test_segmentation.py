"""Segmentations read back with the same masks on the same grid, and refuse what they cannot refer to."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from secondread.imaging.export.segmentation import Segment, write_segmentation
from secondread.imaging.export.write import Maker
from secondread.schema.errors import InputError, UnreadableImage, UnsupportedImage, UsageError

MAKER = Maker("chest_anatomy", "1.2", "ab" * 32)


def read(path: Path) -> Any:
    from highdicom.seg import segread

    return segread(path)


def masks_of(seg: Any, source_uids: list[str], number: int) -> np.ndarray[Any, Any]:
    pixels = seg.get_pixels_by_source_instance(
        source_uids, segment_numbers=[number], assert_missing_frames_are_empty=True, ignore_spatial_locations=True
    )
    return np.asarray(pixels[..., 0]).astype(bool)


def uid_of(path: Path) -> str:
    import pydicom

    return str(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID)


def test_a_film_gets_its_masks_back_with_codes_sides_and_maker(
    film: Path, tmp_path: Path, errors_of: Callable[[Path], list[str]]
) -> None:
    heart = np.zeros((432, 432), bool)
    heart[100:200, 51:150] = True
    lung = np.zeros((432, 432), bool)
    lung[3:430, 300:431] = True
    written = write_segmentation(
        [film],
        [Segment("heart", heart, MAKER), Segment("right_lung", lung, MAKER), Segment("odd_thing", heart, MAKER)],
        tmp_path / "seg.dcm",
    )
    assert not errors_of(written.path)
    seg = read(written.path)
    assert (seg.Rows, seg.Columns, seg.number_of_segments) == (432, 432, 3)
    for number, mask in ((1, heart), (2, lung), (3, heart)):
        assert (masks_of(seg, [uid_of(film)], number)[0] == mask).all()
    one, two, three = (seg.get_segment_description(n) for n in (1, 2, 3))
    assert (one.segmented_property_type.value, one.segmented_property_type.scheme_designator) == ("80891009", "SCT")
    assert two.segmented_property_type.value == "39607008"
    assert two.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence[0].CodeMeaning == "Right"
    assert three.segmented_property_type.scheme_designator == "99SECONDREAD"
    algorithm = one.algorithm_identification
    assert (algorithm.name, algorithm.version, algorithm.source) == ("chest_anatomy", "1.2", "secondread")
    assert algorithm.parameters == {"weights_sha256": "ab" * 32}


def test_the_object_belongs_to_the_patient_and_study_of_its_source(film: Path, tmp_path: Path) -> None:
    import pydicom

    mask = np.ones((432, 432), bool)
    ds = read(write_segmentation([film], [Segment("heart", mask, MAKER)], tmp_path / "seg.dcm").path)
    source = pydicom.dcmread(film)
    for keyword in ("PatientName", "PatientID", "StudyInstanceUID", "AccessionNumber"):
        assert ds[keyword].value == source[keyword].value
    assert ds.SeriesInstanceUID != source.SeriesInstanceUID
    assert ds.SOPInstanceUID == ds.file_meta.MediaStorageSOPInstanceUID != source.SOPInstanceUID


@pytest.mark.parametrize("name", ["chest_monochrome1.dcm", "chest_ap.dcm"])
def test_other_films_are_valid_too(
    film: Path, name: str, tmp_path: Path, errors_of: Callable[[Path], list[str]]
) -> None:
    import pydicom

    source = film.with_name(name)
    header = pydicom.dcmread(source, stop_before_pixels=True)
    mask = np.zeros((header.Rows, header.Columns), bool)
    mask[5:9, 7:30] = True
    written = write_segmentation([source], [Segment("heart", mask, MAKER)], tmp_path / "seg.dcm")
    assert not errors_of(written.path)
    assert (masks_of(read(written.path), [uid_of(source)], 1)[0] == mask).all()


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.data(),
    size=st.tuples(st.integers(2, 5), st.integers(3, 17), st.integers(3, 13)),
    shuffled=st.booleans(),
)
def test_a_series_gets_its_masks_back_slice_by_slice(
    ct_series: Callable[..., list[Path]],
    tmp_path: Path,
    data: st.DataObject,
    size: tuple[int, int, int],
    shuffled: bool,
) -> None:
    paths = ct_series(*size)
    if shuffled:
        paths = data.draw(st.permutations(paths))
    seeds = np.random.default_rng(data.draw(st.integers(0, 1000)))
    masks = [seeds.random(size) < share for share in (0.5, 0.2)]
    masks[0][0, 0, 0] = True
    segments = [Segment(name, mask, MAKER) for name, mask in zip(("liver", "left_kidney"), masks, strict=True)]
    seg = read(write_segmentation(paths, segments, tmp_path / "seg.dcm").path)
    for number, mask in enumerate(masks, 1):
        assert (masks_of(seg, [uid_of(path) for path in paths], number) == mask).all()


ORIENTATIONS = {
    "axial": (1, 0, 0, 0, 1, 0),
    "coronal": (1, 0, 0, 0, 0, -1),
    "sagittal": (0, 1, 0, 0, 0, -1),
    "oblique": (0.8, 0.6, 0, -0.6, 0.8, 0),
}


@pytest.mark.parametrize("orientation", ORIENTATIONS.values(), ids=ORIENTATIONS)
def test_the_geometry_of_a_series_is_that_of_its_source(
    ct_series: Callable[..., list[Path]],
    tmp_path: Path,
    errors_of: Callable[[Path], list[str]],
    orientation: tuple[float, ...],
) -> None:
    import pydicom

    paths = ct_series(4, 12, 10, orientation)
    mask = np.zeros((4, 12, 10), bool)
    mask[1:3, 2:5, 4:9] = True
    written = write_segmentation(paths, [Segment("liver", mask, MAKER)], tmp_path / "seg.dcm")
    assert not errors_of(written.path)
    volume = read(written.path).get_volume(combine_segments=True)
    found = np.argwhere(volume.array > 0) @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    expected = []
    for k, row, column in np.argwhere(mask):
        ds = pydicom.dcmread(paths[k])
        across, down = np.array(ds.ImageOrientationPatient[:3]), np.array(ds.ImageOrientationPatient[3:])
        expected.append(np.array(ds.ImagePositionPatient) + across * 1.2 * column + down * 0.8 * row)
    assert np.allclose(sorted(map(tuple, found.round(3))), sorted(map(tuple, np.round(expected, 3))), atol=0.01)


def test_a_mask_of_a_volume_finds_its_slices_by_geometry(ct_series: Callable[..., list[Path]], tmp_path: Path) -> None:
    """The volume runs the other way along every axis: i to the patient's right, j to the front, k to the feet."""
    paths = ct_series(4, 12, 10)
    mask = np.zeros((10, 12, 4), bool)
    mask[2:5, 1, 3] = True
    affine = (
        (1.2, 0.0, 0.0, 20.0 - 9 * 1.2),
        (0.0, 0.8, 0.0, 30.0 - 11 * 0.8),
        (0.0, 0.0, -2.5, 47.5),
        (0.0, 0.0, 0.0, 1.0),
    )
    seg = read(write_segmentation(paths, [Segment("liver", mask, MAKER)], tmp_path / "seg.dcm", affine=affine).path)
    expected = np.zeros((4, 12, 10), bool)
    expected[0, 10, 5:8] = True
    assert (masks_of(seg, [uid_of(path) for path in paths], 1) == expected).all()


def test_a_mask_off_the_grid_is_refused(ct_series: Callable[..., list[Path]], tmp_path: Path) -> None:
    paths = ct_series(4, 12, 10)
    affine = ((-1.0, 0.0, 0.0, 20.0), (0.0, -0.8, 0.0, 30.0), (0.0, 0.0, 2.5, 40.0), (0.0, 0.0, 0.0, 1.0))
    with pytest.raises(InputError, match="grid"):
        write_segmentation(
            paths, [Segment("liver", np.ones((10, 12, 4), bool), MAKER)], tmp_path / "s.dcm", affine=affine
        )
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".dcm"] * 4


@pytest.mark.data
def test_a_ct_series_of_a_hospital_is_valid_and_keeps_its_liver(
    data_dir: Path, tmp_path: Path, errors_of: Callable[[Path], list[str]]
) -> None:
    import nibabel

    folder = data_dir / "volumes_ct_mr" / "totalsegmentator"
    labels = nibabel.load(folder / "ct_dicom_series_total.nii.gz")  # type: ignore[attr-defined]  # nibabel exports it untyped
    liver = np.asarray(labels.dataobj) == 5
    paths = sorted((folder / "ct_dicom_series").glob("*.dcm"))
    affine = tuple(tuple(float(v) for v in row) for row in labels.affine)
    written = write_segmentation(paths, [Segment("liver", liver, MAKER)], tmp_path / "seg.dcm", affine=affine)  # type: ignore[arg-type]  # a tuple of four rows
    assert not errors_of(written.path)
    assert len(written.caveats) == 2
    volume = read(written.path).get_volume(combine_segments=True)
    assert int((volume.array > 0).sum()) == int(liver.sum())
    centre = np.argwhere(volume.array > 0).mean(0) @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    wanted = np.argwhere(liver).mean(0) @ labels.affine[:3, :3].T + labels.affine[:3, 3]
    assert np.allclose(centre * [-1, -1, 1], wanted, atol=0.05)


@pytest.mark.data
def test_a_multi_frame_object_is_segmented_frame_by_frame(
    data_dir: Path, tmp_path: Path, errors_of: Callable[[Path], list[str]]
) -> None:
    source = data_dir / "dicom_variety" / "dcmqi" / "segmentations__24x38x3__multiframe__mf.dcm"
    import pydicom

    header = pydicom.dcmread(source, stop_before_pixels=True)
    mask = np.zeros((3, header.Rows, header.Columns), bool)
    mask[1, 4:9, 3:12] = mask[2, 5, 5] = True
    written = write_segmentation([source], [Segment("liver", mask, MAKER)], tmp_path / "seg.dcm")
    assert not errors_of(written.path)
    seg = read(written.path)
    found = seg.get_pixels_by_source_frame(
        header.SOPInstanceUID, [1, 2, 3], segment_numbers=[1], assert_missing_frames_are_empty=True
    )
    assert (np.asarray(found[..., 0]).astype(bool) == mask).all()


def test_a_clip_whose_frames_have_no_place_is_refused(ct_series: Callable[..., list[Path]], tmp_path: Path) -> None:
    import pydicom

    (path,) = ct_series(1, 6, 6)
    ds = pydicom.dcmread(path)
    ds.NumberOfFrames, ds.PixelData = 2, ds.PixelData * 2
    ds.save_as(path)
    with pytest.raises(InputError, match="does not say how its frames lie"):
        write_segmentation([path], [Segment("liver", np.ones((2, 6, 6), bool), MAKER)], tmp_path / "seg.dcm")


def test_old_forms_of_dates_and_missing_ids_do_not_stop_an_export(
    ct_series: Callable[..., list[Path]], tmp_path: Path, errors_of: Callable[[Path], list[str]]
) -> None:
    import pydicom

    paths = ct_series(3, 6, 6)
    for path in paths:
        ds = pydicom.dcmread(path)
        with pydicom.config.disable_value_validation():
            ds.StudyDate, ds.StudyTime = "2001.02.03", "11:20:00"
            del ds.FrameOfReferenceUID, ds.SliceThickness, ds.StudyInstanceUID
            ds.PatientIdentityRemoved = "YES"
            ds.save_as(path)
    mask = np.ones((3, 6, 6), bool)
    written = write_segmentation(paths, [Segment("liver", mask, MAKER)], tmp_path / "seg.dcm")
    assert not errors_of(written.path)
    assert {caveat.split(";")[0] for caveat in written.caveats} == {
        "The source names no study", "The source names no frame of reference",
    }  # fmt: skip
    seg = read(written.path)
    assert (seg.StudyDate, str(seg.StudyTime)) == ("20010203", "112000")
    assert seg.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SliceThickness == 2.5


def test_sources_that_cannot_be_referred_to_are_refused(
    film: Path, tmp_path: Path, ct_series: Callable[..., list[Path]]
) -> None:
    tiny = ct_series(4, 2, 2)
    mask = np.ones((4, 4), bool)
    picture = film.with_name("chest.png")
    out = tmp_path / "seg.dcm"
    with pytest.raises(UnsupportedImage, match=r"chest\.png is not a DICOM file: a DICOM segmentation refers"):
        write_segmentation([picture], [Segment("heart", mask, MAKER)], out)
    with pytest.raises(UnreadableImage, match="absent"):
        write_segmentation([tmp_path / "absent.dcm"], [Segment("heart", mask, MAKER)], out)
    with pytest.raises(InputError, match="shape"):
        write_segmentation([film], [Segment("heart", mask, MAKER)], out)
    with pytest.raises(InputError, match="empty"):
        write_segmentation([film], [Segment("heart", np.zeros((432, 432), bool), MAKER)], out)
    with pytest.raises(InputError, match="fewer than 8 pixels"):
        write_segmentation(tiny, [Segment("heart", np.ones((4, 2, 2), bool), MAKER)], out)
    with pytest.raises(InputError, match="no mask"):
        write_segmentation([film], [], out)
    with pytest.raises(UsageError, match="cannot be written"):
        write_segmentation([film], [Segment("heart", np.ones((432, 432), bool), MAKER)], tmp_path / "no" / "seg.dcm")
    assert set(tmp_path.iterdir()) == set(tiny)
