"""What can be measured is listed from the installed tools, with what the image leaves open."""

from types import SimpleNamespace
from typing import Any

from secondread.kg.graph import core_graph
from secondread.schema.evidence import Passages
from secondread.schema.image import ImageInfo, ImageRef
from secondread.tools.base import Card, ToolRequest
from secondread.tools.knowledge.capabilities import capabilities

RATIO = Card(
    name="cardiothoracic_ratio", version="1.0", summary="s", kind="measurement", views=("PA",), modality=("CR", "DX"),
    population="adult", establishes=("cardiothoracic_ratio", "heart_width"),
)  # fmt: skip
OTHER = Card(name="plugged_in", version="2", summary="s", kind="finding", establishes=("pneumothorax",), licence="MIT")
CROP = Card(name="crop", version="1", summary="s", kind="image", establishes=())


def listed(**info: Any) -> Passages:
    held = ImageInfo(ref=ImageRef(id="img-1", rows=9, columns=9, grid="g"), **info)
    ctx: Any = SimpleNamespace(cards=lambda: [OTHER, CROP, RATIO], graph=core_graph, info=lambda image: held)
    found = capabilities().run_batch([ToolRequest(image="img-1" if info else None)], ctx)[0]
    assert isinstance(found, Passages)
    return found


def test_tools_are_listed_by_what_they_establish_in_words() -> None:
    found = listed()
    assert [p.text.split(":")[0] for p in found.items] == ["cardiothoracic_ratio", "plugged_in"]
    assert "cardiothoracic ratio, heart width" in found.items[0].text
    assert "Valid for PA view, modality CR or DX, adult." in found.items[0].text
    assert found.items[1].licence == "MIT"


def test_what_the_image_leaves_open_is_said() -> None:
    assert "the view is not stated and the age is not stated" in listed(view="UNKNOWN").items[0].text
    assert "this is a AP view" not in listed(view="PA", age_years=40, modality="DX").items[0].text
    child = listed(view="AP", age_years=4, modality="CT").items[0].text
    assert "AP view" in child and "CT image" in child and "child" in child


def test_a_fitting_image_leaves_nothing_open() -> None:
    assert "On this image" not in listed(view="PA", age_years=40, modality="DX").items[0].text
