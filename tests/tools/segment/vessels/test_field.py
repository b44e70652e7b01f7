"""The field of view of fundus photographs, and refusal of what is none."""

from collections.abc import Callable

import numpy as np
import pytest

from secondread.schema.errors import NotApplicable
from secondread.tools.segment.vessels.field import as_rgb, field_of

Draw = Callable[..., np.ndarray]


def test_the_disc_is_found_where_it_was_drawn(draw_fundus: Draw) -> None:
    field = field_of(as_rgb(draw_fundus(640, 620, 590)))
    assert (field.row, field.column) == pytest.approx((319.5, 309.5), abs=1)
    assert field.diameter == pytest.approx(590, rel=0.01)
    assert field.mask.sum() == pytest.approx(np.pi * 295**2, rel=0.01)


def test_a_disc_cut_off_above_and_below_keeps_its_diameter(draw_fundus: Draw) -> None:
    field = field_of(as_rgb(draw_fundus(640, 620, 590)[80:560]))
    assert field.diameter == pytest.approx(590, rel=0.02)
    assert field.row == pytest.approx(239.5, abs=3)


def test_a_rim_lost_in_shadow_belongs_to_the_field(draw_fundus: Draw) -> None:
    picture = draw_fundus(640, 620, 590).astype(float)
    shadow = np.clip((np.arange(620) - 20) / 120, 0.02, 1)[None, :, None]
    field = field_of(as_rgb(picture * shadow))
    assert field.mask.sum() == pytest.approx(np.pi * 295**2, rel=0.05)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda p: p.mean(2), "red, green and blue"),
        (lambda p: np.repeat(p.mean(2, keepdims=True), 3, 2), "grey"),
        (lambda p: p[:200], "pixels"),
        (lambda p: p[180:460, 170:450], "dark surround"),
        (lambda p: p[..., ::-1], "colours of a retina"),
        (lambda p: p[..., [1, 0, 2]], "colours of a retina"),
        (lambda p: np.where(np.arange(620)[None, :, None] < 310, p, 0), "round|fair part"),
        (lambda p: np.where(np.isfinite(p), p, 0.0) * np.nan, "finite"),
    ],
)
def test_other_pictures_are_refused(draw_fundus: Draw, change: Callable[[np.ndarray], np.ndarray], match: str) -> None:
    with pytest.raises(NotApplicable, match=match):
        field_of(as_rgb(change(draw_fundus())))


def test_a_black_picture_is_refused() -> None:
    with pytest.raises(NotApplicable):
        field_of(as_rgb(np.zeros((300, 300, 3))))


def test_a_reddish_rectangle_is_no_fundus() -> None:
    picture = np.zeros((400, 400, 3))
    picture[50:350, 60:340] = (160, 70, 20)
    with pytest.raises(NotApplicable, match="not round"):
        field_of(as_rgb(picture))


def test_natural_photographs_are_refused() -> None:
    from sklearn.datasets import load_sample_image

    for name in ("china.jpg", "flower.jpg"):
        with pytest.raises(NotApplicable):
            field_of(as_rgb(load_sample_image(name)))
