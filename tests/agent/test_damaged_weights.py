"""A weights file that is damaged ends a question with a reason, and the same agent answers once the file is whole."""

from pathlib import Path

import pytest

from secondread.agent.agent import Agent
from secondread.agent.config import Settings
from secondread.schema.evidence import ToolFailure

FILM = Path(__file__).resolve().parents[2] / "examples" / "chest.dcm"


@pytest.mark.parametrize("harm", ["flipped", "cut"])
def test_damaged_weights_are_told_and_the_pool_stays_usable(harm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Path.read_bytes

    def damaged(path: Path) -> bytes:
        blob = whole(path)
        if path.name.startswith("chest_anatomy") and path.suffix == ".safetensors":
            return blob[: len(blob) // 2] if harm == "cut" else blob[:-1] + bytes([blob[-1] ^ 255])
        return blob

    agent = Agent(settings=Settings(cache_dir=None, trace_dir=None))
    try:
        with monkeypatch.context() as patched:
            patched.setattr(Path, "read_bytes", damaged)
            answer = agent.ask(FILM, "Is the heart enlarged?")
        failures = [e.result for e in answer.evidence if isinstance(e.result, ToolFailure)]
        assert answer.abstained and answer.verdict == "indeterminate"
        assert any(f.code == "tool_unavailable" and "chest_anatomy" in f.message for f in failures)
        assert agent.ask(FILM, "Is the heart enlarged?").verdict == "no"
    finally:
        agent.close()
