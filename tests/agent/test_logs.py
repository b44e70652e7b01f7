"""Structured logs of a run: fields for machines, no texts, nothing while nobody listens."""

import json
import logging
from collections import Counter
from pathlib import Path

import pytest
from detectors import agent_with, detector, picture
from PIL import Image

from secondread.agent.logs import LOGGER, logging_to
from secondread.schema.errors import UsageError


def test_every_step_is_one_line_of_json_without_texts(tmp_path: Path) -> None:
    image = tmp_path / "JaneDoe.png"
    Image.fromarray((picture() * 255).astype("uint8")).save(image)
    log = tmp_path / "run.jsonl"
    with agent_with(detector("rib_finder", {"rib_fracture": 0.93}, Counter())) as agent:
        with logging_to(log):
            answer = agent.ask(image, "Does Jane Doe have a rib fracture?")
        agent.ask(image, "Does Jane Doe have a rib fracture?")  # not logged
    text = log.read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert [e["event"] for e in lines] == [
        "run", "intake", "moves", "result", "rethink", "moves", "rethink", "gate", "words", "answer"]  # fmt: skip
    assert {e["run"] for e in lines} == {answer.trace}
    result = next(e for e in lines if e["event"] == "result")
    assert (result["tool"], result["id"], result["kind"]) == ("rib_finder", "E1", "finding")
    assert result["seconds"] >= 0
    assert lines[-1]["verdict"] == "yes"
    assert lines[-1]["confidence"] == pytest.approx(0.93)
    assert "Jane" not in text and "fracture?" not in text and str(tmp_path) not in text
    assert log.stat().st_mode & 0o077 == 0


def test_nothing_is_logged_when_nobody_listens(caplog: pytest.LogCaptureFixture) -> None:
    with agent_with(detector("rib_finder", {"rib_fracture": 0.93}, Counter())) as agent:
        agent.ask(picture(), "Is there a rib fracture?")
        assert not [r for r in caplog.records if r.name == LOGGER.name]
        with caplog.at_level(logging.INFO, LOGGER.name):
            agent.ask(picture(), "Is there a rib fracture?")
    assert {"run", "answer"} <= {r.message for r in caplog.records if r.name == LOGGER.name}


def test_a_log_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"), logging_to(tmp_path / "no" / "log.jsonl"):
        pass
