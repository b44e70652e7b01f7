"""DICOM objects of an answer: on the grid of the original files, also for crops and for slices across a series."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pydicom
import pytest

from secondread.imaging.store import ImageStore
from secondread.schema.answer import Answer, Claim
from secondread.schema.evidence import Evidence, Measurement, Measurements, Regions
from secondread.schema.region import Box, MaskRef, Point
from secondread.serve.cli.main import main
from secondread.serve.dicom_out import write_dicom

EXAMPLES = Path(__file__).parents[2] / "examples"


def evidence(number: int, image: str, result: Any) -> Evidence:
    return Evidence(
        id=f"E{number}", call_key=str(number), kind=result.kind, tool="tester", tool_version="3", weights="ab" * 32,
        image=image, result=result, summary="s",
    )  # fmt: skip


def written(store: ImageStore, items: list[Evidence], out: Path) -> tuple[dict[str, Path], list[str]]:
    cited = tuple(item.id for item in items if item.kind == "measurement")
    claims = (Claim(id="C1", concept="x", polarity="present", text="t", evidence=cited),) if cited else ()
    answer = Answer(question="q", text="t", evidence=tuple(items), claims=claims)
    agent: Any = SimpleNamespace(runtime=SimpleNamespace(store=store))
    result = write_dicom(agent, answer, out)
    assert all(path.parent == out for path in result.files)
    return {path.name: path for path in result.files}, result.notes


def regions(mask: MaskRef) -> Regions:
    return Regions(masks={mask.name: mask})


def mask_in(path: Path) -> np.ndarray[Any, Any]:
    from highdicom.seg import segread

    seg = segread(path)
    source = seg.SourceImageSequence[0].ReferencedSOPInstanceUID
    pixels = seg.get_pixels_by_source_instance([source], ignore_spatial_locations=True, combine_segments=True)
    return np.asarray(pixels[0]) > 0


def test_a_mask_and_a_landmark_of_a_crop_lie_on_the_film(tmp_path: Path) -> None:
    from highdicom.sr import srread

    store = ImageStore()
    film = store.add(EXAMPLES / "chest.dcm").ref
    crop = store.derive(film.id, Box(grid=film.grid, x0=99.5, y0=49.5, x1=199.5, y1=149.5), scale=2.0)
    part = np.zeros((crop.rows, crop.columns), bool)
    part[20:60, 40:100] = True
    point = Point(grid=crop.grid, x=40.5, y=20.5, name="corner")
    width = Measurement(name="heart_width", value=30.0, unit="px", landmarks=(point,))
    files, notes = written(
        store,
        [
            evidence(1, crop.id, regions(store.put_mask(crop.id, "heart", part))),
            evidence(2, crop.id, Measurements(items=(width,))),
        ],
        tmp_path / "out",
    )
    assert set(files) == {"seg.dcm", "sr.dcm"} and not notes
    expected = np.zeros((film.rows, film.columns), bool)
    expected[60:80, 120:150] = True
    assert (mask_in(files["seg.dcm"]) == expected).all()
    (group,) = srread(files["sr.dcm"]).content.get_image_measurement_groups()
    assert group.tracking_identifier == "E2 heart_width"
    assert group.finding_sites[0].value.meaning == "Heart"
    (number,) = group.get_measurements()
    (spot,) = (item for item in number[0].ContentSequence if item.ValueType == "SCOORD")
    assert tuple(map(float, spot.GraphicData)) == pytest.approx((100 + 20 + 0.5, 50 + 10 + 0.5))
    assert all(path.stat().st_mode & 0o077 == 0 for path in files.values())


@pytest.fixture
def series(ct_files: Callable[[int], Path], tmp_path: Path) -> tuple[ImageStore, str, Path]:
    from secondread.imaging.study.scan import open_studies

    folder = ct_files(6)
    (study,) = open_studies(folder)
    store = ImageStore()
    return store, store.add_volume(study.series[0].volume()).ref.id, folder


@pytest.fixture
def ct_files(tmp_path: Path) -> Callable[[int], Path]:
    """Writes an axial CT series of 12 x 10 pixels and returns its folder."""

    def write(count: int) -> Path:
        from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

        folder = tmp_path / "ct"
        folder.mkdir()
        for k in range(count):
            ds = pydicom.Dataset()
            ds.file_meta = pydicom.dataset.FileMetaDataset()
            ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = CTImageStorage
            ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.9.{k + 1}"
            ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = "1.2.3.7", "1.2.3.8", "1.2.3.6"
            ds.Modality, ds.PatientID, ds.PatientName, ds.SeriesNumber, ds.InstanceNumber = (
                "CT",
                "P1",
                "Roe^A",
                1,
                k + 1,
            )
            ds.ImageType, ds.ImagePositionPatient = ["ORIGINAL", "PRIMARY", "AXIAL"], [-20.0, -30.0, 40.0 + 2.5 * k]
            ds.ImageOrientationPatient, ds.PixelSpacing, ds.SliceThickness = [1, 0, 0, 0, 1, 0], [0.8, 1.2], 2.5
            ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PhotometricInterpretation = 12, 10, 1, "MONOCHROME2"
            ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
            ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = 0, 1, "HU"
            ds.PixelData = np.full((12, 10), 100 * k, np.int16).tobytes()
            ds.save_as(folder / f"{count - k}.dcm", enforce_file_format=True)  # names run against the positions
        return folder

    return write


def place(uid: str) -> int:
    return int(uid.rsplit(".", 1)[1]) - 1


def test_masks_of_slices_in_two_planes_meet_in_one_segmentation(
    series: tuple[ImageStore, str, Path], tmp_path: Path
) -> None:
    """An axial and a coronal mask; every voxel found again at its file, row and column."""
    store, volume, _ = series
    axial, coronal = store.slice(volume, "axial", 4).ref, store.slice(volume, "coronal", 3).ref
    one, two = np.zeros((12, 10), bool), np.zeros((6, 10), bool)
    one[2:4, 5] = True
    two[0, 7] = True  # the head end: the last slice; row 8 of the file, as the back is slice 0
    files, _ = written(
        store,
        [
            evidence(1, axial.id, regions(store.put_mask(axial.id, "liver", one))),
            evidence(2, coronal.id, regions(store.put_mask(coronal.id, "liver", two))),
        ],
        tmp_path / "out",
    )
    ds = pydicom.dcmread(files["seg.dcm"])
    bits = np.unpackbits(np.frombuffer(ds.PixelData, np.uint8), bitorder="little")
    found: set[tuple[int, int, int]] = set()
    for number, groups in enumerate(ds.PerFrameFunctionalGroupsSequence):
        uid = groups.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        frame = bits[number * 120 : (number + 1) * 120].reshape(12, 10)
        found |= {(place(uid), int(row), int(column)) for row, column in np.argwhere(frame)}
    assert found == {(4, 2, 5), (4, 3, 5), (5, 8, 7)}


def test_landmarks_of_a_slice_across_the_files_point_into_each_file(
    series: tuple[ImageStore, str, Path], tmp_path: Path
) -> None:
    from highdicom.sr import srread

    store, volume, _ = series
    coronal = store.slice(volume, "coronal", 3).ref
    points = (Point(grid=coronal.grid, x=2, y=0, name="top"), Point(grid=coronal.grid, x=2, y=5, name="bottom"))
    length = Measurement(name="scan_length", value=12.5, unit="mm", landmarks=points)
    files, _ = written(store, [evidence(1, coronal.id, Measurements(items=(length,)))], tmp_path / "out")
    (group,) = srread(files["sr.dcm"]).content.get_image_measurement_groups()
    (number,) = group.get_measurements()
    spots = [item for item in number[0].ContentSequence if item.ValueType == "SCOORD"]
    uids = [spot.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID for spot in spots]
    assert [place(uid) for uid in uids] == [5, 0]
    assert [tuple(map(float, spot.GraphicData)) for spot in spots] == [(2.5, 8.5), (2.5, 8.5)]


def test_a_measurement_of_a_whole_volume_refers_to_all_its_files(
    series: tuple[ImageStore, str, Path], tmp_path: Path
) -> None:
    store, volume, _ = series
    mean = Measurement(name="mean_intensity", value=250.0, unit="HU")
    files, _ = written(store, [evidence(1, volume, Measurements(items=(mean,)))], tmp_path / "out")
    text = pydicom.dcmread(files["sr.dcm"]).to_json()
    assert all(f'"1.2.3.9.{k + 1}"' in text for k in range(6))


def test_an_image_that_is_no_dicom_gives_a_picture_without_identity_and_says_why(
    factory: Any, film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["ask", str(film), "Is it bright?", "--out", str(out), "--dicom"]) == 0
    told = capsys.readouterr().err
    assert "is not a DICOM file: a DICOM segmentation refers to" in told
    names = {path.name for path in out.glob("*.dcm")}
    assert names == {"sc.dcm"}
    assert str(pydicom.dcmread(out / "sc.dcm").PatientID) == "Anonymous"


def test_a_dicom_film_gives_all_three(factory: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(["ask", str(EXAMPLES / "chest.dcm"), "Is it bright?", "--out", str(out), "--dicom"]) == 0
    assert {path.name for path in out.glob("*.dcm")} == {"seg.dcm", "sr.dcm", "sc.dcm"}
    assert not capsys.readouterr().err
    source = pydicom.dcmread(EXAMPLES / "chest.dcm")
    for path in out.glob("*.dcm"):
        assert pydicom.dcmread(path).StudyInstanceUID == source.StudyInstanceUID
    for path in (out / "answer.json", out / "trace.jsonl"):
        assert source.PatientID not in path.read_text()


def test_the_flag_needs_a_folder(factory: Any, film: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", str(film), "Is it bright?", "--dicom"]) == 2
    assert "--dicom needs --out" in capsys.readouterr().err
