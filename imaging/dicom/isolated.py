"""Runs `gdcm_worker` as processes that are kept, and survives their death."""

import atexit
import json
import os
import struct
import subprocess
import sys
import threading
from contextlib import suppress
from importlib import resources
from importlib.util import find_spec

from secondread.imaging.dicom.layout import Layout

START_SECONDS = 30.0
SECONDS_PER_MEGAPIXEL = 2.0
"""A frame may take ten seconds and this much more; GDCM decodes a megapixel in well under a tenth of a second."""
MOST = 4
"""Workers at a time."""


class WorkerFailed(Exception):
    """The frame could not be decoded, or the worker died of it."""

    def __init__(self, *, missing: bool = False) -> None:
        super().__init__()
        self.missing = missing
        """GDCM is not installed, or no process can be started."""


class _Worker:
    def __init__(self) -> None:
        program = resources.files("secondread.imaging.dicom").joinpath("gdcm_worker.py").read_text(encoding="utf-8")
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.fresh = True

    def ask(self, request: bytes, data: bytes, seconds: float) -> bytes:
        """The reply to one request; the process is killed when it takes longer.

        Raises:
            WorkerFailed: No reply.
        """
        assert self.process.stdin is not None and self.process.stdout is not None
        timer = threading.Timer(seconds + (START_SECONDS if self.fresh else 0), self.process.kill)
        timer.daemon = True
        timer.start()
        try:
            self.process.stdin.write(struct.pack("<II", len(request), len(data)) + request)
            self.process.stdin.write(data)
            self.process.stdin.flush()
            prefix = self.process.stdout.read(4)
            if len(prefix) < 4:
                raise WorkerFailed
            (length,) = struct.unpack("<I", prefix)
            reply = self.process.stdout.read(length)
            if len(reply) < length:
                raise WorkerFailed
        except OSError:
            raise WorkerFailed from None
        finally:
            timer.cancel()
        self.fresh = False
        return reply

    def end(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with suppress(OSError):  # the other end has gone
                    pipe.close()
        self.process.kill()
        self.process.wait()


class _Pool:
    """Idle workers of this process; a forked child starts its own."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self.lock = threading.Lock()
        self.idle: list[_Worker] = []
        self.slots = threading.BoundedSemaphore(MOST)

    def take(self) -> _Worker:
        with self.lock:
            if self.idle:
                return self.idle.pop()
        return _Worker()

    def give(self, worker: _Worker) -> None:
        with self.lock:
            self.idle.append(worker)


_pool: _Pool | None = None
_pool_lock = threading.Lock()


def decode_isolated(layout: Layout, data: bytes, stored: int) -> bytes:
    """Cells of a JPEG frame, decoded by GDCM in another process.

    Args:
        layout: Of the file.
        data: One compressed frame.
        stored: Bits per sample of the stream.

    Raises:
        WorkerFailed: The stream is damaged, or GDCM is not installed.
    """
    if find_spec("gdcm") is None or not sys.executable:
        raise WorkerFailed(missing=True)
    request = json.dumps(
        {
            "rows": layout.rows, "columns": layout.columns, "samples": layout.samples, "allocated": layout.allocated,
            "stored": stored, "signed": int(layout.signed), "photometric": layout.photometric,
            "planar": layout.planar, "syntax": layout.syntax,
        }
    ).encode()  # fmt: skip
    seconds = 10 + SECONDS_PER_MEGAPIXEL * layout.rows * layout.columns / 1e6
    pool = _current()
    with pool.slots:
        worker = pool.take()
        try:
            reply = worker.ask(request, data, seconds)
        except BaseException:
            worker.end()
            raise
        pool.give(worker)
    if not reply:
        raise WorkerFailed
    return reply


def _current() -> _Pool:
    global _pool
    with _pool_lock:
        if _pool is None or _pool.owner != os.getpid():
            _pool = _Pool()
        return _pool


@atexit.register
def _end_all() -> None:
    pool = _pool
    if pool is not None and pool.owner == os.getpid():
        with pool.lock:
            for worker in pool.idle:
                worker.end()
            pool.idle.clear()
