"""Studies of a DICOMweb service: Orthanc started here, and services that break off, stay silent or talk nonsense."""

import json
import shutil
import socket
import socketserver
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from batches import MEAN, job, rows_in, study

from secondread.serve.batch import dicomweb
from secondread.serve.batch.run import Options, run_batch
from secondread.serve.batch.scan import Given
from secondread.serve.batch.where import conditions

pytest.importorskip("dicomweb_client")
PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Further tries come without a wait."""
    monkeypatch.setattr(dicomweb, "WAIT_SECONDS", 0.0)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture
def orthanc(tmp_path: Path) -> Iterator[str]:
    """An empty Orthanc on a free port of this machine; its DICOMweb URL."""
    program = shutil.which("Orthanc")
    if program is None or not PLUGIN.exists():
        pytest.skip("Orthanc is not installed (Debian packages orthanc and orthanc-dicomweb)")
    port = free_port()
    home = tmp_path / "orthanc"
    home.mkdir()
    (home / "orthanc.json").write_text(
        json.dumps(
            {
                "HttpPort": port,
                "HttpBindAddresses": ["127.0.0.1"],
                "RemoteAccessAllowed": False,
                "DicomServerEnabled": False,
                "StorageDirectory": str(home / "data"),
                "IndexDirectory": str(home / "data"),
                "Plugins": [str(PLUGIN)],
                "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
            }
        )
    )
    with (home / "log").open("wb") as log:
        process = subprocess.Popen([program, str(home / "orthanc.json")], stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"{url}/system", timeout=1).close()
                break
            except OSError:
                assert process.poll() is None, (home / "log").read_text()[-2000:]
                assert time.monotonic() < deadline
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(20)


def put(url: str, path: Path) -> None:
    request = urllib.request.Request(f"{url}/instances", path.read_bytes(), {"Content-Type": "application/dicom"})
    urllib.request.urlopen(request, timeout=10).close()


@pytest.mark.slow
def test_a_pacs_gives_the_rows_that_its_files_give(orthanc: str, tmp_path: Path) -> None:
    for k in range(5):
        for number in (1, 2):
            put(orthanc, study(tmp_path / "in" / f"{k}-{number}.dcm", f"1.2.{k}", patient=f"P{k // 2}",
                               date=f"2024010{k + 1}", number=number, level=200 + 100 * k))  # fmt: skip
    url = f"{orthanc}/dicom-web"
    tally = run_batch(Given((url,)), job(), tmp_path / "remote")
    assert (tally.rows, tally.answered) == (10, 10)
    run_batch(Given((str(tmp_path / "in"),)), job(), tmp_path / "files")
    texts = [sorted((r["image"], r["text"]) for r in rows_in(tmp_path / out)) for out in ("remote", "files")]
    assert texts[0] == texts[1]
    paired = [json.loads((tmp_path / out / "manifest.json").read_text())["paired"] for out in ("remote", "files")]
    assert paired == [2, 2]
    assert "1.2.3" not in (tmp_path / "remote" / "results.jsonl").read_text()
    assert f"{url}/studies/1.2.3" in (tmp_path / "remote" / "crosswalk.csv").read_text()


@pytest.mark.slow
def test_a_query_selects_studies_and_new_ones_are_found_on_resuming(orthanc: str, tmp_path: Path) -> None:
    put(orthanc, study(tmp_path / "1.dcm", "1.2.1"))
    put(orthanc, study(tmp_path / "2.dcm", "1.2.2", patient="P2", Modality="CR"))
    url = f"{orthanc}/dicom-web?ModalitiesInStudy=DX"
    assert run_batch(Given((url,)), job(MEAN), tmp_path / "out").rows == 1
    put(orthanc, study(tmp_path / "3.dcm", "1.2.3", patient="P3"))
    told = run_batch(
        Given((url,)), job(MEAN), tmp_path / "out", Options(resume=True, where=conditions(["modality=DX"]))
    )
    assert (told.rows, told.new) == (2, 1)


class Serving(ThreadingHTTPServer):
    """A service of one study whose answers go wrong as told."""

    daemon_threads = True
    film: bytes
    answers: Callable[[str, int], str]

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.asked: list[str] = []


class Answering(BaseHTTPRequestHandler):
    """`whole`, `cut` (half of the message), `drop` (nothing), `busy` (503), `refuse` (403) or `nonsense`."""

    server: Serving

    def log_message(self, *words: Any) -> None: ...

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        self.server.asked.append(path)
        how = self.server.answers(path, self.server.asked.count(path))
        if how == "drop":
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        if how in ("busy", "refuse"):
            self.send_error(503 if how == "busy" else 403)
            return
        kind, body = self._body(path)
        if how == "nonsense":
            body = b"<html>this is no DICOM</html>"
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if how == "cut" else body)

    def _body(self, path: str) -> tuple[str, bytes]:
        if path.endswith("/studies"):
            found = {"0020000D": {"vr": "UI", "Value": ["1.2.3"]}, "00080061": {"vr": "CS", "Value": ["DX"]}}
            return "application/dicom+json", json.dumps([found]).encode()
        if path.endswith("/instances"):
            found = {"00080018": {"vr": "UI", "Value": ["1.2.3.1.1"]}}
            return "application/dicom+json", json.dumps([found]).encode()
        part = b"--edge\r\nContent-Type: application/dicom\r\n\r\n" + self.server.film + b"\r\n--edge--\r\n"
        return 'multipart/related; type="application/dicom"; boundary=edge', part


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Serving]:
    server = Serving()
    server.film = study(tmp_path / "film.dcm", "1.2.3").read_bytes()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def asked_of(server: socketserver.BaseServer, out: Path, **options: Any) -> Any:
    url = f"http://127.0.0.1:{server.server_address[1]}/dicom-web"
    return run_batch(Given((url,)), job(MEAN, retries=0), out, Options(**options))


@pytest.mark.parametrize("how", ["drop", "cut", "busy", "nonsense"])
def test_a_service_that_fails_now_and_then_is_asked_again(
    how: str, service: Serving, at_once: None, tmp_path: Path
) -> None:
    service.answers = lambda path, times: how if times <= 2 else "whole"
    tally = asked_of(service, tmp_path / "out")
    assert (tally.rows, tally.answered) == (1, 1)


def test_a_study_that_never_comes_is_a_failed_row_and_can_be_asked_again(
    service: Serving, at_once: None, tmp_path: Path
) -> None:
    service.answers = lambda path, times: "cut" if path.endswith("1.2.3") else "whole"
    tally = asked_of(service, tmp_path / "out")
    assert (tally.rows, tally.failed, tally.internal) == (1, 1, 0)
    [row] = rows_in(tmp_path / "out")
    assert row["error"]["code"] == "service_failed"
    assert "1.2.3" not in row["error"]["message"]
    service.answers = lambda path, times: "whole"
    assert asked_of(service, tmp_path / "out", resume=True).new == 0
    assert asked_of(service, tmp_path / "out", resume=True, retry_failed=True).answered == 1


def test_a_service_that_refuses_is_not_asked_again_and_named_once(
    service: Serving, at_once: None, tmp_path: Path
) -> None:
    service.answers = lambda path, times: "refuse"
    with pytest.raises(dicomweb.ServiceFailed, match="HTTP status 403"):
        asked_of(service, tmp_path / "out")
    assert len(service.asked) == 1
    assert not (tmp_path / "out").exists()
