"""Weights that are missing, damaged, foreign or untrained are refused by name."""

import hashlib
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from secondread.schema.errors import ToolUnavailable
from secondread.tools.segment.network import ChestAnatomyNet
from secondread.tools.segment.weights import MANIFEST, fold_file, load_networks, save_fold


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    save_fold(tmp_path, 0, ChestAnatomyNet().state_dict())
    return tmp_path


def enter(folder: Path, member: int = 0) -> None:
    """Make the manifest agree with the file on disk."""
    name = fold_file(member)
    digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    (folder / MANIFEST).write_text(json.dumps({"sha256": {name: digest}}))


def test_written_weights_load_and_compute(folder: Path) -> None:
    networks = load_networks(folder)
    assert list(networks) == [0]
    with torch.inference_mode():
        assert networks[0](torch.zeros(1, 1, 64, 64)).shape == (1, 4, 64, 64)


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / fold_file(0)).unlink()
    with pytest.raises(ToolUnavailable, match="chest_anatomy_fold0"):
        load_networks(folder)


def test_a_network_that_was_never_shipped_is_refused(folder: Path) -> None:
    with pytest.raises(ToolUnavailable, match="no chest anatomy network 3"):
        load_networks(folder, members=[3])


@pytest.mark.parametrize("text", ["", "{", "[]", '{"sha256": {}}', '{"other": 1}'])
def test_a_broken_manifest_is_refused(folder: Path, text: str) -> None:
    (folder / MANIFEST).write_text(text)
    with pytest.raises(ToolUnavailable, match="list of chest anatomy weights"):
        load_networks(folder)


def test_one_changed_byte_is_noticed(folder: Path) -> None:
    path = folder / fold_file(0)
    blob = bytearray(path.read_bytes())
    blob[-1] ^= 1
    path.write_bytes(blob)
    with pytest.raises(ToolUnavailable, match="damaged"):
        load_networks(folder)


def test_weights_that_do_not_say_they_are_trained_are_refused(folder: Path) -> None:
    save_file(ChestAnatomyNet().state_dict(), folder / fold_file(0))
    enter(folder)
    with pytest.raises(ToolUnavailable, match="trained"):
        load_networks(folder)


def test_weights_of_another_network_are_refused(folder: Path) -> None:
    save_file({"a": torch.zeros(2)}, folder / fold_file(0), metadata={"status": "trained"})
    enter(folder)
    with pytest.raises(ToolUnavailable, match="do not fit"):
        load_networks(folder)
