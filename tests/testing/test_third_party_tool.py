"""The example package, once it is installed: its tool stands beside the built-in ones in every list."""

import json
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import pytest

from secondread.serve.cli.main import main
from secondread.testing import check_tool
from secondread.tools.catalogue import catalogue

PACKAGE = "secondread-lung-grey"


@pytest.fixture(autouse=True)
def installed() -> None:
    try:
        version(PACKAGE)
    except PackageNotFoundError:
        pytest.skip(f"{PACKAGE} is not installed; pip install ./examples/third_party_tool")


def test_secondread_tools_lists_it_with_its_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tools"]) == 0
    [line] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("lung_grey ")]
    assert PACKAGE in line


def test_its_whole_card_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tools", "lung_grey", "--json"]) == 0
    card: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert card["origin"] == f"{PACKAGE} {version(PACKAGE)}"
    assert card["licence_class"] == {"code": "permissive"}
    assert list(card["request_schema"]["properties"]) == ["image"]
    assert card["request_schema"]["properties"]["image"]["type"] == "string"
    assert "items" in card["result_schema"]["properties"]


def test_it_is_in_the_catalogue_that_planners_read() -> None:
    found = catalogue()
    assert found.get("lung_grey").card.needs == ("chest_anatomy",)
    assert [t.card.name for t in found.establishing("lung_grey_difference")] == ["lung_grey"]
    check_tool(found.get("lung_grey"), only=["card", "light import", "request"])
