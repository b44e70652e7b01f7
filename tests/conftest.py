"""Fixtures that every part of the tests shares."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # workers share the processors; torch would start threads for all

_TOLD = pytest.StashKey[list[str]]()
_PLACE = "secondread_told"


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Adds a line to the end of the report, from whichever process the test runs in."""
    return request.config.stash.setdefault(_TOLD, []).append


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker hands its lines over."""
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_PLACE] = session.config.stash.get(_TOLD, [])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take the lines of a worker that ends."""
    node.config.stash.setdefault(_TOLD, []).extend(getattr(node, "workeroutput", {}).get(_PLACE, []))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what tests counted."""
    told = config.stash.get(_TOLD, [])
    if told:
        terminalreporter.section("counts")
        for line in told:
            terminalreporter.line(line)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Results that the tests keep on disk stay out of the user's own folder, for child processes too."""
    before = os.environ.get("XDG_CACHE_HOME")
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))
    yield
    if before is None:
        del os.environ["XDG_CACHE_HOME"]
    else:
        os.environ["XDG_CACHE_HOME"] = before


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of the research data: SECONDREAD_DATA, or `../shared/data` beside the repository."""
    root = Path(__file__).resolve().parents[1]
    folder = Path(os.environ.get("SECONDREAD_DATA", root.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no research data at {folder}; set SECONDREAD_DATA")
    return folder
