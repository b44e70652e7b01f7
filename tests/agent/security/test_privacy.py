"""A file that names a person in every way the standard knows: none of it goes anywhere but to its owner's crosswalk."""

import json
import logging
import re
import sqlite3
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from chest_stand_ins import chest_catalogue, stand_in
from obedient import Obedient
from pydicom.datadict import dictionary_has_tag, dictionary_VR, tag_for_keyword
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian

from secondread.agent.agent import Agent
from secondread.agent.config import Settings
from secondread.imaging.identity.profile import keywords
from secondread.schema.answer import Answer
from secondread.schema.errors import ApprovalNeeded, InputError, ToolError
from secondread.tools.catalogue import Catalogue
from secondread.tools.runtime.runtime import Runtime

QUESTION = "Is the heart enlarged? Which series does the study have? What is the mean intensity?"
PERSON = "CNRYPERSON_JANE"
"""Stands in names of files and folders."""
DECODING = {"PixelData", "SOPClassUID"}
_CANARY = re.compile(
    rb"CNRY\w+|(?<![\w.])99990\d{3}(?![\w.])|(?<![\w.])17[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9])(?=\D|$)|1\.2\.3\.9999\.\d+"
)
"""Every value that `person_in` writes; years of the 18th century are nobody's else."""


def canary(number: int, vr: str) -> Any:
    """A value of this kind that stands nowhere else; None for kinds that are left out."""
    if vr in ("LO", "SH", "ST", "LT", "UT", "UC", "PN", "AE"):
        return f"CNRY{number:04d}X" + ("^DOE" if vr == "PN" else "")
    day = f"17{number % 90 + 10:02d}{number % 12 + 1:02d}{number % 27 + 1:02d}"
    return {
        "CS": f"CNRY{number:04d}X", "DA": day, "DT": f"{day}101112", "TM": None, "UI": f"1.2.3.9999.{number}",
        "IS": f"99990{number % 1000:03d}", "DS": f"99990{number % 1000:03d}", "UR": f"http://CNRY{number:04d}X.invalid",
        "OB": f"CNRY{number:04d}XX".encode(), "UN": f"CNRY{number:04d}XX".encode(), "AS": None,
    }.get(vr)  # fmt: skip


def person_in(path: Path, seed: int = 0) -> int:
    """Write a film with a canary in every element that the basic profile protects; how many there are."""
    logging.getLogger("pydicom").setLevel(logging.ERROR)  # values that break the standard are meant
    ds = pydicom.Dataset()
    ds.file_meta = pydicom.dataset.FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    ds.file_meta.SourceApplicationEntityTitle = "CNRYMETA"
    written = 0
    for number, keyword in enumerate(keywords(), 1):
        tag = tag_for_keyword(keyword)
        if keyword in DECODING or tag is None or not dictionary_has_tag(tag) or tag >> 16 < 8:
            continue
        vr = dictionary_VR(tag).split(" ")[0]
        if vr == "SQ":
            item = pydicom.Dataset()
            item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "1", "99X", f"CNRY{number:04d}X"
            item.PatientName = f"CNRY{number:04d}Y^SQ"
            value: Any = [item]
        else:
            value = canary(number, vr)
        if value is not None:
            ds.add_new(tag, vr, value)
            written += 1
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    block = ds.private_block(0x0011, "CNRYVENDOR", create=True)
    block.add_new(0x01, "LO", "CNRYPRIVATE")
    ds.Modality, ds.ViewPosition, ds.PatientAge = "DX", "PA", "060Y"
    ds.Rows, ds.Columns = 128, 112
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 12, 11
    pixels = np.random.default_rng(seed).random((128, 112)) * 4095
    ds.PixelData = pixels.astype("<u2").tobytes()
    ds["PixelData"].VR = "OW"
    path.parent.mkdir(parents=True, exist_ok=True)
    ds.save_as(path, enforce_file_format=True)
    return written


def leaks(data: bytes | str) -> set[str]:
    """Canaries in some bytes."""
    raw = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
    return {m.decode("ascii", "replace") for m in _CANARY.findall(raw)}


def leaks_below(folder: Path) -> dict[str, set[str]]:
    """Canaries in the names and contents of files below a folder, the owner's crosswalks aside."""
    found: dict[str, set[str]] = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        seen = leaks(name)
        if path.is_file() and path.name != "crosswalk.csv" and path.parent.name != "private":
            raw = path.read_bytes()
            seen |= leaks(raw) | leaks(raw.decode("utf-16-le", "ignore"))
            if raw.startswith(b"SQLite format 3"):
                seen |= _in_rows(path)
        elif path.is_file():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        if seen:
            found[name] = seen
    return found


