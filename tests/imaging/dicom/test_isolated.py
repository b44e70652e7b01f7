"""GDCM decodes in a process of its own: streams that end it cost one error, and nothing is printed."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from secondread.imaging.dicom import isolated
from secondread.imaging.dicom.file import open_dicom
from secondread.imaging.dicom.isolated import WorkerFailed, decode_isolated
from secondread.schema.errors import UnreadableImage, UnsupportedImage

pytestmark = pytest.mark.data
LOSSLESS = "pydicom_data/JPEG-LL.dcm"
EXTENDED = "pydicom_tests/JPGExtended.dcm"


@pytest.fixture(scope="module")
def folder(data_dir: Path) -> Path:
    return data_dir / "dicom_variety"


@pytest.fixture
def frame(folder: Path) -> tuple[Any, bytes]:
    """Layout and stream of a JPEG Lossless frame."""
    file = open_dicom(folder / LOSSLESS)
    pixels = file._pixels
    assert pixels is not None
    layout, _, spans = pixels._checked()
    return layout, b"".join(pixels._element.source.read(*span) for span in spans[0])


@pytest.mark.parametrize("name", [LOSSLESS, EXTENDED])
def test_damaged_streams_are_one_error_each_and_leave_the_process_alive(
    folder: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    data = (folder / name).read_bytes()
    start = data.index(b"\xff\xd8\xff")
    random = np.random.default_rng(7)
    decoded = refused = 0
    for _ in range(120):
        broken = bytearray(data)
        for at in random.integers(start, len(data) - 8, random.integers(1, 12)):
            broken[at] = int(random.integers(0, 256))
        try:
            stored = open_dicom(bytes(broken), "film.dcm").stored()
        except (UnreadableImage, UnsupportedImage) as error:
            assert "film.dcm" in error.message
            refused += 1
        else:
            assert stored.shape == (1024, 256)
            decoded += 1
    assert refused >= 10
    assert decoded >= 1
    assert open_dicom(data).stored().shape == (1024, 256)
    assert capfd.readouterr() == ("", "")


def test_a_worker_that_dies_or_hangs_is_replaced(frame: tuple[Any, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    layout, data = frame
    expected = decode_isolated(layout, data, layout.stored)
    pool = isolated._current()
    worker = pool.idle[-1]
    worker.process.kill()
    with pytest.raises(WorkerFailed):
        decode_isolated(layout, data, layout.stored)
    assert decode_isolated(layout, data, layout.stored) == expected
    hanging = pool.idle[-1]
    os.kill(hanging.process.pid, 19)  # SIGSTOP
    monkeypatch.setattr(isolated, "SECONDS_PER_MEGAPIXEL", -30.0)  # leaves about two seconds
    started = time.monotonic()
    with pytest.raises(WorkerFailed):
        decode_isolated(layout, data, layout.stored)
    assert time.monotonic() - started < 60
    monkeypatch.undo()
    assert decode_isolated(layout, data, layout.stored) == expected


def test_threads_decode_side_by_side(frame: tuple[Any, bytes]) -> None:
    layout, data = frame
    found: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: found.append(decode_isolated(layout, data, layout.stored))) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert len(set(found)) == 1
    assert len(isolated._current().idle) <= isolated.MOST


def test_without_gdcm_the_error_says_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolated, "find_spec", lambda name: None)
    with pytest.raises(UnsupportedImage, match=r"no decoder is installed\. Install python-gdcm"):
        open_dicom(folder / LOSSLESS).stored()


def test_the_process_ends_without_leaving_workers_behind(folder: Path) -> None:
    code = (
        "from secondread.imaging.dicom import isolated; from secondread.imaging.dicom.file import open_dicom;"
        f"open_dicom({str(folder / LOSSLESS)!r}).stored(); print(isolated._current().idle[0].process.pid)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    with pytest.raises(ProcessLookupError):
        os.kill(int(done.stdout), 0)
