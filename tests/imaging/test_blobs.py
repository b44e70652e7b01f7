"""Masks, bit maps and maps come back as they were put, whatever coding is the shortest."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from secondread.imaging.blobs import BlobStore
from secondread.imaging.runs import decode, encode
from secondread.schema.errors import StoreError


def disc(side: int) -> "np.ndarray[tuple[int, int], np.dtype[np.bool_]]":
    y, x = np.mgrid[:side, :side]
    return np.asarray((y - side / 2) ** 2 + (x - side / 3) ** 2 < (side / 4) ** 2)


@settings(max_examples=60, deadline=None)
@given(arrays(np.uint8, array_shapes(min_dims=1, max_dims=3, max_side=9), elements=st.integers(0, 3)))
def test_runs_give_the_array_back(values: "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]") -> None:
    data = encode(values, 10**6)
    assert data is not None
    np.testing.assert_array_equal(decode(data, values.size), values.ravel())
    assert encode(values, len(data) - 1) is None


@settings(max_examples=40, deadline=None)
@given(arrays(np.bool_, array_shapes(min_dims=2, max_dims=3, max_side=12)))
def test_any_mask_comes_back_read_only(mask: "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]") -> None:
    held = BlobStore()
    found = held.mask(held.put_mask("g", mask))
    assert found.dtype == np.bool_ and not found.flags.writeable
    np.testing.assert_array_equal(found, mask)


def test_an_outline_takes_little_and_noise_no_more_than_its_bits() -> None:
    held = BlobStore()
    held.put_mask("g", disc(1000))
    assert held.nbytes < 8000
    noise = np.random.default_rng(0).random((1000, 1000)) > 0.5
    handle = held.put_mask("g", noise)
    assert held.nbytes < 8000 + noise.size // 8 + 8
    np.testing.assert_array_equal(held.mask(handle), noise)


def test_a_mask_that_is_no_contiguous_array_comes_back_too() -> None:
    held = BlobStore()
    whole = disc(60)
    np.testing.assert_array_equal(held.mask(held.put_mask("g", whole[::2, ::3].T)), whole[::2, ::3].T)


def test_bit_maps_hold_masks_that_overlap_and_noise() -> None:
    held = BlobStore()
    bits = disc(40).astype(np.uint8) | (disc(40).T.astype(np.uint8) << 7)
    noise = np.random.default_rng(1).integers(0, 256, (30, 20)).astype(np.uint8)
    for values in (bits, noise):
        np.testing.assert_array_equal(held.bits(held.put_bits("g", values)), values)


def test_equal_content_has_one_handle_on_a_grid_and_another_on_another_or_as_another_kind() -> None:
    held = BlobStore()
    first = held.put_mask("g", disc(20))
    before = held.nbytes
    assert held.put_mask("g", disc(20).copy()) == first and held.nbytes == before
    assert len({first, held.put_mask("h", disc(20)), held.put_bits("g", disc(20).view(np.uint8))}) == 3
    with pytest.raises(StoreError, match="no bits"):
        held.bits(first)


def test_a_forgotten_grid_leaves_nothing_behind() -> None:
    held = BlobStore()
    handle = held.put_bits("g", disc(20).view(np.uint8))
    kept = held.put_map("h", np.full((3, 4), 0.25, np.float32))
    held.forget("g")
    with pytest.raises(StoreError):
        held.bits(handle)
    np.testing.assert_array_equal(held.map(kept), np.full((3, 4), 0.25, np.float32))
    assert held.nbytes == 24


def test_a_blob_goes_from_one_store_to_another_and_tells_when_its_bytes_have_changed() -> None:
    one, other = BlobStore(), BlobStore()
    mask = np.zeros((30, 40), np.bool_)
    mask[5:9, 7:20] = True
    handle = one.put_mask("g", mask)
    head, data = one.dump(handle)
    assert json.loads(json.dumps(head)) == head
    assert other.restore(head, data) == handle
    assert np.array_equal(other.mask(handle), mask)
    assert other.restore(head, data[:-1] + bytes([data[-1] ^ 1])) != handle
    other.forget("g")
    assert not other.holds(handle)
    with pytest.raises(StoreError):
        other.dump(handle)
