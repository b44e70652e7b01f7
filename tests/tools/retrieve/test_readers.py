"""Every kind of file into items, and what is wrong with a file in one line."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from secondread.schema.errors import InputError
from secondread.tools.retrieve.readers.chunks import LONGEST, chunks, sections
from secondread.tools.retrieve.readers.draft import Defaults
from secondread.tools.retrieve.readers.keys import opaque
from secondread.tools.retrieve.readers.layouts import MIMIC_LICENCE
from secondread.tools.retrieve.readers.walk import sources
from secondread.tools.retrieve.records import Item

DEFAULTS = Defaults(source="Folder", licence="MIT", salt="salt")


def items(root: Path) -> tuple[list[Item], list[str]]:
    said: list[str] = []
    made: list[Item] = []
    for one in sources(root, DEFAULTS, said.append):
        try:
            made += [d.item for d in one.read(said.append)]
        except InputError as error:
            said.append(str(error))
    return made, said


def test_long_texts_are_cut_at_sentences_and_short_paragraphs_are_joined() -> None:
    assert chunks("One.\n\nTwo.\n\nThree.") == ["One. Two. Three."]
    long = " ".join(f"This is sentence number {n}." for n in range(200))
    parts = chunks(long)
    assert " ".join(parts) == long
    assert all(len(p) <= LONGEST and p.endswith(".") for p in parts)
    assert max(map(len, chunks("x" * 5000))) <= LONGEST


def test_headings_name_their_sections() -> None:
    assert sections("intro\n# A\nx\n## B\ny\n# C\nz") == [("", "intro"), ("A", "x"), ("A / B", "y"), ("C", "z")]


def test_a_section_may_name_its_own_source(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# A\nText of A.\nSource: Somebody 2020\n# B\nText of B.\n")
    found, _ = items(tmp_path)
    assert [(i.title, i.text, i.source) for i in found] == [
        ("A", "Text of A.", "Somebody 2020"), ("B", "Text of B.", "Folder"),
    ]  # fmt: skip


def test_a_pdf_is_read_by_page_and_a_scan_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("pypdf")
    (tmp_path / "a.pdf").write_bytes(_pdf(["The heart shadow is wide.", "Second page."]))
    (tmp_path / "b.pdf").write_bytes(_pdf([""]))
    (tmp_path / "c.pdf").write_bytes(b"%PDF-1.4 broken")
    found, said = items(tmp_path)
    assert [(i.title, i.text) for i in found] == [
        ("a, page 1", "The heart shadow is wide."),
        ("a, page 2", "Second page."),
    ]
    assert any("b.pdf holds no text" in s for s in said) and any("c.pdf cannot be read as PDF" in s for s in said)


def _pdf(pages: list[str]) -> bytes:
    """A plain PDF with one line of text per page."""
    count = len(pages)
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{' '.join(f'{4 + 2 * n} 0 R' for n in range(count))}] /Count {count} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for number, text in enumerate(pages):
        stream = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode()
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {5 + 2 * number} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>".encode()
        )
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % p for p in places)
    return out + b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, start)


def _png(path: Path, grey: int = 90) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    ramp = np.linspace(0, grey, 64 * 64).reshape(64, 64).astype(np.uint8)
    Image.fromarray(ramp).save(path)


def test_llava_and_medtrinity_records_are_read_with_their_images(tmp_path: Path) -> None:
    _png(tmp_path / "images" / "a.png")
    _png(tmp_path / "images" / "b.png", 200)
    llava = [
        {"id": "1", "image": "images/a.png", "conversatons": [
            {"from": "human", "value": "What is shown?\n<image>"}, {"from": "gpt", "value": "A chest film."}]},
    ]  # fmt: skip
    (tmp_path / "llava.json").write_text(json.dumps(llava))
    with gzip.open(tmp_path / "trinity.jsonl.gz", "wt") as file:
        file.write(json.dumps({"file_name": "images/b.png", "caption": "CT of the liver.", "source": "Trinity"}) + "\n")
    found, said = items(tmp_path)
    told = [(i.source, i.text) for i in found if i.text]
    assert told == [("Folder", "What is shown?\nA chest film."), ("Trinity", "CT of the liver.")]
    assert not said


def test_an_image_outside_the_folder_of_its_manifest_is_refused(tmp_path: Path) -> None:
    _png(tmp_path / "secret.png")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "m.jsonl").write_text(
        json.dumps({"image": "../secret.png"}) + "\n" + json.dumps({"image": "none.png"})
    )
    found, said = items(tmp_path / "in")
    assert not found
    assert "outside the folder" in said[0] and said[1].startswith("line 2")


def test_the_mimic_layout_gives_reports_and_images_with_labels_and_opaque_people(tmp_path: Path) -> None:
    study = tmp_path / "files" / "p10" / "p10000032" / "s50414267"
    _png(study / "02aa804e-bde0afdd-112c0b34-7bc16630-4e384014.jpg")
    (study.parent / "s50414267.txt").write_text("FINDINGS:\nNo effusion.\n\nIMPRESSION:\nNormal.")
    (study.parent / "s50414268.txt").write_text("  ")
    (tmp_path / "mimic-cxr-2.0.0-chexpert.csv").write_text(
        "subject_id,study_id,Cardiomegaly,Edema,No Finding\n10000032,50414267,1.0,-1.0,\n10000032,,1.0,,\n"
    )
    (tmp_path / "mimic-cxr-2.0.0-metadata.csv").write_text(
        "dicom_id,subject_id,study_id,ViewPosition\n02aa804e-bde0afdd-112c0b34-7bc16630-4e384014,10000032,50414267,PA\n"
    )
    found, said = items(tmp_path)
    report = next(i for i in found if i.kind == "report")
    image = next(i for i in found if i.kind == "image")
    assert report.labels == image.labels == ("Cardiomegaly",)
    assert report.patient == image.patient == opaque("pat", "10000032", "salt")
    assert report.study == image.study and image.title == "PA view" and image.licence == MIMIC_LICENCE
    assert "10000032" not in report.model_dump_json() + image.model_dump_json()
    assert any("line 3: no study id" in s for s in said) and any("is empty" in s for s in said)


def test_open_i_reports_are_read_and_entities_are_not_expanded(tmp_path: Path) -> None:
    (tmp_path / "1.xml").write_text(
        '<eCitation><uId id="CXR1"/><Abstract><AbstractText Label="FINDINGS">Heart size  normal.</AbstractText>'
        '<AbstractText Label="IMPRESSION">Normal.</AbstractText></Abstract><MeSH><major>normal</major></MeSH>'
        "</eCitation>"
    )
    (tmp_path / "2.xml").write_text('<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>')
    (tmp_path / "3.xml").write_text("<a>")
    found, said = items(tmp_path)
    assert [(i.id, i.text, i.labels) for i in found] == [
        ("doc-openi-CXR1", "Findings: Heart size normal.\nImpression: Normal.", ("normal",))
    ]
    assert len(said) == 2


def test_keys_of_people_depend_on_the_corpus_and_cannot_be_empty_for_somebody() -> None:
    assert opaque("pat", "123", "a") != opaque("pat", "123", "b")
    assert opaque("pat", "123", "a") == opaque("pat", "123", "a")
    assert opaque("pat", "", "a") == ""


def test_a_text_that_is_not_utf8_is_refused_with_the_place(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("gr\u00fc\u00df".encode("latin-1"))
    _, said = items(tmp_path)
    assert said == ["a.txt is not UTF-8 text (byte 2)."]
