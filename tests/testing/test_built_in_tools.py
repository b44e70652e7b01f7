"""Every tool that is installed keeps the contract, as the conformance kit sees it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from secondread.testing import check_tool
from secondread.tools.catalogue import catalogue
from secondread.tools.runtime.runtime import Runtime

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
FILM: Any = (EXAMPLES / "chest.png", {"view": "PA", "age": 60})
IMAGES: dict[str, tuple[Any, ...]] = {}
"""For tools that read neither a chest film nor the kit's own drawings: what they are made for."""


@pytest.fixture(scope="module")
def runtime() -> Iterator[Runtime]:
    """Shared, so that what several tools need runs once."""
    made = Runtime()
    yield made
    made.close()


@pytest.mark.parametrize("name", catalogue().names())
def test_a_built_in_tool_keeps_the_contract(name: str, runtime: Runtime) -> None:
    report = check_tool(catalogue().get(name), images=IMAGES.get(name, (FILM,)), runtime=runtime)
    assert report.ok
