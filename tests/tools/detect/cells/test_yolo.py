"""The ultralytics twin: silent, offline, in one adapter, and held to the same result as the built-in detector."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from secondread.agent.config import Settings
from secondread.agent.settled import tool_defaults
from secondread.schema.errors import ToolUnavailable, UsageError

ROOT = Path(__file__).resolve().parents[4]
BLOCKED = """
import socket, sys, tempfile
from pathlib import Path
import numpy as np

def refuse(*args, **kwargs):
    raise AssertionError("a socket was opened")

socket.socket.connect = refuse
socket.socket.__init__ = refuse
socket.create_connection = refuse
socket.getaddrinfo = refuse
from PIL import Image
from secondread.tools.detect.cells import yolo

assert not yolo.sends_events()
folder = Path(tempfile.mkdtemp())
(folder / "images").mkdir(), (folder / "labels").mkdir()
rng = np.random.default_rng(0)
for n in range(4):
    Image.fromarray(rng.integers(0, 255, (120, 160, 3), dtype=np.uint8)).save(folder / "images" / f"{n}.jpg")
    (folder / "labels" / f"{n}.txt").write_text("0 0.5 0.5 0.3 0.3")
(folder / "train.txt").write_text("\\n".join(str(folder / "images" / f"{n}.jpg") for n in range(4)))
state = yolo.train(folder, folder / "train.txt", folder / "out", epochs=1, seed=1, batch=2)
network = yolo.build()
network.load_state_dict(state)
boxes = yolo.raw_boxes(rng.random((240, 320, 3), dtype=np.float32), 480, 640, [network.eval()])
print("done", len(state) > 50, all(0 <= d.box[0] < d.box[2] <= 640 for d in boxes))
"""


def test_one_module_imports_ultralytics() -> None:
    folders = ("agent", "evals", "imaging", "kg", "schema", "serve", "testing", "tools", "training")
    importing = {
        str(path.relative_to(ROOT))
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
        if re.search(r"^\s*(import|from) ultralytics|import_module\(\"ultralytics", path.read_text(), re.MULTILINE)
    }
    assert importing == {"tools/detect/cells/yolo.py"}


@pytest.mark.slow
def test_training_and_detection_open_no_socket() -> None:
    pytest.importorskip("ultralytics")
    done = subprocess.run([sys.executable, "-c", BLOCKED], capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip().endswith("done True True")


def test_the_detector_must_be_asked_for_and_its_licence_allowed() -> None:
    assert "blood_cells" not in tool_defaults(Settings())
    assert tool_defaults(Settings(cell_detector="yolo"))["blood_cells"] == {"detector": "yolo"}
    with pytest.raises(UsageError, match=r"AGPL-3\.0"):
        tool_defaults(Settings(cell_detector="yolo", allowed_licences=("permissive",)))


@pytest.mark.data
def test_both_detectors_find_the_same_white_cells_on_most_fields(data_dir: Path) -> None:
    pytest.importorskip("ultralytics")
    from PIL import Image

    from secondread.tools.detect.cells import inference, yolo

    try:
        networks = yolo.load_networks()
    except ToolUnavailable as error:
        pytest.skip(str(error))
    built_in = inference.load_networks()
    same = 0
    files = sorted((data_dir / "cells_bccd" / "images").glob("*.jpg"))[::36]
    for path in files:
        pixels = np.asarray(Image.open(path).convert("RGB"))
        a, b = inference.detect(pixels, built_in), yolo.detect(pixels, networks)
        same += a.count("white_cell").value == b.count("white_cell").value
        assert any("AGPL-3.0" in reason for reason in b.reasons)
    assert same >= len(files) - 2
