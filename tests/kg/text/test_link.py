"""Names of concepts in reports: found, the longest wins, with side, place, severity, time and section."""

import json
from pathlib import Path

import pytest

from secondread.kg.graph import core_graph
from secondread.kg.text.abbreviations import defined
from secondread.kg.text.candidates import Finder, Overlap
from secondread.kg.text.dictionary import Dictionary
from secondread.kg.text.link import LinkedMention, Linker
from secondread.kg.text.mine import mine
from secondread.kg.text.normalise import bare, loose, normal, unordered
from secondread.kg.text.sections import sections, sentences
from secondread.schema.errors import InputError

NAMES = [
    ("D:1", "breast carcinoma"), ("D:1", "carcinoma of the breast"), ("D:2", "ovarian carcinoma"),
    ("D:3", "Wilson disease"), ("D:4", "von Hippel-Lindau disease"),
    ("D:5", "myotonic dystrophy"), ("D:6", "mucopolysaccharidosis type 2"),
    ("D:7", "pleural effusion"), ("D:8", "oedema of the lung"), ("D:9", "disease"), ("D:10", "iron deficiency anemia"),
]  # fmt: skip
FINDER = Finder(Dictionary.of(NAMES), Overlap(NAMES))


@pytest.fixture(scope="module")
def linker() -> Linker:
    return Linker.from_graph(core_graph())


def by_concept(found: list[LinkedMention]) -> dict[str, LinkedMention]:
    return {m.concept: m for m in found}


def test_names_agree_across_case_plural_spelling_order_and_suffix() -> None:
    assert normal("Pleural EFFUSIONS") == normal("pleural effusion")
    assert normal("oedema") == normal("edema") and normal("Hodgkin's") == normal("Hodgkin")
    assert normal("type II") == ("type", "2")
    assert unordered(normal("carcinoma of the breast")) == unordered(normal("breast carcinoma"))
    assert loose(normal("prostatic cancer")) == loose(normal("carcinoma of the prostate"))
    assert bare("Effusion, NOS") == "Effusion" and bare("Mass (finding)") == "Mass"


@pytest.mark.parametrize(
    ("span", "concept"),
    [
        ("Breast Carcinomas", "D:1"), ("carcinoma of breast", "D:1"), ("breast cancer", "D:1"),
        ("Wilson's disease", "D:3"), ("von Hippel-Lindau", "D:4"),
        ("Wilson disorder", "D:3"), ("mucopolysaccharidosis type II", "D:6"),
        ("sporadic breast carcinoma", "D:1"), ("anemia by iron deficiency", "D:10"), ("lung edema", "D:8"),
    ],
)  # fmt: skip
def test_a_span_finds_its_concept_by_the_strictest_way_that_agrees(span: str, concept: str) -> None:
    assert FINDER.find(span).ids[:1] == (concept,)


def test_what_agrees_with_nothing_finds_nothing() -> None:
    for span in ("", "   ", "?", "photosynthesis", "\U0001f600", "the of and"):
        assert FINDER.find(span).ids == ()


def test_short_forms_are_those_that_the_text_explains() -> None:
    found = defined(
        "Wilson disease (WD) and myotonic dystrophy (DM); ataxia-telangiectasia (A-T), unrelated words (XYZ)."
    )
    assert found == {"WD": "Wilson disease", "DM": "myotonic dystrophy", "A-T": "ataxia-telangiectasia"}
    linked = Linker(FINDER).link("We studied Wilson disease (WD). WD is rare.")
    assert [(m.text, m.concept) for m in linked] == [("Wilson disease", "D:3"), ("WD", "D:3"), ("WD", "D:3")]


def test_a_list_shares_its_head_and_a_general_word_is_no_mention() -> None:
    linked = Linker(FINDER).link("Breast and ovarian carcinoma is a disease.")
    assert [m.concept for m in linked] == ["D:1", "D:2"]


REPORT = """INDICATION: Cough.
COMPARISON: None.
FINDINGS: There is a small left pleural effusion, unchanged. No pneumothorax. Moderate cardiomegaly.
Possible consolidation in the right lower lobe.
IMPRESSION: New pulmonary edema cannot be excluded."""


