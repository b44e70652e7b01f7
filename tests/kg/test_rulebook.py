"""The file of clinical rules: read, checked, and refused with its place when it is damaged."""

import re
from pathlib import Path

import pytest

from secondread.kg.graph import core_graph
from secondread.kg.lint import lint
from secondread.kg.rulebook import read_rules, rule_files, rule_table, shipped_rules
from secondread.schema.errors import InputError

HEAD = "sources: {def: a book}\nrules:\n"
GOOD = (
    "- {id: a_rule, stage: feature, kind: excludes, when: [{concept: supine}], then: [{concept: upright}],"
    " text: A patient who lies does not stand., source: def}\n"
)


def test_the_shipped_rules_are_many_and_sourced() -> None:
    rules = shipped_rules()
    assert len(rules) >= 30
    assert {r.stage for r in rules} == {"quality", "feature", "inference", "diagnosis"}
    assert {r.kind for r in rules} == {"implies", "excludes", "requires", "not_applicable", "agrees"}
    assert all(len(r.source) > 10 for r in rules)


def test_lint_finds_nothing_in_them_and_sees_a_concept_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not [p for p in lint(core_graph()) if p.check == "rule"]
    name, text = rule_files()[0]
    wrong = read_rules([(name, text.replace("concept: heart_failure", "concept: hart_failure"))])
    monkeypatch.setattr("secondread.kg.rulebook.shipped_rules", lambda: wrong)
    assert [str(p) for p in lint(core_graph()) if p.check == "rule"] == [
        "rule: silhouette_is_no_heart_failure: no concept hart_failure"
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rules: [", "r.yaml, line 2: not valid YAML"),
        ("rules: []\n", "has the keys sources and rules"),
        (HEAD + GOOD + GOOD, "rule a_rule is given twice"),
        (HEAD + GOOD.replace("source: def", "source: nowhere"), "rule 1 a_rule: no source 'nowhere'"),
        (HEAD + GOOD.replace("excludes", "forbids"), "rule 1 a_rule: kind"),
        (HEAD + GOOD.replace("when: [{concept: supine}]", "when: []"), "has conditions in `when`"),
        (HEAD + GOOD.replace("{concept: supine}", "{concept: supine, above: 1}"), "a polarity only"),
        (HEAD + GOOD.replace("{concept: supine}", "{concept: supine, measure: x}"), "one concept, one measure or one"),
        (HEAD + GOOD.replace("{concept: supine}", "{measure: x, above: 1, at_most: 2}"), "has one limit"),
        (HEAD + GOOD.replace("{concept: supine}", "{fact: age}"), "has `is` or a limit"),
        (HEAD + GOOD.replace("{concept: upright}", "{fact: age, below: 3}"), "not about a fact of the image"),
        (HEAD + GOOD.replace("{concept: upright}", '{concept: "*"}'), "stands in `agrees` rules alone"),
        (HEAD + GOOD.replace("stage", "stages"), "rule 1 a_rule"),
        (HEAD + "- 7\n", "rule 1: a rule is a mapping"),
    ],
)
def test_a_damaged_file_is_refused_with_its_place(text: str, said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)) as caught:
        read_rules([("r.yaml", text)])
    assert caught.value.message.startswith("r.yaml")


def test_the_page_lists_the_rules_as_they_are() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "clinical_rules.md"
    assert rule_table(shipped_rules()) in page.read_text(encoding="utf-8")
