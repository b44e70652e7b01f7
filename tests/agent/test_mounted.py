"""A tool of another server inside the loop: its number is evidence without a probability, its text is nothing."""

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mcp import Client

from secondread import Agent
from secondread.agent.claims import check
from secondread.agent.config import Settings
from secondread.kg.graph import core_graph
from secondread.schema.answer import Claim
from secondread.schema.evidence import Evidence, Passage, Passages
from secondread.tools.remote.connection import Connection
from tests.support import other_server


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    """Settings that mount the small server, reached in process."""

    @contextlib.asynccontextmanager
    async def opened(self: Connection) -> AsyncIterator[Client]:
        async with Client(other_server.make_server()) as client:
            yield client

    monkeypatch.setattr(Connection, "_open", opened)
    file = tmp_path / "servers.json"
    measure = {"concept": "mean_intensity", "path": "found.mean", "unit": "grey"}
    uses: dict[str, Any] = {"brightness": {"image": "image_base64", "measures": [measure]}, "say": {}}
    file.write_text(json.dumps({"mcpServers": {"other": {"command": "x", "tools": uses}}}))
    return Settings(mcp_servers=(file,), trace_dir=None, cache_dir=None)


def test_a_mounted_measure_answers_a_question_and_stays_uncalibrated(settings: Settings) -> None:
    with Agent(settings=settings, tools=("other_brightness",)) as agent:
        answer = agent.ask(np.full((64, 48), 0.5, np.float32), "What is the mean intensity?")
    assert answer.value is not None
    assert answer.value.value == pytest.approx(0.5, abs=0.01)
    assert answer.value.unit == "grey"
    assert answer.confidence is None
    assert {e.tool for e in answer.evidence if e.id in answer.claims[0].evidence} == {"other_brightness"}


@pytest.mark.parametrize(("corpus", "passes"), [("textbook v1", True), ("mounted server other", False)])
def test_a_number_that_only_a_mounted_server_wrote_is_refused_by_the_gate(corpus: str, passes: bool) -> None:
    text = "A transverse diameter of the heart above 155 mm is unusual."
    passage = Passage(text=text, source="s", id="p1", corpus=corpus)
    item = Evidence(
        id="E1", call_key="k", kind="passage", tool="t", tool_version="1", result=Passages(items=(passage,)), summary=""
    )
    claim = Claim(id="C1", concept="heart_width", polarity="present", text=text, evidence=("E1",))
    broken = check(claim, {"E1": item}, {}, core_graph())
    assert (not broken) is passes
    assert passes or any("155" in violation.reason for violation in broken)
