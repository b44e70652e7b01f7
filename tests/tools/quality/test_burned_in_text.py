"""The tool says where text stands and never what it says."""

from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from secondread.imaging.store import ImageStore
from secondread.schema.evidence import Findings
from secondread.tools.quality.burned_in_text import burned_in_text


class Lent:
    """The part of the context that this tool uses."""

    def __init__(self, store: ImageStore) -> None:
        self.info, self.pixels = store.info, store.pixels


def looked(words: str) -> Findings:
    pytest.importorskip("rapidocr", reason="extra `ocr` is not installed")
    picture = Image.new("L", (400, 300), 90)
    ImageDraw.Draw(picture).text((40, 100), words, font=ImageFont.load_default(size=26), fill=230)
    store = ImageStore()
    image = store.add(np.asarray(picture)).ref.id
    made = burned_in_text()
    context: Any = Lent(store)
    (result,) = made.run_batch([made.Request(image=image)], context)
    assert isinstance(result, Findings)
    return result


def test_a_name_is_found_and_not_repeated() -> None:
    result = looked("DOE JANE 1961")
    assert {item.polarity for item in result.items} == {"present"}
    region = result.items[0].region
    assert region is not None and region.x0 > 20 and 80 < region.y0 < region.y1 < 150
    assert "DOE" not in result.model_dump_json() and "1961" not in result.model_dump_json()


@pytest.mark.parametrize("words", ["", "L"])
def test_a_side_letter_is_no_text(words: str) -> None:
    (item,) = looked(words).items
    assert (item.polarity, item.region) == ("absent", None)
