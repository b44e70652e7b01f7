"""Overlay planes come as masks apart from the pixels, wherever the file keeps their bits."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from secondread.imaging.dicom.file import open_dicom
from secondread.imaging.load import load

Build = Callable[..., bytes]


def packed(mask: NDArray[np.bool_]) -> bytes:
    data = np.packbits(mask.reshape(-1), bitorder="little").tobytes()
    return data + b"\0" * (len(data) % 2)


def with_overlay(data: bytes, group: int, elements: dict[int, tuple[str, Any]]) -> bytes:
    """The file with elements of an overlay group."""
    import pydicom

    ds = pydicom.dcmread(io.BytesIO(data))
    for element, (vr, value) in elements.items():
        ds.add_new((group, element), vr, value)
    stream = io.BytesIO()
    ds.save_as(stream)
    return stream.getvalue()


def plane(rows: int, columns: int, **more: Any) -> dict[int, tuple[str, Any]]:
    return {
        0x10: ("US", rows), 0x11: ("US", columns), 0x40: ("CS", more.get("kind", "G")),
        0x50: ("SS", more.get("origin", [1, 1])), 0x100: ("US", 1), 0x102: ("US", 0),
    }  # fmt: skip


@pytest.fixture
def mask() -> NDArray[np.bool_]:
    return np.random.default_rng(5).random((5, 7)) > 0.5


def test_an_overlay_is_a_mask_and_leaves_the_pixels_alone(build: Build, mask: NDArray[np.bool_]) -> None:
    pixels = np.arange(35, dtype=np.uint16).reshape(5, 7)
    bare = build(pixels)
    data = with_overlay(bare, 0x6000, plane(5, 7) | {0x3000: ("OW", packed(mask))})
    file = open_dicom(data)
    (overlay,) = file.overlays()
    assert (overlay.group, overlay.kind) == (0x6000, "graphics")
    np.testing.assert_array_equal(overlay.mask, mask)
    np.testing.assert_array_equal(load(data).grey, load(bare).grey)
    assert any("overlay" in caveat for caveat in file.info().caveats)
    assert open_dicom(bare).overlays() == []


def test_a_region_that_begins_outside_of_the_image_is_cut(build: Build, mask: NDArray[np.bool_]) -> None:
    pixels = np.zeros((6, 8), np.uint16)
    header = plane(5, 7, kind="R", origin=[-1, 4]) | {0x3000: ("OW", packed(mask))}
    (overlay,) = open_dicom(with_overlay(build(pixels), 0x6004, header)).overlays()
    expected = np.zeros((6, 8), np.bool_)
    expected[:3, 3:] = mask[2:, :5]
    assert (overlay.group, overlay.kind) == (0x6004, "region")
    np.testing.assert_array_equal(overlay.mask, expected)


@pytest.mark.parametrize("bit", [12, 15])
def test_an_old_overlay_in_the_pixel_cells_is_found_there_and_masked_off(
    build: Build, mask: NDArray[np.bool_], bit: int
) -> None:
    values = np.arange(35, dtype=np.uint16).reshape(5, 7) * 100
    cells = values | (mask.astype(np.uint16) << bit)
    header = plane(5, 7) | {0x100: ("US", 16), 0x102: ("US", bit)}
    file = open_dicom(with_overlay(build(cells.astype(np.uint16), bits=12), 0x6000, header))
    np.testing.assert_array_equal(file.stored(), values)
    (overlay,) = file.overlays()
    np.testing.assert_array_equal(overlay.mask, mask)


def test_overlay_frames_belong_to_their_image_frames(build: Build) -> None:
    masks = np.random.default_rng(6).random((2, 5, 7)) > 0.5
    header = plane(5, 7) | {0x15: ("IS", 2), 0x51: ("US", 2), 0x3000: ("OW", packed(masks))}
    file = open_dicom(with_overlay(build(np.zeros((4, 5, 7), np.uint16)), 0x6000, header))
    assert file.overlays(0) == file.overlays(3) == []
    for frame in (1, 2):
        np.testing.assert_array_equal(file.overlays(frame)[0].mask, masks[frame - 1])


@pytest.mark.parametrize(
    "damage",
    [
        {0x3000: ("OW", b"\0\0")},
        {0x10: ("US", 60000), 0x11: ("US", 60000), 0x3000: ("OW", b"\0" * 8)},
        {0x10: ("US", 0), 0x3000: ("OW", b"\0" * 8)},
        {0x102: ("US", 40)},
        {},
    ],
)
def test_an_overlay_that_cannot_be_read_is_left_out(build: Build, damage: dict[int, Any]) -> None:
    data = with_overlay(build(np.zeros((5, 7), np.uint16)), 0x6000, plane(5, 7) | damage)
    assert open_dicom(data).overlays() == []
    assert load(data).grey.shape == (5, 7)
