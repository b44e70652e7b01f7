"""After a rule has changed, a replay says what comes out otherwise, and by which rule."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from detectors import agent_with, detector, picture

from secondread.agent.replay import ReplayReport, replay
from secondread.kg.rulebook import Condition, Rule, shipped_rules
from secondread.schema.answer import Answer
from secondread.serve.cli.main import main
from secondread.tools.catalogue import Catalogue

QUESTION = "Is there a fracture? Is there a pneumothorax?"


@pytest.fixture
def recorded(tmp_path: Path) -> tuple[Path, Catalogue, Answer]:
    calls: Counter[str] = Counter()
    both = [detector("bone_finder", {"fracture": 0.9}, calls), detector("air_finder", {"pneumothorax": 0.2}, calls)]
    with agent_with(*both, trace_dir=tmp_path, checkpoints=False) as agent:
        answer = agent.ask(picture(), QUESTION)
        return tmp_path / f"{answer.trace}.jsonl", agent.runtime.catalogue, answer


def told(report: ReplayReport) -> str:
    return "\n".join(line for change in report.changes for line in change.lines)


def test_a_changed_gate_rule_is_named_with_the_claim_that_it_drops(
    recorded: tuple[Path, Catalogue, Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    from secondread.agent import claims
    from secondread.agent.gate.violation import Violation

    path, tools, _ = recorded
    before = claims._text_violations

    def stricter(said: Any) -> list[Violation]:
        more = [Violation(rule="wording", reason="bones are not told")] if "Fracture" in said.text else []
        return [*before(said), *more]

    monkeypatch.setattr(claims, "_text_violations", stricter)
    report = replay(path, tools=tools)
    assert not report.same
    by = {(c.about, c.subject): c for c in report.changes}
    lost = by["claim", "C1"]
    assert lost.recorded.startswith("fracture present: Fracture [E1].")
    assert lost.replayed == ""
    assert lost.because == "Claim C1 was dropped: bones are not told (gate rule wording)"
    assert by["verdict", ""].replayed.startswith("indeterminate, abstained: a claim that the answer needs")
    assert ("claim", "C2") not in by  # the other claim is as it was
    assert "[[" in by["answer", ""].replayed


def test_a_gate_rule_that_is_gone_gives_back_the_claim_that_it_had_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from secondread.agent import claims
    from secondread.agent.gate.violation import Violation

    with monkeypatch.context() as patched:
        patched.setattr(claims, "_text_violations", lambda said: [Violation(rule="entity", reason="silence")])
        finder = detector("bone_finder", {"fracture": 0.9}, Counter())
        with agent_with(finder, trace_dir=tmp_path, checkpoints=False) as agent:
            answer = agent.ask(picture(), "Is there a fracture?")
            tools = agent.runtime.catalogue
    assert answer.abstained
    report = replay(tmp_path / f"{answer.trace}.jsonl", tools=tools)
    assert report.answer.verdict == "yes"
    assert "because: when recorded: Claim C1 was dropped: silence (gate rule entity)" in told(report)


def test_a_new_clinical_rule_is_named(
    recorded: tuple[Path, Catalogue, Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, tools, _ = recorded
    rule = Rule(
        id="no_fracture_here", stage="feature", kind="not_applicable", when=(Condition(concept="pneumothorax",
        polarity="absent"),), then=(Condition(concept="fracture"),), text="A rule made for this test alone.",
        source="none",
    )  # fmt: skip
    monkeypatch.setattr("secondread.agent.replay.shipped_rules", lambda: (*shipped_rules(), rule))
    report = replay(path, tools=tools)
    [change] = [c for c in report.changes if c.about == "rule"]
    assert (change.subject, change.recorded, change.replayed) == ("no_fracture_here", "kept", "broken")
    assert change.because == rule.text


def test_an_unchanged_program_changes_nothing(recorded: tuple[Path, Catalogue, Answer]) -> None:
    path, tools, _ = recorded
    report = replay(path, tools=tools)
    assert report.same
    assert report.changes == ()


def test_the_command_prints_the_changes(
    recorded: tuple[Path, Catalogue, Answer], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from secondread.agent import claims
    from secondread.agent.gate.violation import Violation

    path, tools, _ = recorded
    monkeypatch.setattr("secondread.agent.replay.catalogue", lambda: tools)
    assert main(["replay", str(path)]) == 0
    assert "same answer" in capsys.readouterr().out
    monkeypatch.setattr(claims, "_text_violations", lambda said: [Violation(rule="entity", reason="silence")])
    assert main(["replay", str(path)]) == 1
    out = capsys.readouterr().out
    assert "claim C1\n  was: fracture present: Fracture [E1]." in out
    assert "(gate rule entity)" in out
    assert "fields differ: text, verdict" in out
