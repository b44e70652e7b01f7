import contextlib
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mcp import Client

from secondread.agent.config import Settings
from secondread.agent.gate.facts import facts, told
from secondread.agent.installed import installed_tools
from secondread.schema.errors import UsageError
from secondread.schema.evidence import Evidence, Measurements, Passages, ToolFailure
from secondread.tools.catalogue import Catalogue
from secondread.tools.remote.connection import Connection
from secondread.tools.remote.mount import mounted
from secondread.tools.remote.servers import read_servers
from secondread.tools.runtime.calls import Call
from secondread.tools.runtime.runtime import Runtime
from tests.support import other_server

USES = {
    "brightness": {
        "image": "image_base64",
        "measures": [
            {"concept": "mean_intensity", "path": "found.mean", "unit": "grey"},
            {"concept": "image_width", "path": "sides.0", "unit": "px"},
        ],
    },
    "say": {},
    "fail": {},
}


def write(path: Path, **servers: Any) -> Path:
    path.write_text(json.dumps({"mcpServers": servers}))
    return path


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections reach the small server without a process."""

    @contextlib.asynccontextmanager
    async def opened(self: Connection) -> AsyncIterator[Client]:
        if self.server.command == "gone":
            raise FileNotFoundError("gone")
        async with Client(other_server.make_server()) as client:
            yield client

    monkeypatch.setattr(Connection, "_open", opened)


def run(runtime: Runtime, tool: str, **args: Any) -> Evidence:
    done = runtime.submit(runtime.run([Call(tool=tool, args=args)])).result(60)
    return list(done.values())[-1]


def test_numbers_with_stated_units_are_measurements_and_uncalibrated(in_process: None, tmp_path: Path) -> None:
    found = mounted(Catalogue({}), [write(tmp_path / "s.json", other={"command": "x", "tools": USES})])
    assert found.names() == ("other_brightness", "other_fail", "other_say")
    assert found.origin("other_say") == "server other"
    assert found.get("other_brightness").card.establishes == ("mean_intensity", "image_width")
    runtime = Runtime(tools=found)
    image = runtime.store.add(np.full((20, 30), 0.5, np.float32)).ref.id
    item = run(runtime, "other_brightness", image=image, gain=0.5)
    assert isinstance(item.result, Measurements)
    mean, width = item.result.items
    assert (mean.name, mean.unit) == ("mean_intensity", "grey")
    assert mean.value == pytest.approx(0.25, abs=0.01)
    assert (width.value, width.unit) == (30.0, "px")
    assert item.reliability is None
    runtime.close()


def test_text_is_quoted_as_data_and_its_numbers_are_no_facts(in_process: None, tmp_path: Path) -> None:
    found = mounted(Catalogue({}), [write(tmp_path / "s.json", other={"command": "x", "tools": USES})])
    runtime = Runtime(tools=found)
    item = run(runtime, "other_say", text="and 7 mm")
    assert isinstance(item.result, Passages)
    [passage] = item.result.items
    assert passage.third_party
    assert "55 mm" in passage.text
    assert "<" not in passage.text + found.get("other_say").card.summary
    assert not [f for f in facts(item) if f.value in (55.0, 7.0)]
    assert not any("55" in text or "7" in text for text in told(item))
    assert "55" not in item.summary
    runtime.close()


def test_a_failing_tool_is_evidence_of_failure_without_the_servers_secrets(in_process: None, tmp_path: Path) -> None:
    runtime = Runtime(tools=mounted(Catalogue({}), [write(tmp_path / "s.json", other={"command": "x", "tools": USES})]))
    item = run(runtime, "other_fail")
    assert isinstance(item.result, ToolFailure)
    assert "secret" not in item.model_dump_json()
    runtime.close()


def test_what_cannot_be_mounted_is_listed_and_hides_nothing(in_process: None, tmp_path: Path) -> None:
    file = write(
        tmp_path / "s.json",
        other={"command": "x", "tools": {"say": {}, "nested": {}, "brightness": {"image": "no_such"}, "absent": {}}},
        away={"command": "gone"},
        off={"command": "x", "disabled": True},
        far={"url": "https://reader.example.org/mcp"},
    )
    found = mounted(Catalogue({}), [file], lambda server: None if server.local else "offline")
    assert found.names() == ("other_say",)
    told = {(p.where, p.reason) for p in found.problems}
    assert ("server other", "it has no tool absent") in told
    assert ("server other, tool nested", "its argument 'what' cannot be served") in told
    assert ("server other, tool brightness", "it has no argument 'no_such' for the image") in told
    assert ("server away", "The server away cannot be started: its command is not there or may not be run.") in told
    assert ("server far", "offline") in told


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("{", "not JSON: line 1"),
        ("[]", "no object mcpServers"),
        ('{"mcpServers": {"A b": {"command": "x"}}}', "no name of a server"),
        ('{"mcpServers": {"a": {}}}', "either a command or a url"),
        ('{"mcpServers": {"a": {"url": "file:///etc/passwd"}}}', "not http or https"),
        (
            '{"mcpServers": {"a": {"command": "x", "tools": {"t": {"measures": [{"concept": "m", "path": "p"}]}}}}}',
            "a.tools.t.measures.0.unit",
        ),
    ],
)
def test_a_wrong_file_is_one_error_that_names_file_and_entry(tmp_path: Path, text: str, wrong: str) -> None:
    file = tmp_path / "servers.json"
    file.write_text(text)
    with pytest.raises(UsageError, match=r"servers\.json") as error:
        read_servers([file])
    assert wrong in error.value.message
    with pytest.raises(UsageError, match="FileNotFoundError"):
        read_servers([tmp_path / "none.json"])


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"offline": True}, "offline: its address is not on this machine"),
        ({}, "it is given images and is not on this machine, and the setting send_pixels is off"),
    ],
)
def test_settings_decide_which_servers_are_connected(tmp_path: Path, settings: dict[str, Any], reason: str) -> None:
    file = write(tmp_path / "s.json", far={"url": "https://reader.example.org/mcp", "tools": {"t": {"image": "i"}}})
    found = installed_tools(Settings(mcp_servers=(file,), **settings))
    assert [p.reason for p in found.problems if p.where == "server far"] == [reason]


@pytest.mark.slow
def test_a_server_that_dies_is_started_again(tmp_path: Path) -> None:
    root = str(Path(other_server.__file__).parents[2])
    file = write(
        tmp_path / "s.json",
        other={"command": sys.executable, "args": ["-m", "tests.support.other_server"], "cwd": root},
    )
    runtime = Runtime(tools=mounted(Catalogue({}), [file]))
    assert run(runtime, "other_say", text="a").kind == "passage"
    assert run(runtime, "other_die").kind == "tool_failure"
    assert run(runtime, "other_say", text="b").kind == "passage"
    runtime.close()
