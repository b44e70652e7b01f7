"""Later questions refer to earlier ones: the other side, "it", another image; and what changed between two images."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from secondread.agent.agent import Agent
from secondread.agent.sessions.compare import compared
from secondread.agent.sessions.references import refer
from secondread.agent.sessions.turns import Session, Turn, session_key
from secondread.evals.phantom import Film
from secondread.kg.graph import core_graph
from secondread.kg.questions import parse
from secondread.schema.answer import Answer, Value
from secondread.schema.errors import ReplayError, UsageError

GRAPH = core_graph()
Films = Callable[..., Film]


def turn(question: str) -> Turn:
    return Turn(run="a" * 16, question=question, asked=parse(question, GRAPH))


@pytest.mark.parametrize(
    ("before", "now", "meant"),
    [
        ("Is there a pleural effusion on the right?", "and on the left?", "Is there a pleural effusion on the left?"),
        ("Is there a pleural effusion?", "And on the left side?", "Is there a pleural effusion on the left?"),
        ("How wide is the left lung?", "What about the right lung?", "How wide is the right lung?"),
        ("How wide is the left lung?", "and the other one?", "How wide is the right lung?"),
        ("Where is the heart?", "and the left lung?", "Where is the left lung?"),
        ("Where is the heart?", "Is it enlarged?", "Is the heart enlarged?"),
        ("Is the heart enlarged?", "and the cardiothoracic ratio?", "and the cardiothoracic ratio?"),
        ("Is the heart enlarged?", "thank you", "thank you"),
    ],
)
def test_references_are_put_in(before: str, now: str, meant: str) -> None:
    assert refer(now, [turn(before)], GRAPH, new_image=False).question == meant


@pytest.mark.parametrize("again", ["and now?", "And in this one?", "What about this film?"])
def test_a_new_image_gets_the_question_before(again: str) -> None:
    assert refer(again, [turn("Is the heart enlarged?")], GRAPH, new_image=True).question == "Is the heart enlarged?"


def test_without_earlier_turns_a_question_stays_as_it_is() -> None:
    assert refer("and on the left?", [], GRAPH, new_image=False).question == "and on the left?"


def save(folder: Path, name: str, film: Film) -> str:
    path = folder / name
    Image.fromarray((film.grey * 255).astype(np.uint8)).save(path)
    return str(path)


def test_a_conversation_goes_on_in_another_process(
    make_agent: Callable[..., Agent], film: Films, tmp_path: Path
) -> None:
    first = save(tmp_path, "JaneDoe.png", film(3, 0.62))
    second = save(tmp_path, "JaneDoe2.png", film(4, 0.40))
    where = tmp_path / "traces"
    agent = make_agent(trace_dir=where)
    enlarged = agent.ask(first, "Is the heart enlarged?", view="PA", age=60, session="Jane Doe")
    assert enlarged.verdict == "yes"
    later = make_agent(trace_dir=where)  # nothing in memory
    ratio = later.ask(None, "And the cardiothoracic ratio?", session="Jane Doe")
    assert ratio.value == enlarged.value
    assert any("image of the turn before" in w for w in ratio.warnings)
    again = later.ask(second, "And in this one?", view="PA", age=60, session="Jane Doe")
    assert again.value is not None
    assert again.value.value < 0.5
    assert again.warnings[0] == "Understood as: 'And the cardiothoracic ratio?'."
    change = later.ask(None, "Compare with the previous one", session="Jane Doe")
    assert change.evidence[0].image != change.evidence[-1].image
    assert [e.id for e in change.evidence] == [f"E{n}" for n in range(1, len(change.evidence) + 1)]
    known = {e.id for e in change.evidence}
    assert change.claims and all(set(c.evidence) <= known for c in change.claims)
    assert ("lower" in change.text) == (change.verdict == "yes")
    other = later.ask(None, "and on the left?", session="somebody else")
    assert other.abstained  # another conversation knows nothing of this one
    for path in where.rglob("*"):
        assert "Jane" not in path.name
        if path.is_file() and path.parent.name != "private":
            assert b"Jane" not in path.read_bytes(), path
            assert path.stat().st_mode & 0o077 == 0, path


def test_an_image_that_was_no_file_is_remembered_while_the_agent_lives(
    make_agent: Callable[..., Agent], film: Films, tmp_path: Path
) -> None:
    agent = make_agent(trace_dir=tmp_path)
    answer = agent.ask(film(3, 0.62).grey, "Is the heart enlarged?", view="PA", age=60, session="s")
    assert agent.ask(None, "and the cardiothoracic ratio?", session="s").value is not None
    with pytest.raises(UsageError, match="no file"):
        make_agent(trace_dir=tmp_path).ask(None, "and the cardiothoracic ratio?", session="s")
    assert answer.trace


def valued(value: float, half: float | None, run: str) -> Answer:
    low, high = (None, None) if half is None else (value - half, value + half)
    made = Value(name="cardiothoracic_ratio", value=value, unit="1", low=low, high=high, level=0.9)
    return Answer(question="q", text="t", value=made, trace=run)


@pytest.mark.parametrize(
    ("now", "then", "verdict", "word"),
    [
        (valued(0.60, 0.03, "b"), valued(0.45, 0.03, "a"), "yes", "higher"),
        (valued(0.45, 0.03, "b"), valued(0.60, 0.03, "a"), "yes", "lower"),
        (valued(0.50, 0.06, "b"), valued(0.45, 0.06, "a"), "indeterminate", "overlap"),
        (valued(0.60, None, "b"), valued(0.45, None, "a"), "indeterminate", "no interval"),
        (valued(0.60, 0.03, "b"), Answer(question="q", text="t"), "indeterminate", "earlier image"),
    ],
)
def test_a_change_is_told_only_when_intervals_are_apart(now: Answer, then: Answer, verdict: str, word: str) -> None:
    answer = compared(now, then)
    assert answer.verdict == verdict
    assert word in answer.text
    assert answer.abstained == (verdict == "indeterminate")


def test_a_torn_turn_is_dropped_and_a_damaged_file_is_told(tmp_path: Path) -> None:
    session = Session(tmp_path, "s")
    asked = parse("Is the heart enlarged?", GRAPH)
    session.add(Answer(question="q", text="t", trace="a" * 16), asked, ())
    path = tmp_path / "sessions" / f"{session_key('s')}.jsonl"
    with path.open("a") as file:
        file.write('{"run": "bb')
    assert [t.run for t in session.turns()] == ["a" * 16]
    session.add(Answer(question="q", text="t", trace="c" * 16), asked, ())
    assert [t.run for t in session.turns()] == ["a" * 16, "c" * 16]
    path.write_text("no turn\n")
    with pytest.raises(ReplayError, match="damaged"):
        session.turns()
