"""Study folders, archives, volumes: what is looked at, and that the answer says so."""

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from secondread.agent.agent import Agent
from secondread.agent.replay import replay
from secondread.imaging.study.scan import open_studies
from secondread.schema.errors import InputError, UnreadableImage, UsageError

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SIDE, SLICES = 32, 5
HEART = "Is the heart enlarged?"


def stored(index: int) -> np.ndarray[Any, np.dtype[np.int16]]:
    """HU of slice `index`: a gradient that tells slice, row and column."""
    rows, columns = np.mgrid[0:SIDE, 0:SIDE]
    return np.asarray(100 * index + rows + 2 * columns, np.int16)


def ct(folder: Path, *, study: str, patient: str = "", order: tuple[int, ...] = (3, 1, 5, 2, 4)) -> None:
    """A CT series of five slices, 2 mm apart, named and numbered against their positions."""
    folder.mkdir(parents=True, exist_ok=True)
    series = generate_uid()
    for index, number in enumerate(order):
        data = Dataset()
        data.file_meta = FileMetaDataset()
        data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = CTImageStorage
        data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = generate_uid()
        data.StudyInstanceUID, data.SeriesInstanceUID = study, series
        data.Modality, data.PatientName, data.PatientID = "CT", patient, patient
        data.StudyDate, data.SeriesNumber, data.InstanceNumber = "20200102", 7, number
        data.Rows = data.Columns = SIDE
        data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 1
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.PixelSpacing, data.SliceThickness = [1.5, 1.5], 2
        data.ImageOrientationPatient, data.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [-24, -24, 2 * index - 100]
        data.RescaleSlope, data.RescaleIntercept, data.RescaleType = 1, -1024, "HU"
        data.PixelData = (stored(index).astype(np.int32) + 1024).astype(np.int16).tobytes()
        data.save_as(folder / f"image{number}.dcm", enforce_file_format=True)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A chest film, a CT series and a text file of one visit."""
    folder = tmp_path_factory.mktemp("study")
    shutil.copy(EXAMPLES / "chest.dcm", folder / "film.dcm")
    film = pydicom.dcmread(folder / "film.dcm")
    ct(folder / "ct", study=str(film.StudyInstanceUID), patient=str(film.get("PatientID", "")))
    (folder / "readme.txt").write_text("nothing here")
    return folder


def test_a_film_question_about_a_study_is_answered_on_its_film(agent: Agent, study: Path) -> None:
    alone = agent.ask(EXAMPLES / "chest.dcm", HEART)
    found = agent.ask(study, HEART)
    assert (found.verdict, found.value, found.confidence) == (alone.verdict, alone.value, alone.confidence)
    ratio = next(e for e in found.evidence if e.tool == "cardiothoracic_ratio")
    assert ratio.place.startswith("series ") and "of 2, image 1 of 1" in ratio.place
    assert f"Looked at {ratio.place}." in found.text
    assert any("1 other series of the study was not looked at" in w for w in found.warnings)


@pytest.mark.parametrize(("plane", "number", "expected"), [("axial", 2, 100.0), ("axial", 5, 400.0)])
def test_slices_are_counted_by_position_and_values_are_hounsfield_units(
    agent: Agent, study: Path, plane: str, number: int, expected: float
) -> None:
    found = agent.ask(study, "What is the mean HU?", slice=number, plane=plane)
    assert found.value is not None
    assert found.value.unit == "HU"
    assert found.value.value == pytest.approx(expected + stored(0).mean())
    assert f"slice {number} of {SLICES} (axial, z {2 * (number - 1) - 100:.1f} mm)" in found.text


def test_a_region_of_a_slice_gives_the_values_inside_it(agent: Agent, study: Path) -> None:
    found = agent.ask(study, "What is the mean attenuation here?", slice=3, region=(3.5, 9.5, 7.5, 11.5))
    assert found.value is not None
    assert found.value.value == pytest.approx(stored(2)[10:12, 4:8].mean())


def test_a_coronal_slice_has_feet_below_and_its_own_position(agent: Agent, study: Path) -> None:
    found = agent.ask(study, "What is the highest value?", slice=1, plane="coronal")
    assert found.value is not None
    back = SIDE - 1  # rows run from front to back, and coronal slices count from the back
    assert found.value.value == max(stored(i)[back].max() for i in range(SLICES))
    assert "coronal, y " in found.text


def test_volume_questions_are_answered_on_the_volume(agent: Agent, study: Path) -> None:
    count = agent.ask(study, "How many slices are there?")
    assert count.value is not None and count.value.value == SLICES
    assert f"is {SLICES} [" in count.text
    spacing = agent.ask(study, "What is the slice spacing?")
    assert spacing.value is not None
    assert (spacing.value.value, spacing.value.unit) == (pytest.approx(2.0), "mm")


def test_the_contents_of_a_study_are_listed_with_series_and_spacing(agent: Agent, study: Path) -> None:
    text = agent.ask(study, "What is in this study?").text
    assert "CT, 5 slices, axial, 2 mm apart, pixels of 1.5 x 1.5 mm" in text
    assert "1 image" in text


def test_an_archive_gives_the_same_answer_as_its_folder(agent: Agent, study: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "disc.zip", "w") as archive:
        for path in study.rglob("*.*"):
            archive.write(path, path.relative_to(study))
    for question in (HEART, "How many slices are there?"):
        packed, plain = agent.ask(tmp_path / "disc.zip", question), agent.ask(study, question)
        assert (packed.verdict, packed.value) == (plain.verdict, plain.value)


def test_a_film_question_about_a_volume_alone_is_declined_and_says_what_was_looked_at(
    agent: Agent, study: Path
) -> None:
    found = agent.ask(study / "ct", HEART)
    assert found.abstained
    assert "this is a CT volume" in found.text
    assert "Looked at series 1 of 1" in found.text


def test_a_nifti_file_is_a_volume_whose_values_are_hounsfield_units_only_when_that_is_stated(
    agent: Agent, tmp_path: Path
) -> None:
    array = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)
    nibabel.save(nibabel.Nifti1Image(array, np.diag([1.0, 2.0, 3.0, 1.0])), tmp_path / "ct.nii.gz")
    found = agent.ask(tmp_path / "ct.nii.gz", "What is the mean intensity?", slice=4)
    assert found.value is not None
    assert (found.value.value, found.value.unit) == (pytest.approx(array[:, :, 3].mean()), "units")
    length = agent.ask(tmp_path / "ct.nii.gz", "What is the scan length?").value
    assert length is not None and length.value == pytest.approx(15.0)


def test_a_replayed_run_on_a_study_gives_the_same_answer(agent: Agent, study: Path, traces: Path) -> None:
    found = agent.ask(study, "What is the mean HU?", slice=2)
    again = replay(traces / f"{found.trace}.jsonl")
    assert again.answer.text == found.text


def test_studies_and_volumes_can_be_handed_over_as_objects(agent: Agent, study: Path) -> None:
    [opened] = open_studies(study)
    volume = next(s for s in opened.series if s.kind == "volume").volume()
    for given in (opened, volume):
        found = agent.ask(given, "How many slices are there?")
        assert found.value is not None and found.value.value == SLICES


REFUSED: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"region": (1, 1, 5, 5), "series": 2}, UsageError, "one slice of a volume"),
    ({"slice": 6, "series": 2}, InputError, "no axial slice 6; the volume has 5"),
    ({"series": 9}, InputError, "no series 9"),
    ({"plane": "oblique"}, UsageError, "plane is not known"),
]


@pytest.mark.parametrize(("given", "error", "said"), REFUSED)
def test_what_is_not_there_is_refused_in_one_sentence(
    agent: Agent, study: Path, given: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        agent.ask(study, "What is the mean HU?", **given)


def test_folders_of_two_patients_of_junk_or_of_nothing_are_refused(agent: Agent, tmp_path: Path) -> None:
    ct(tmp_path / "two" / "a", study=generate_uid(), patient="first")
    ct(tmp_path / "two" / "b", study=generate_uid(), patient="second")
    with pytest.raises(UsageError, match="2 patients"):
        agent.ask(tmp_path / "two", HEART)
    (tmp_path / "junk").mkdir()
    (tmp_path / "junk" / "a.txt").write_text("no image")
    (tmp_path / "empty").mkdir()
    for name in ("junk", "empty"):
        with pytest.raises(UnreadableImage):
            agent.ask(tmp_path / name, HEART)


def test_nothing_that_names_a_patient_reaches_an_answer(
    make_agent: Callable[..., Agent], traces: Path, tmp_path: Path
) -> None:
    ct(tmp_path / "Roe^Jane", study=generate_uid(), patient="ROE4711")
    found = make_agent().ask(tmp_path / "Roe^Jane", "What is in this study?")
    told = found.model_dump_json() + (traces / f"{found.trace}.jsonl").read_text()
    assert "ROE4711" not in told and "Jane" not in told and "20200102" not in told
