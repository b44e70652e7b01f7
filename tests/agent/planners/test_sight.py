"""Thumbnails for planners that may see pixels: bounded, without metadata, each image once."""

import io

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from secondread.agent.planners.base import PlannerView
from secondread.agent.planners.sight import MAX_BYTES, MAX_NOTE, SIDE, Sight, fitted
from secondread.schema.errors import PlannerError
from secondread.schema.image import ImageInfo, ImageRef


def png(rows: int, columns: int, *, noise: bool = False, **text: str) -> bytes:
    grey = np.random.default_rng(0).integers(0, 256, (rows, columns)) if noise else np.zeros((rows, columns))
    info = PngImagePlugin.PngInfo()
    for key, value in text.items():
        info.add_text(key, value)
    buffer = io.BytesIO()
    Image.fromarray(grey.astype(np.uint8)).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def view(*ids: str) -> PlannerView:
    images = tuple(ImageInfo(ref=ImageRef(id=i, rows=9, columns=9, grid="g")) for i in ids)
    return PlannerView(question="q", kind="presence", images=images)


@pytest.mark.parametrize(("rows", "columns"), [(2000, 1500), (300, 4000), (20, 20), (1, 3000), (512, 512)])
def test_even_noise_fits_in_bytes_and_side(rows: int, columns: int) -> None:
    small = fitted(png(rows, columns, noise=True))
    with Image.open(io.BytesIO(small)) as opened:
        assert max(opened.size) <= SIDE
        assert opened.mode == "L"
    assert len(small) <= MAX_BYTES


def test_what_fits_keeps_its_pixels_and_loses_its_text() -> None:
    given = png(40, 30, noise=True, Patient="SMITH")
    small = fitted(given)
    assert b"SMITH" in given
    assert b"SMITH" not in small
    with Image.open(io.BytesIO(small)) as new, Image.open(io.BytesIO(given)) as old:
        assert np.array_equal(np.asarray(new), np.asarray(old))


@pytest.mark.parametrize("data", [b"", b"\x89PNG", png(9, 9)[:40], b"GIF89a"])
def test_what_is_no_picture_is_told(data: bytes) -> None:
    with pytest.raises(PlannerError, match="cannot be read"):
        fitted(data)


def test_each_image_is_given_once_and_its_note_is_kept() -> None:
    asked: list[str] = []

    def pixels(image: str) -> bytes:
        asked.append(image)
        return png(8, 8)

    sight = Sight(pixels)
    assert list(sight.unseen(view("a", "b"))) == ["a", "b"]
    shown = sight.unseen(view("a", "c"))
    assert list(shown) == ["c"]
    assert asked == ["a", "b", "c"]
    sight.keep(shown, "a film <b>" + "x" * 5000)
    assert sight.note("c").startswith("a film \u2039b\u203a")
    assert len(sight.note("c")) < MAX_NOTE + 20
    assert sight.note("a") == sight.note("unknown") == ""
