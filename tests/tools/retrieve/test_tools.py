"""The three retrieval tools through the runtime."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from secondread.schema.evidence import Evidence, Passages, SimilarCases, ToolFailure
from secondread.tools.retrieve.build import Report, ingest
from secondread.tools.runtime.calls import Call
from secondread.tools.runtime.runtime import Runtime


@pytest.fixture
def runtime(picture_corpus: tuple[Path, Report]) -> Iterator[Runtime]:
    made = Runtime(corpora=(picture_corpus[0],))
    yield made
    made.close()


@pytest.fixture
def bare() -> Iterator[Runtime]:
    made = Runtime()
    yield made
    made.close()


def call(runtime: Runtime, tool: str, **args: Any) -> Evidence:
    found = asyncio.run(runtime.run([Call(tool=tool, args=args)]))
    return next(iter(found.values()))


def test_passages_carry_id_source_licence_corpus_and_ranks(bare: Runtime) -> None:
    result = call(bare, "literature", query="Does the threshold of the cardiothoracic ratio hold for children?").result
    assert isinstance(result, Passages)
    first = result.items[0]
    assert first.id.startswith("doc-") and first.source and first.licence == "Apache-2.0"
    assert first.corpus.startswith("secondread passages v") and first.ranks
    assert first.id in first.cited and first.source in first.cited


def test_a_question_that_no_text_answers_is_a_failure_with_a_hint(bare: Runtime) -> None:
    result = call(bare, "literature", query="recipe for sourdough bread").result
    assert isinstance(result, ToolFailure) and result.code == "not_applicable" and "index build" in result.hint


def test_similar_cases_leave_the_image_itself_out_and_say_how_near_each_is(runtime: Runtime, pictures: Path) -> None:
    info = runtime.store.add(pictures / "disc04.png")
    evidence = call(runtime, "similar_cases", image=info.ref.id, k=3)
    assert isinstance(evidence.result, SimilarCases)
    cases = evidence.result.items
    assert len(cases) == 3 and info.ref.id not in {c.id for c in cases}
    near = [c.similarity for c in cases]
    assert near == sorted(near, reverse=True) and all(c.source and c.corpus.startswith("drawn v") for c in cases)


def test_a_crop_leaves_out_the_image_it_was_cut_from(runtime: Runtime, pictures: Path) -> None:
    from secondread.schema.region import Box

    info = runtime.store.add(pictures / "disc04.png")
    crop = runtime.store.derive(info.ref.id, Box(grid=info.ref.grid, x0=-0.5, y0=-0.5, x1=94.5, y1=94.5))
    result = call(runtime, "similar_cases", image=crop.id, k=3).result
    assert isinstance(result, SimilarCases) and info.ref.id not in {c.id for c in result.items}


def test_without_a_corpus_of_images_the_tool_says_how_to_make_one(bare: Runtime, pictures: Path) -> None:
    info = bare.store.add(pictures / "disc00.png")
    result = call(bare, "similar_cases", image=info.ref.id).result
    assert isinstance(result, ToolFailure) and "index build" in result.hint


def test_a_corpus_that_is_not_there_is_a_failure_and_not_a_crash(tmp_path: Path, pictures: Path) -> None:
    runtime = Runtime(corpora=(tmp_path / "nowhere",))
    try:
        info = runtime.store.add(pictures / "disc00.png")
        result = call(runtime, "similar_cases", image=info.ref.id).result
        assert isinstance(result, ToolFailure) and "holds no corpus" in result.message
    finally:
        runtime.close()


def _dicom(path: Path, seed: int, patient: str) -> None:
    """A small film with a patient id."""
    import pydicom
    from pydicom.data import get_testdata_file

    ds = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:128, :128]
    disc = 1000 * ((x - rng.uniform(50, 78)) ** 2 + (y - rng.uniform(50, 78)) ** 2 < 400)
    ds.PixelData = (disc + rng.normal(0, 5, disc.shape)).clip(0).astype(np.int16).tobytes()
    ds.PatientID, ds.PatientName = patient, f"Somebody^{patient}"
    ds.SOPInstanceUID = pydicom.uid.generate_uid(entropy_srcs=[str(seed)])
    ds.save_as(path)


def test_images_of_the_same_patient_are_left_out_unless_asked_for(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(12):
        _dicom(folder / f"{number:02}.dcm", number, "P1" if number < 4 else f"P{number}")
    _dicom(tmp_path / "asked.dcm", 99, "P1")
    ingest(folder, tmp_path / "c", images="pixels")
    runtime = Runtime(corpora=(tmp_path / "c",))
    try:
        info = runtime.store.add(tmp_path / "asked.dcm")
        guarded = call(runtime, "similar_cases", image=info.ref.id, k=12).result
        everyone = call(runtime, "similar_cases", image=info.ref.id, k=12, same_patient=True).result
        assert isinstance(guarded, SimilarCases) and isinstance(everyone, SimilarCases)
        assert len(guarded.items) == 8 and len(everyone.items) == 12
        assert "P1" not in guarded.model_dump_json() and "Somebody" not in everyone.model_dump_json()
    finally:
        runtime.close()


def test_images_are_found_by_label(tmp_path: Path) -> None:
    import json

    picture = np.linspace(0, 255, 64 * 64).reshape(64, 64).astype(np.uint8)
    for number in range(2):
        Image.fromarray(np.roll(picture, 7 * number, 0)).save(tmp_path / f"{number}.png")
    lines = [{"image": "0.png", "labels": ["Pleural effusion"]}, {"image": "1.png", "labels": ["Pneumothorax"]}]
    (tmp_path / "m.jsonl").write_text("\n".join(json.dumps(one) for one in lines))
    ingest(tmp_path / "m.jsonl", tmp_path / "c", images="pixels", source="Drawn")
    runtime = Runtime(corpora=(tmp_path / "c",))
    try:
        result = call(runtime, "find_images", text="find images with a pleural effusion").result
        assert isinstance(result, SimilarCases)
        assert [c.labels for c in result.items] == [("Pleural effusion",)]
        assert isinstance(call(runtime, "find_images", text="giraffes").result, ToolFailure)
    finally:
        runtime.close()