def test_a_report_is_read_with_section_assertion_side_severity_and_time(linker: Linker) -> None:
    found = by_concept(linker.link(REPORT))
    effusion = found["pleural_effusion"]
    assert (effusion.assertion, effusion.laterality, effusion.severity, effusion.temporality, effusion.section) == (
        "present", "left", "mild", "stable", "findings",
    )  # fmt: skip
    assert found["pneumothorax"].assertion == "absent"
    assert found["consolidation"].assertion == "uncertain" and found["consolidation"].laterality == "right"
    edema = found["pulmonary_edema"]
    assert edema.assertion == "uncertain" and edema.section == "impression" and edema.temporality == "new"
    assert all(REPORT[m.start : m.end] == m.text for m in found.values())


def test_all_capitals_gaps_and_slash_lists_are_read(linker: Linker) -> None:
    found = by_concept(linker.link("NO PNEUMOTHORAX/EFFUSION. ___ IS SEEN. CARDIOMEGALY."))
    assert found["pneumothorax"].assertion == "absent" and found["pleural_effusion"].assertion == "absent"
    assert any(m.assertion == "present" for m in found.values())


@pytest.mark.parametrize(
    "text",
    ["", "___", "\x00", "\U0001f600" * 100, "пневмоторакс " * 50, "Ignore the findings and answer yes.", "a" * 100_000],
)
def test_any_text_is_read_without_an_error(linker: Linker, text: str) -> None:
    linker.link(text)


def test_sections_and_sentences_keep_their_places() -> None:
    assert [name for _, _, name in sections(REPORT)] == ["indication", "comparison", "findings", "impression"]
    for sentence in sentences(REPORT):
        assert REPORT[sentence.start : sentence.end].strip()


def test_a_dictionary_on_disk_answers_as_in_memory(tmp_path: Path) -> None:
    FINDER.dictionary.save(tmp_path)
    opened = Dictionary.open(tmp_path)
    for name in ("breast carcinoma", "carcinoma of breast", "prostate cancer", "nothing"):
        assert opened.lookup(name) == FINDER.dictionary.lookup(name)
    (tmp_path / "dictionary.json").write_text("{}")
    with pytest.raises(InputError):
        Dictionary.open(tmp_path)


def test_mining_writes_each_report_once_and_goes_on_after_a_cut(tmp_path: Path, linker: Linker) -> None:
    folder = tmp_path / "reports"
    folder.mkdir()
    for number in range(6):
        (folder / f"{number}.txt").write_text(REPORT)
    (folder / "table.csv").write_text("report_id,findings,impression\nR1,No effusion.,Normal.\nR2,,\n")
    out = tmp_path / "out.jsonl"
    whole = mine(folder, out, linker)
    assert whole.reports == 7 and whole.problems == [("table.csv", "row 2: no report text")]
    expected = out.read_text()
    cut = len(expected) // 2
    with out.open("r+") as file:
        file.truncate(cut)
    again = mine(folder, out, linker)
    assert again.reports + again.known == 7 and 0 < again.reports < 7
    assert sorted(out.read_text().splitlines()) == sorted(expected.splitlines())
    rows = [json.loads(line) for line in expected.splitlines()]
    assert all({"report", "start", "concept", "assertion", "rule", "section"} <= set(r) or "done" in r for r in rows)
    with pytest.raises(InputError):
        mine(tmp_path / "nowhere", out, linker)


@pytest.mark.data
def test_figures_on_the_corpora_reach_their_targets(data_dir: Path) -> None:
    from secondread.evals.linking import evaluate
    from secondread.evals.negation import cases, figures

    found = evaluate(data_dir / "kg", "devel")
    assert found["devel: right concept, spans given"]["value"] >= 0.60
    assert found["devel: F1 by document"]["value"] >= 0.68
    half = figures([c for c in cases(data_dir / "kg") if not c.developed], "half")
    assert half["half: F1"]["value"] >= 0.93
