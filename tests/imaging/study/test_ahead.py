"""Reading ahead on slow disks keeps order and closes every file."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from secondread.imaging.study import ahead
from secondread.imaging.study.ahead import started
from secondread.imaging.study.held import Held
from secondread.schema.errors import UnreadableImage


@pytest.fixture
def many(tmp_path: Path) -> list[Held]:
    for number in range(200):
        (tmp_path / f"{number:03d}").write_bytes(b"%03d" % number)
    return [Held(path.name, str(tmp_path), str(path)) for path in sorted(tmp_path.iterdir())]


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Callable[[], set[str]]:
    """Makes every open wait as a network share does; the function tells which threads opened files."""
    threads: set[str] = set()
    real = Held.stream

    def waiting(self: Held) -> object:
        threads.add(threading.current_thread().name)
        time.sleep(0.002)
        if self.name == "150":
            raise UnreadableImage("150 has gone.")
        return real(self)

    monkeypatch.setattr(Held, "stream", waiting)
    return lambda: threads


def test_a_fast_disk_is_read_by_one_thread_in_order(many: list[Held]) -> None:
    before = threading.active_count()
    heads = []
    for opened in started(many):
        heads.append(opened.head)
        assert threading.active_count() == before
        opened.close()
    assert heads == [b"%03d" % number for number in range(200)]


def test_a_slow_disk_is_read_by_several_in_order_and_faults_are_kept(
    many: list[Held], slow: Callable[[], set[str]]
) -> None:
    found = list(started(many))
    assert [opened.held.name for opened in found] == [held.name for held in many]
    assert len(slow()) > 2
    assert found[150].fault == "150 has gone." and found[150].stream is None
    assert all(opened.head == opened.held.name.encode() for opened in found if not opened.fault)


def test_giving_up_in_the_middle_closes_what_was_opened_ahead(
    many: list[Held], slow: Callable[[], set[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    real = ahead.start

    def recording(held: Held) -> ahead.Started:
        made.append(real(held))
        return made[-1]

    monkeypatch.setattr(ahead, "start", recording)
    reader = started(many)
    for _ in range(40):
        next(reader).close()
    reader.close()  # type: ignore[attr-defined]  # a generator
    assert len(made) > 60
    assert all(opened.stream is None or opened.stream.closed for opened in made)
