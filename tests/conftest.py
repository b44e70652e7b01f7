"""Fixtures that every part of the tests shares."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest


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