def _in_rows(path: Path) -> set[str]:
    """Canaries in the rows of an SQLite file, compressed values included."""
    seen: set[str] = set()
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as base:
        tables = [r[0] for r in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            for row in base.execute(f'SELECT * FROM "{table}"'):
                for value in row:
                    raw = value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")
                    seen |= leaks(raw)
                    try:
                        seen |= leaks(zlib.decompress(raw))
                    except zlib.error:
                        continue
    return seen


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A folder named after a person with a film of that person, and the number of canaries."""
    folder = tmp_path_factory.mktemp("given") / f"{PERSON}^A"
    return folder, person_in(folder / f"{PERSON}_19010101.dcm")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where everything that the program keeps goes."""
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """Everything that is logged, at every level."""
    caplog.set_level(logging.DEBUG)
    return lambda: "\n".join(f"{r.name} {r.getMessage()} {r.exc_text or ''}" for r in caplog.records)


@pytest.fixture
def agents(home: Path) -> Iterator[Callable[..., Agent]]:
    """Agents whose traces and results lie below `home`."""
    made: list[Agent] = []

    def make(planner: Any = None, tools: Catalogue | None = None, **settings: Any) -> Agent:
        known = Settings(trace_dir=home / "traces", cache_dir=home / "cache", **settings)
        runtime = Runtime(tools=tools or chest_catalogue(more_intensity()), cache_dir=home / "cache")
        made.append(Agent(planner, settings=known, runtime=runtime))
        return made[-1]

    yield make
    for agent in made:
        agent.close()
        agent.runtime.close()


def more_intensity() -> Any:
    from secondread.tools.catalogue import catalogue

    return catalogue().get("intensity_statistics")


def everything_of(answer: Answer) -> str:
    return answer.model_dump_json() + repr(answer) + "".join(map(repr, answer.evidence))


def test_the_file_holds_what_the_standard_lists(written: tuple[Path, int]) -> None:
    assert written[1] > 300
    assert len(leaks(next(written[0].iterdir()).read_bytes())) > 300


@pytest.mark.parametrize("given", ["file", "folder", "zip", "bytes"])
@pytest.mark.parametrize("planner", ["chat", "protocol"])
def test_nothing_of_a_person_is_sent_kept_or_logged(
    given: str, planner: str, written: tuple[Path, int], agents: Callable[..., Agent], home: Path,
    logged: Callable[[], str], capsys: pytest.CaptureFixture[str], tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    film = next(written[0].iterdir())
    source: Any = {"file": film, "folder": written[0], "bytes": film.read_bytes()}.get(given)
    if given == "zip":
        source = tmp_path_factory.mktemp("packed") / f"{PERSON}.zip"
        with zipfile.ZipFile(source, "w") as archive:
            archive.write(film, f"{PERSON}/{film.name}")
    model = Obedient()
    agent = agents(model if planner == "chat" else None)
    events: list[str] = []
    for question in (QUESTION, "And the mean intensity?"):
        for event in agent.stream(source, question, session=f"{PERSON} follow-up"):
            events.append(str(event.get("message", "")))
            answer = event.get("answer")
    assert isinstance(answer, Answer)
    agent.close()
    agent.runtime.close()
    assert planner == "protocol" or model.prompts
    for prompt in model.prompts:
        assert leaks(prompt) == set()
    assert leaks(everything_of(answer)) == set()
    assert leaks("\n".join(events)) == set()
    assert leaks(logged()) == set()
    said = capsys.readouterr()
    assert leaks(said.out + said.err) == set()
    assert leaks_below(home) == {}
    assert list((home / "traces").glob("*.jsonl"))
    assert any((home / "cache").iterdir())


def test_pixels_that_are_sent_carry_no_header(written: tuple[Path, int], agents: Callable[..., Agent]) -> None:
    import base64

    sent: list[bytes] = []
    model = Obedient(eyes=lambda png: sent.append(base64.b64decode(png)) or "")
    agents(model, send_pixels=True).ask(next(written[0].iterdir()), QUESTION)
    assert sent
    for png in sent:
        assert png.startswith(b"\x89PNG")
        assert leaks(png) == set()
        assert not {b"tEXt", b"iTXt", b"zTXt", b"eXIf"} & {png[i + 4 : i + 8] for i in _chunks(png)}


def _chunks(png: bytes) -> Iterator[int]:
    at = 8
    while at < len(png):
        yield at
        at += 12 + int.from_bytes(png[at : at + 4], "big")


def test_a_paused_run_keeps_its_state_without_a_name(
    written: tuple[Path, int], agents: Callable[..., Agent], home: Path
) -> None:
    agent = agents(Obedient())
    with pytest.raises(ApprovalNeeded) as paused:
        agent.ask(next(written[0].iterdir()), "Is the heart enlarged?", approve=["cardiothoracic_ratio"])
    assert leaks(str(paused.value)) == set()
    assert (home / "traces" / "runs.sqlite").exists()
    assert leaks_below(home) == {}
    kept = home / "traces" / "private" / f"{paused.value.run}.json"
    assert PERSON in kept.read_text()
    assert agent.resume(paused.value.run, decide=lambda asked: True).verdict == "yes"
    assert leaks_below(home) == {}


@pytest.mark.parametrize("damage", ["cut", "no pixels", "no dicom", "empty"])
def test_what_cannot_be_read_is_told_by_the_path_alone(
    damage: str, written: tuple[Path, int], agents: Callable[..., Agent], home: Path, logged: Callable[[], str]
) -> None:
    whole = next(written[0].iterdir()).read_bytes()
    broken = home / "given" / f"{PERSON}_broken.dcm"
    broken.parent.mkdir()
    data = {"cut": whole[: len(whole) - 9000], "no dicom": b"CNRYTEXT " * 50, "empty": b""}.get(damage, whole)
    broken.write_bytes(data)
    if damage == "no pixels":
        ds = pydicom.dcmread(broken)
        del ds.PixelData
        ds.save_as(broken)
    with pytest.raises(InputError) as caught:
        agents(Obedient()).ask(broken, QUESTION)
    told = f"{caught.value.message} {caught.value.hint}".replace(str(broken), "").replace(broken.name, "")
    assert leaks(told) == set()
    assert leaks(logged().replace(str(broken), "")) == set()
    broken.unlink()
    broken.parent.rmdir()
    assert leaks_below(home) == {}


def test_a_folder_with_a_damaged_file_names_neither_file_nor_person_to_a_model(
    written: tuple[Path, int], agents: Callable[..., Agent], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("mixed") / PERSON
    person_in(folder / f"{PERSON}_1.dcm")
    (folder / f"{PERSON}_2.dcm").write_bytes((folder / f"{PERSON}_1.dcm").read_bytes()[:3000])
    (folder / f"{PERSON}_letter.txt").write_text("Dear CNRYTEXT,")
    model = Obedient()
    answer = agents(model).ask(folder, QUESTION)
    assert model.prompts
    assert leaks("".join(model.prompts)) == set()
    assert leaks(everything_of(answer)) == set()


def test_a_tool_that_fails_with_a_path_or_a_value_tells_neither(
    written: tuple[Path, int], agents: Callable[..., Agent], home: Path, logged: Callable[[], str]
) -> None:
    film = next(written[0].iterdir())

    def run(requests: Any, ctx: Any) -> list[Any]:
        raise FileNotFoundError(2, "No such file", str(film))

    def refuse(requests: Any, ctx: Any) -> list[Any]:
        raise ToolError(f"{film.parent}/weights.bin is missing.")

    for fails in (run, refuse):
        tools = chest_catalogue(only={"film_rotation": stand_in("film_rotation", fails)})
        model = Obedient()
        answer = agents(model, tools).ask(film, "Is the heart enlarged?")
        assert any(e.kind == "tool_failure" for e in answer.evidence)
        assert leaks("".join(model.prompts)) == set()
        assert leaks(everything_of(answer)) == set()
        assert leaks(logged()) == set()
    assert leaks_below(home) == {}


def test_the_command_writes_names_to_the_crosswalk_alone(
    written: tuple[Path, int], home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from secondread.serve.cli.main import main

    film = next(written[0].iterdir())
    code = main(["ask", str(film), "What is the mean intensity?", "--out", str(home / "out"), "--json"])
    said = capsys.readouterr()
    assert code == 0
    assert json.loads(said.out)["value"]
    assert leaks(said.out + said.err) == set()
    assert leaks_below(home) == {}
    crosswalk = home / "out" / "crosswalk.csv"
    assert PERSON in crosswalk.read_text()
    assert stat.S_IMODE(crosswalk.stat().st_mode) == 0o600
    assert main(["ask", str(home / f"{PERSON}_missing.dcm"), "What is the mean intensity?", "--json"]) == 2
    said = capsys.readouterr()
    assert leaks((said.out + said.err).replace(str(home / f"{PERSON}_missing.dcm"), "")) == set()
