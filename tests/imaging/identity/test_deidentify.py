"""A cleaned copy keeps the picture and its meaning, and nothing that identifies."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from secondread.evals.deidentify_compare import identifying, occurrences
from secondread.imaging.identity.deidentify import deidentify
from secondread.imaging.identity.pseudonyms import Pseudonyms
from secondread.imaging.load import load
from secondread.schema.errors import UnreadableImage, UsageError

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture
def named(film12: NDArray[np.uint16], write_dicom: Callable[..., Path]) -> Path:
    """A film that names its patient in every way: elements, sequences, private and unknown ones, overlays, texts."""
    path = write_dicom(
        film12,
        "DoeJane.dcm",
        PatientName="Doe^Jane",
        PatientID="MRN-55512",
        PatientBirthDate="19300405",
        PatientSex="F",
        PatientAge="093Y",
        StudyDate="20230709",
        StudyTime="112233",
        ContentDate="20230710",
        AcquisitionDateTime="20230709112244.5+0100",
        InstitutionName="General Hospital",
        StudyDescription="Chest of Mrs Doe",
        ReferringPhysicianName="House^Greg",
        StudyInstanceUID="1.2.3.100",
        SeriesInstanceUID="1.2.3.101",
        DeviceSerialNumber="SN-9001",
        ManufacturerModelName="Model for Doe",
        BodyPartExamined="CHEST",
        OtherPatientIDs=["ALT-1", "ALT-22"],
    )
    ds = pydicom.dcmread(path)
    ds.private_block(0x0099, "maker", create=True).add_new(1, "LO", "private Doe")
    ds.add_new(0x00100012, "LT", "Janey")
    ds.add_new(0x60000010, "US", 4)
    ds.add_new(0x60003000, "OW", b"Doe Jane ")
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = ds.SOPClassUID, "1.2.3.777"
    item.PatientName = "Doe^Nested"
    ds.ReferencedImageSequence = [item]
    ds.RequestAttributesSequence = [Dataset()]
    ds.RequestAttributesSequence[0].RequestedProcedureID = "REQ-4711"
    ds.file_meta.SourceApplicationEntityTitle = "DOE_STATION"
    ds.preamble = b"Doe Jane".ljust(128, b"\0")
    ds.save_as(path)
    with path.open("ab") as file:
        file.write(b"")
    return path


def only(report: Any) -> Path:
    assert not report.failed and not report.skipped
    (path,) = report.written
    assert isinstance(path, Path)
    return path


def test_no_identifying_value_is_left_in_the_bytes(named: Path, tmp_path: Path) -> None:
    before = named.read_bytes()
    written = only(deidentify(named, tmp_path / "out"))
    data = written.read_bytes()
    for word in ("Doe", "DOE", "Jane", "MRN-55512", "1930", "2023", "112233", "General", "House", "SN-9001", "ALT-",
                 "REQ-", "1.2.3.100", "1.2.3.101", "1.2.3.777", "1.2.3.4\0", "maker", "private"):  # fmt: skip
        assert word.encode() not in data, word
    assert not any(part in str(written) for part in ("Doe", "MRN", "1.2.3"))
    assert not occurrences(identifying(pydicom.dcmread(io.BytesIO(before))), data, pydicom.dcmread(written))
    assert named.read_bytes() == before


def test_pixels_meaning_and_characteristics_stay(named: Path, tmp_path: Path) -> None:
    written = only(deidentify(named, tmp_path / "out"))
    old, new = pydicom.dcmread(named), pydicom.dcmread(written)
    assert new.PixelData == old.PixelData
    before, after = load(named).info, load(written).info
    assert after.ref.id == before.ref.id
    assert (after.age_years, after.sex, after.body_part) == (90.0, "F", "CHEST")
    assert new.PatientAge == "090Y"
    assert new.PatientIdentityRemoved == "YES"
    codes = {item.CodeValue for item in new.DeidentificationMethodCodeSequence}
    assert {"113100", "113108"} <= codes and "113107" not in codes
    assert new.file_meta.MediaStorageSOPInstanceUID == new.SOPInstanceUID
    assert new.preamble == b"\0" * 128


def test_references_between_objects_hold(named: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    first = pydicom.dcmread(named)
    first.SOPInstanceUID = first.file_meta.MediaStorageSOPInstanceUID = "1.2.3.777"
    del first.ReferencedImageSequence
    first.save_as(folder / "first.dcm")
    (folder / "second.dcm").write_bytes(named.read_bytes())
    report = deidentify(folder, tmp_path / "out")
    made = [pydicom.dcmread(path) for path in report.written]
    assert len(made) == 2
    assert {ds.StudyInstanceUID for ds in made} == {made[0].StudyInstanceUID}
    assert len({ds.PatientID for ds in made}) == 1
    pointing = next(ds for ds in made if "ReferencedImageSequence" in ds)
    other = next(ds for ds in made if "ReferencedImageSequence" not in ds)
    assert pointing.ReferencedImageSequence[0].ReferencedSOPInstanceUID == other.SOPInstanceUID
    assert pointing.ReferencedImageSequence[0].ReferencedSOPClassUID == other.SOPClassUID


def test_dates_go_or_move_together(named: Path, tmp_path: Path) -> None:
    gone = pydicom.dcmread(only(deidentify(named, tmp_path / "a")))
    assert not gone.StudyDate and gone.ContentDate == "19000101"
    moved = pydicom.dcmread(only(deidentify(named, tmp_path / "b", keep_dates_relative=True)))
    import datetime

    study, content = (datetime.date.fromisoformat(moved[k].value) for k in ("StudyDate", "ContentDate"))
    assert (content - study).days == 1
    assert study < datetime.date(2023, 7, 9)
    assert str(moved.AcquisitionDateTime).startswith(f"{study:%Y%m%d}112244")
    assert moved.StudyTime == "112233"
    assert not moved.PatientBirthDate
    assert "113107" in {item.CodeValue for item in moved.DeidentificationMethodCodeSequence}


def test_a_kept_key_gives_the_same_stand_ins_and_another_run_does_not(named: Path, tmp_path: Path) -> None:
    made = [
        pydicom.dcmread(only(deidentify(named, tmp_path / str(n), key=key)))
        for n, key in enumerate((b"k" * 16, b"k" * 16, None, None))
    ]
    assert made[0].StudyInstanceUID == made[1].StudyInstanceUID
    assert len({ds.StudyInstanceUID for ds in made}) == 3


def test_the_age_is_told_from_the_dates_when_it_is_not_stated(
    film12: NDArray[np.uint16], write_dicom: Callable[..., Path], tmp_path: Path
) -> None:
    path = write_dicom(film12, PatientID="a", PatientBirthDate="19800101", StudyDate="20200601")
    assert load(only(deidentify(path, tmp_path / "o"))).info.age_years == 40


@settings(max_examples=60, deadline=None)
@given(
    st.from_regex(r"[0-2](\.[1-9][0-9]{0,8}){1,6}", fullmatch=True),
    st.dates(min_value=__import__("datetime").date(1920, 1, 1)),
    st.dates(min_value=__import__("datetime").date(1920, 1, 1)),
)
def test_stand_ins_are_valid_alike_and_keep_intervals(uid: str, one: Any, two: Any) -> None:
    import datetime

    names = Pseudonyms(b"x" * 32)
    made = names.uid(uid)
    assert made == names.uid(uid) != uid
    assert pydicom.uid.UID(made).is_valid and len(made) <= 64
    a, b = (datetime.date.fromisoformat(names.shifted(f"{day:%Y%m%d}", "p")) for day in (one, two))
    assert (b - a) == (two - one)
    assert a < one


@pytest.mark.parametrize("value", ["1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1", ""])
def test_identifiers_of_the_standard_stay(value: str) -> None:
    assert Pseudonyms.fresh().uid(value) == value


def test_a_report_keeps_its_codes_and_numbers_and_loses_its_texts(tmp_path: Path) -> None:
    from secondread.imaging.export.report import Measured, write_measurement_report
    from secondread.imaging.export.write import Maker
    from secondread.schema.evidence import Measurement

    measurement = Measurement(name="heart_width", value=131.5, unit="mm", caveats=("Seen by Dr. Roe.",))
    report = write_measurement_report(
        [EXAMPLES / "chest.dcm"], [Measured(measurement, Maker("t", "1"), "heart")], tmp_path / "sr.dcm"
    )
    cleaned = pydicom.dcmread(only(deidentify(report.path, tmp_path / "out")))
    text = cleaned.to_json()
    assert "131.5" in text and "80891009" in text
    assert "Roe" not in text
    film = pydicom.dcmread(EXAMPLES / "chest.dcm")
    assert film.SOPInstanceUID not in text
    assert "113104" in {item.CodeValue for item in cleaned.DeidentificationMethodCodeSequence}


def test_an_archive_and_many_processes_give_the_same_as_a_folder(named: Path, tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    for number in range(3):
        ds = pydicom.dcmread(named)
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number + 500}"
        ds.save_as(source / f"{number}.dcm")
    (source / "notes.txt").write_text("Doe")
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        for path in source.iterdir():
            archive.write(path, f"Doe/{path.name}")
    key = b"k" * 16
    made = []
    for number, (what, jobs) in enumerate(((source, 1), (source, 2), (tmp_path / "in.zip", 1))):
        report = deidentify(what, tmp_path / f"out{number}", jobs=jobs, key=key)
        assert [p.reason for p in report.skipped] == ["It is not a DICOM file."]
        made.append({str(p.relative_to(tmp_path / f"out{number}")): p.read_bytes() for p in report.written})
    assert made[0] == made[1] == made[2]
    assert len(made[0]) == 3


def test_bad_files_are_listed_and_leave_nothing(named: Path, tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    whole = named.read_bytes()
    (source / "a.dcm").write_bytes(whole)
    (source / "b.dcm").write_bytes(whole[:200])
    document = pydicom.dcmread(named)
    document.EncapsulatedDocument = b"%PDF Doe "
    document.save_as(source / "c.dcm")
    report = deidentify(source, tmp_path / "out")
    assert len(report.written) == 1
    assert {Path(p.name).name for p in report.failed} == {"b.dcm", "c.dcm"}
    assert "Doe^" not in " ".join(p.reason for p in report.failed)
    assert len([p for p in (tmp_path / "out").rglob("*") if p.is_file()]) == 1


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    flips=st.lists(st.tuples(st.integers(132, 3000), st.integers(0, 255)), max_size=6),
    keep=st.one_of(st.none(), st.integers(0, 4000)),
)
def test_damaged_files_are_written_clean_or_listed(
    named: Path, tmp_path_factory: pytest.TempPathFactory, flips: list[tuple[int, int]], keep: int | None
) -> None:
    """Whatever the damage: no exception, no half file, no patient in what is said."""
    data = bytearray(named.read_bytes())
    for at, value in flips:
        data[at % len(data)] = value
    folder = tmp_path_factory.mktemp("damaged")
    (folder / "in.dcm").write_bytes(bytes(data[:keep]) or b"x")
    report = deidentify(folder / "in.dcm", folder / "out")
    assert len(report.written) + len(report.failed) + len(report.skipped) == 1
    files = [path for path in (folder / "out").rglob("*") if path.is_file()]
    assert files == report.written
    said = " ".join(problem.reason for problem in (*report.failed, *report.skipped, *report.warnings))
    assert "Doe" not in said and "MRN" not in said


def test_two_objects_of_one_name_are_both_written(named: Path, tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    for name in ("a.dcm", "b.dcm"):
        (source / name).write_bytes(named.read_bytes())
    assert len({*deidentify(source, tmp_path / "out").written}) == 2


def test_the_source_is_never_written_to(named: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.dcm").write_bytes(named.read_bytes())
    for out in (folder, folder / "sub"):
        with pytest.raises(UsageError, match="inside the source"):
            deidentify(folder, out)
    full = tmp_path / "full"
    full.mkdir()
    (full / "x").write_text("")
    with pytest.raises(UsageError, match="not empty"):
        deidentify(folder, full)
    with pytest.raises(UnreadableImage, match="does not exist"):
        deidentify(tmp_path / "absent", tmp_path / "o")
    assert [p.name for p in folder.iterdir()] == ["a.dcm"]


def test_burned_in_text_that_the_header_names_is_warned_of(
    film12: NDArray[np.uint16], write_dicom: Callable[..., Path], tmp_path: Path
) -> None:
    path = write_dicom(film12, PatientID="a", BurnedInAnnotation="YES")
    (warning,) = deidentify(path, tmp_path / "o").warnings
    assert "none was painted over" in warning.reason


@pytest.mark.data
@pytest.mark.parametrize("keep", [False, True])
def test_the_variety_of_real_files_keeps_pictures_and_loses_identity(
    data_dir: Path, tmp_path: Path, keep: bool
) -> None:
    """All 183 files: at most the two that are cut off fail; nothing identifying is left; image ids agree."""
    from secondread.schema.errors import SecondReadError

    source = data_dir / "dicom_variety"
    files = sorted(p for p in source.rglob("*") if p.is_file() and p.suffix not in (".md", ".csv", ".json", ".txt"))
    if keep:
        files = files[::6]
    written = 0
    for number, path in enumerate(files):
        report = deidentify(path, tmp_path / str(number), keep_dates_relative=keep)
        if not report.written:
            continue
        written += 1
        data = report.written[0].read_bytes()
        old, new = (pydicom.dcmread(io.BytesIO(d), force=True) for d in (path.read_bytes(), data))
        values = {v: k for v, k in identifying(old).items() if not (keep and k.endswith(("Time", "Date", "DateTime")))}
        assert not occurrences(values, data, new), path.name
        assert not any((int(tag) >> 16) & 1 for tag in list(new.keys()))
        old_pixels, new_pixels = bytes(old.get("PixelData") or b""), bytes(new.get("PixelData") or b"")
        assert new_pixels.removesuffix(b"\0") == old_pixels.removesuffix(b"\0"), path.name
        try:
            expected = load(path).info.ref.id
        except SecondReadError:
            continue
        assert load(report.written[0]).info.ref.id == expected, path.name
    assert written >= len(files) - 2
