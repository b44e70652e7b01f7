"""Weights that are missing, damaged, foreign or untrained are refused by name."""

import hashlib
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from secondread.schema.errors import ToolUnavailable
from secondread.schema.evidence import CalibrationRecord
from secondread.tools.segment.nerves.network import build
from secondread.tools.weights_file import WeightsFile

FILE = WeightsFile("tiny", "secondread.training.nerves")
RECORD = CalibrationRecord(name="tiny_error", method="m", data="d", data_sha256="0", date="2026-01-01", n=3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    FILE.write(tmp_path, [build().state_dict(), build().state_dict()], [RECORD])
    return tmp_path


def test_what_was_written_is_read_again_in_half_precision(folder: Path) -> None:
    torch.manual_seed(0)
    first = build().state_dict()
    states = FILE.states(folder)
    assert len(states) == 2
    assert torch.equal(states[0]["head.weight"], first["head.weight"].half().float())
    assert not torch.equal(states[0]["head.weight"], states[1]["head.weight"])
    assert FILE.record("tiny_error", folder) == RECORD


def test_folding_the_norms_in_changes_nothing(folder: Path) -> None:
    plain = build()
    with torch.no_grad():  # norms that do something
        for name, value in plain.named_buffers():
            if name.endswith("running_mean"):
                value.uniform_(-0.2, 0.2)
            elif name.endswith("running_var"):
                value.uniform_(0.5, 2.0)
    image = torch.rand(1, 1, 32, 48)
    before = plain.eval()(image)
    assert before.shape == (1, 3, 32, 48)
    assert torch.allclose(plain.fuse()(image), before, atol=1e-4)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for n in FILE.networks(build, folder) for m in n.modules())


def test_one_changed_byte_is_noticed(folder: Path) -> None:
    blob = bytearray((folder / FILE.file).read_bytes())
    blob[-1] ^= 1
    (folder / FILE.file).write_bytes(blob)
    with pytest.raises(ToolUnavailable, match=r"tiny\.safetensors is damaged"):
        FILE.states(folder)


def test_a_missing_file_is_named_and_the_hint_says_how_to_make_it(folder: Path) -> None:
    (folder / FILE.file).unlink()
    with pytest.raises(ToolUnavailable, match=r"tiny\.safetensors cannot be read.*secondread\.training\.nerves"):
        FILE.networks(build, folder)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"sha256": {}}', '{"sha256": {"tiny.safetensors": "0"}}'])
def test_a_broken_manifest_is_refused(folder: Path, text: str) -> None:
    (folder / "tiny.json").write_text(text)
    with pytest.raises(ToolUnavailable, match="manifest of the tiny expert is damaged"):
        FILE.manifest(folder)


def test_a_missing_record_is_named(folder: Path) -> None:
    with pytest.raises(ToolUnavailable, match="no record 'other'"):
        FILE.record("other", folder)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [(None, "does not say that it was trained"), ({"status": "trained", "members": "1"}, "do not fit the network")],
)
def test_untrained_and_foreign_weights_are_refused(folder: Path, metadata: dict[str, str], message: str) -> None:
    save_file({"0.a": torch.zeros(2)}, folder / FILE.file, metadata=metadata)
    digest = hashlib.sha256((folder / FILE.file).read_bytes()).hexdigest()
    (folder / "tiny.json").write_text(json.dumps({"sha256": {FILE.file: digest}, "records": []}))
    with pytest.raises(ToolUnavailable, match=message):
        FILE.networks(build, folder)
