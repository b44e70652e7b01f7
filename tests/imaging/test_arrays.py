"""Arrays in memory, by dtype and shape."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from secondread.imaging.load import load
from secondread.schema.errors import InputError, UnreadableImage, UnsupportedImage


@given(
    hnp.arrays(
        st.sampled_from([np.uint8, np.uint16, np.int16, np.int32, np.float32, np.float64, np.bool_]),
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=12),
        elements=None,
    )
)
def test_any_real_array_is_refused_or_lands_in_the_unit_range(values: NDArray[Any]) -> None:
    try:
        loaded = load(values)
    except UnreadableImage:
        assert not np.isfinite(values).all()
        return
    assert loaded.grey.shape == values.shape
    assert np.isfinite(loaded.grey).all()
    assert loaded.grey.min() >= 0
    assert loaded.grey.max() <= 1


def test_scaling_by_dtype() -> None:
    assert load(np.array([[0, 51]], np.uint8)).grey[0].tolist() == pytest.approx([0, 0.2])
    assert load(np.array([[0, 4095]], np.uint16)).grey.max() == 1
    assert load(np.array([[0, 2048]], np.uint16)).grey.max() == pytest.approx(2048 / 4095)
    assert load(np.array([[-5, 0, 5]], np.int16)).grey.tolist() == [[0, 0.5, 1]]
    assert load(np.array([[0.25, 0.5]])).grey.tolist() == [[0.25, 0.5]]
    assert load(np.array([[10.0, 20.0, 30.0]])).grey.tolist() == [[0, 0.5, 1]]


@pytest.mark.parametrize("value", [0, 255, 0.5, -3.0, 7.0])
def test_a_constant_image_loads(value: float) -> None:
    assert np.isfinite(load(np.full((4, 4), value)).grey).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(bad: float) -> None:
    values = np.zeros((4, 4))
    values[1, 2] = bad
    with pytest.raises(UnreadableImage, match="not finite"):
        load(values)


@pytest.mark.parametrize(
    "bad", [np.zeros(5), np.zeros((2, 3, 4, 5)), np.zeros((5, 6, 7)), np.array([["a"]]), np.zeros((2, 2), complex)]
)
def test_arrays_that_are_no_image_are_refused(bad: Any) -> None:
    with pytest.raises(UnsupportedImage):
        load(bad)
    with pytest.raises(InputError):
        load(np.zeros((0, 5)))


def test_channels_first_and_last_agree(film8: NDArray[np.uint8]) -> None:
    colour = np.stack([film8, film8 // 2, film8 // 3], -1)
    np.testing.assert_array_equal(load(colour).grey, load(np.moveaxis(colour, -1, 0)).grey)
    np.testing.assert_array_equal(load(film8[..., None]).grey, load(film8).grey)


def test_torch_tensors_load_like_arrays(film8: NDArray[np.uint8]) -> None:
    torch = pytest.importorskip("torch")
    tensor = torch.from_numpy(film8)
    expected = load(film8)
    for source in (tensor, tensor[None], tensor[None].expand(3, -1, -1)):
        np.testing.assert_allclose(load(source).grey, expected.grey, atol=1e-6)
    assert load(tensor).info.ref.id == expected.info.ref.id
    half = (tensor.float() / 255).to(torch.bfloat16).requires_grad_()
    np.testing.assert_allclose(load(half).grey, expected.grey, atol=0.004)


def test_the_id_depends_on_the_pixels_alone(film8: NDArray[np.uint8]) -> None:
    other = film8.copy()
    other[0, 0] ^= 1
    assert load(film8).info.ref.id == load(film8.copy(order="F")).info.ref.id
    assert load(film8).info.ref.id != load(other).info.ref.id
