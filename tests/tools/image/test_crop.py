import numpy as np
import pytest
from pydantic import ValidationError

from secondread.schema.errors import UsageError
from secondread.tools.image.crop import crop


def run(ctx, **box):
    [found] = crop().run_batch([crop.Request(image="img-0000000000000001", **box)], ctx)
    return found


@pytest.fixture
def ctx(lend):
    return lend(np.zeros((100, 200), np.float32))


def test_a_box_is_cut_and_enlarged(ctx):
    found = run(ctx, x0=10.2, y0=19.5, x1=60, y1=80.4, scale=2.0)
    assert found.image == "img-0000000000000002"
    assert ctx.derived == [(found.box, 2.0)]
    assert (found.box.x0, found.box.y0, found.box.x1, found.box.y1) == (9.5, 19.5, 60.5, 80.5)


def test_a_box_that_reaches_beyond_the_film_is_clipped_to_it(ctx):
    found = run(ctx, x0=-50, y0=-50, x1=500, y1=500)
    assert (found.box.x0, found.box.y0, found.box.x1, found.box.y1) == (-0.5, -0.5, 199.5, 99.5)


@pytest.mark.parametrize("box", [{"x0": 300, "y0": 0, "x1": 400, "y1": 90}, {"x0": 50, "y0": 0, "x1": 40, "y1": 90}])
def test_an_empty_or_outside_box_is_refused(ctx, box):
    assert isinstance(run(ctx, **box), UsageError)
    assert ctx.derived == []


def test_an_enlargement_without_bounds_is_refused(lend):
    big = lend(np.zeros((4000, 4000), np.float32))
    assert isinstance(run(big, x0=0, y0=0, x1=3999, y1=3999, scale=8.0), UsageError)
    with pytest.raises(ValidationError):
        crop.Request(image="x", x0=0, y0=0, x1=50, y1=50, scale=float("inf"))
