"""Indexed pixels and the colours they stand for: plain, segmented and supplemental palettes of 8 and 16 bits."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secondread.imaging.dicom.file import open_dicom
from secondread.imaging.dicom.palette import expand
from secondread.imaging.load import load
from secondread.schema.errors import UnreadableImage

Build = Callable[..., bytes]
RED, GREEN, BLUE = [0, 255, 10, 20], [0, 0, 200, 30], [0, 128, 40, 40]
INDICES = np.array([[0, 1, 2], [3, 3, 1]], np.uint8)


def palette(bits: int, data: list[list[int]], *, first: int = 0, width: int | None = None) -> dict[str, Any]:
    """Header of a palette; entries of `width` bits where they differ from what the descriptor says."""
    kind = np.uint8 if (width or bits) == 8 else np.dtype("<u2")
    found: dict[str, Any] = {}
    for name, values in zip(("Red", "Green", "Blue"), data, strict=True):
        packed = np.array(values, kind).tobytes()
        found[f"{name}PaletteColorLookupTableDescriptor"] = [len(values), first, bits]
        found[f"{name}PaletteColorLookupTableData"] = packed + b"\0" * (len(packed) % 2)
    return found


def colours_of(build: Build, pixels: Any, **header: Any) -> Any:
    found = open_dicom(build(pixels, PhotometricInterpretation="PALETTE COLOR", **header)).colour()
    assert found is not None
    return found


@pytest.mark.parametrize(
    "header",
    [
        palette(8, [RED, GREEN, BLUE]),
        palette(8, [RED, GREEN, BLUE], width=16),
        palette(16, [RED, GREEN, BLUE], width=16),
        palette(16, [RED, GREEN, BLUE], width=8),
        palette(16, [[v * 257 for v in channel] for channel in (RED, GREEN, BLUE)]),
    ],
    ids=["8", "8 in words", "16 with 8-bit values", "16 but bytes", "16"],
)
def test_indices_become_their_colours(build: Build, header: dict[str, Any]) -> None:
    expected = np.stack([np.array(channel)[INDICES] for channel in (RED, GREEN, BLUE)], -1) / 255
    np.testing.assert_allclose(colours_of(build, INDICES, **header), expected, atol=1e-6)


def test_a_dark_channel_of_16_bits_stays_dark(build: Build) -> None:
    header = palette(16, [[0, 65535], [0, 200], [0, 0]])
    found = colours_of(build, np.array([[0, 1]], np.uint8), **header)
    np.testing.assert_allclose(found[0, 1], [1, 200 / 65535, 0], atol=1e-6)


def test_values_outside_of_the_palette_take_its_ends(build: Build) -> None:
    header = palette(8, [RED, GREEN, BLUE], first=300)
    pixels = np.array([[0, 299, 300], [301, 303, 65000]], np.uint16)
    found = colours_of(build, pixels, **header)[..., 0] * 255
    np.testing.assert_allclose(found, [[0, 0, 0], [255, 20, 20]], atol=1e-3)


def test_signed_indices_may_begin_below_zero(build: Build) -> None:
    header = palette(8, [RED, GREEN, BLUE])
    for name in ("Red", "Green", "Blue"):
        header[f"{name}PaletteColorLookupTableDescriptor"] = [4, -2, 8]
    found = colours_of(build, np.array([[-2, -1], [0, 1]], np.int16), **header)[..., 0] * 255
    np.testing.assert_allclose(found, [[0, 255], [10, 20]], atol=1e-3)


def test_the_stored_values_stay_indices_and_grey_is_luma(build: Build) -> None:
    data = build(INDICES, PhotometricInterpretation="PALETTE COLOR", **palette(8, [RED, GREEN, BLUE]))
    np.testing.assert_array_equal(open_dicom(data).stored(), INDICES)
    loaded = load(data)
    assert loaded.info.colour
    assert loaded.grey[0, 1] == pytest.approx((0.299 * 255 + 0.114 * 128) / 255, abs=1e-5)


def test_indices_without_a_palette_are_refused(build: Build) -> None:
    with pytest.raises(UnreadableImage, match="palette that cannot be read"):
        load(build(INDICES, PhotometricInterpretation="PALETTE COLOR"))


def test_a_segmented_palette_is_expanded(build: Build) -> None:
    header = palette(16, [RED, GREEN, BLUE])
    for name in ("Red", "Green", "Blue"):
        del header[f"{name}PaletteColorLookupTableData"]
        header[f"{name}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        # one black entry, a ramp of 254 to 65024, one white
        segments = np.array([0, 1, 0, 1, 254, 65024, 0, 1, 65535], "<u2")
        header[f"Segmented{name}PaletteColorLookupTableData"] = segments.tobytes()
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    found = colours_of(build, pixels, **header)[..., 1].reshape(-1) * 65535
    np.testing.assert_allclose(found, [*(256 * k for k in range(255)), 65535], atol=0.6)


def test_an_indirect_segment_repeats_others() -> None:
    # two values, a ramp of two to 30, then both again: 30 -> 5, 9 -> .. -> 30 from where the table stands
    segments = [0, 2, 5, 9, 1, 2, 30, 2, 2, 0, 0]
    found = expand(segments, 100, 2)
    assert found is not None
    assert found.tolist() == [5, 9, 20, 30, 5, 9, 20, 30]


@pytest.mark.parametrize(
    "segments", [[], [7, 1, 0], [1, 4, 9], [0, 9, 1], [2, 1, 0, 0], [0, 1, 5, 2, 1, 6, 0], [0, 1, 5, 2, 200, 255, 255]]
)
def test_segments_that_lead_nowhere_are_malformed(segments: list[int]) -> None:
    assert expand(segments, 100, 2) is None


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 65535), max_size=40), st.integers(1, 2000), st.sampled_from([1, 2]))
def test_no_segments_make_more_than_was_promised(segments: list[int], count: int, width: int) -> None:
    found = expand(segments, count, width)
    assert found is None or 1 <= len(found) <= count


def test_a_supplemental_palette_colours_the_high_values_of_a_grey_image(build: Build) -> None:
    pixels = np.array([[0, 100, 200], [300, 400, 401]], np.uint16)
    header = palette(8, [[255, 0], [0, 0], [0, 255]], first=400)
    data = build(pixels, PixelPresentation="MIXED", WindowCenter=200.5, WindowWidth=401, **header)
    file = open_dicom(data)
    colours = file.colour()
    assert colours is not None
    np.testing.assert_allclose(colours[0], np.repeat([[0], [0.25], [0.5]], 3, 1), atol=1e-6)
    assert colours[1, 1].tolist() == [1, 0, 0]
    assert colours[1, 2].tolist() == [0, 0, 1]
    loaded = load(data)
    assert loaded.info.colour
    assert loaded.grey[1, 1] == pytest.approx(0.299, abs=1e-6)
    assert open_dicom(build(pixels, WindowCenter=200.5, WindowWidth=401)).colour() is None
