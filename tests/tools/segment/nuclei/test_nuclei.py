"""Nuclei: appearance, separation, counting, intervals, refusals, and drawn fields by the shipped networks."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from secondread.schema.errors import NotApplicable, ToolUnavailable
from secondread.tools.segment.nuclei.appearance import as_rgb, canonical
from secondread.tools.segment.nuclei.inference import count_interval, list_nuclei, load_networks, segment
from secondread.tools.segment.nuclei.instances import SMALLEST_NUCLEUS, separate
from secondread.tools.segment.nuclei.plausible import ellipse_likeness

MODEL = {"q": {"fluorescence": 0.5, "stained": 1.0}, "level": 0.9}
CENTRES = [(40, 40), (40, 120), (110, 70), (110, 150), (170, 40), (175, 110), (60, 190), (150, 200)]


def discs(radius: float = 9, size: int = 224) -> NDArray[np.bool_]:
    y, x = np.mgrid[:size, :size]
    return np.any([np.hypot(y - a, x - b) <= radius for a, b in CENTRES], axis=0)


def fluorescence(radius: float = 9) -> NDArray[np.float32]:
    from scipy import ndimage

    rng = np.random.default_rng(0)
    field = 8 + 90 * ndimage.gaussian_filter(discs(radius).astype(float), 0.8)
    return (field + rng.normal(0, 1.5, field.shape)).astype(np.float32)


@pytest.fixture(scope="module")
def networks() -> Any:
    try:
        return load_networks()
    except ToolUnavailable as error:
        pytest.skip(str(error))


def test_both_appearances_become_bright_nuclei_on_a_dark_ground() -> None:
    bright, which = canonical(as_rgb(fluorescence()))
    assert which == "fluorescence"
    purple = np.where(discs()[..., None], np.float32([90, 40, 150]), np.float32([230, 215, 240]))
    stained, other = canonical(as_rgb(purple))
    assert other == "stained"
    for shown in (bright, stained):
        assert shown[discs()].mean() > shown[~discs()].mean() + 0.3
        assert 0 <= shown.min() <= shown.max() <= 1


@settings(deadline=None, max_examples=20)
@given(st.floats(0.01, 1e4), st.floats(-1e3, 1e3))
def test_the_scale_of_the_grey_values_does_not_matter(gain: float, offset: float) -> None:
    field = fluorescence()
    plain, _ = canonical(as_rgb(field))
    scaled, _ = canonical(as_rgb(field * gain + offset))
    assert np.allclose(plain, scaled, atol=0.02)


def test_a_flat_image_is_black() -> None:
    assert not canonical(as_rgb(np.full((40, 40), 7.0)))[0].any()


@pytest.mark.parametrize("shape", [(40,), (40, 40, 2), (20, 200), (4, 40, 40, 3)])
def test_what_cannot_be_a_micrograph_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(NotApplicable):
        as_rgb(np.zeros(shape))


def test_values_that_are_not_finite_are_refused() -> None:
    field = np.zeros((40, 40), np.float32)
    field[3, 3] = np.nan
    with pytest.raises(NotApplicable, match="not finite"):
        as_rgb(field)


def maps(inside: NDArray[np.bool_], core: NDArray[np.bool_], contact: NDArray[np.bool_]) -> NDArray[np.float32]:
    return np.stack([inside, contact, core]).astype(np.float32) * 0.9


def test_two_touching_nuclei_with_two_cores_are_two() -> None:
    y, x = np.mgrid[:60, :80]
    inside = (np.hypot(y - 30, x - 28) <= 13) | (np.hypot(y - 30, x - 50) <= 13)
    core = (np.hypot(y - 30, x - 28) <= 6) | (np.hypot(y - 30, x - 50) <= 6)
    labels = separate(maps(inside, core, np.zeros_like(inside)))
    assert labels.max() == 2
    assert np.array_equal(labels > 0, inside)
    assert labels[30, 20] != labels[30, 58]


def test_contact_cuts_a_core_that_runs_through() -> None:
    y, x = np.mgrid[:60, :80]
    inside = (np.abs(y - 30) <= 10) & (np.abs(x - 40) <= 25)
    core = (np.abs(y - 30) <= 5) & (np.abs(x - 40) <= 20)
    contact = inside & (np.abs(x - 40) <= 2)
    assert separate(maps(inside, core, np.zeros_like(inside))).max() == 1
    assert separate(maps(inside, core, contact)).max() == 2


def test_a_piece_without_a_core_counts_once_and_crumbs_do_not() -> None:
    inside = np.zeros((50, 50), bool)
    inside[5:12, 5:12] = True
    inside[30:33, 30:33] = True
    assert 9 < SMALLEST_NUCLEUS < 49
    assert separate(maps(inside, np.zeros_like(inside), np.zeros_like(inside))).max() == 1
    assert separate(np.zeros((3, 20, 20), np.float32)).max() == 0


def test_labels_have_no_gaps_and_nuclei_know_where_they_are() -> None:
    inside = discs()
    labels = separate(maps(inside, discs(5), np.zeros_like(inside)))
    nuclei = list_nuclei(labels)
    assert [n.label for n in nuclei] == list(range(1, len(CENTRES) + 1))
    assert sorted((round(n.y), round(n.x)) for n in nuclei) == sorted(CENTRES)
    for nucleus in nuclei:
        assert nucleus.area_px == (labels == nucleus.label).sum()
        left, top, right, bottom = nucleus.box
        assert right - left == bottom - top == 19


def test_interval_grows_with_the_count_and_starts_at_zero() -> None:
    assert count_interval(0, "fluorescence", MODEL) == (0.0, 0.5)
    low, high = count_interval(99, "stained", MODEL)
    assert (low, high) == (89.0, 109.0)


def test_ellipses_are_told_from_other_shapes() -> None:
    y, x = np.mgrid[:80, :120]
    labels = np.zeros((80, 120), np.int32)
    labels[((y - 40) / 20) ** 2 + ((x - 30) / 9) ** 2 <= 1] = 1
    labels[20:60, 70:76] = 2
    labels[54:60, 70:110] = 2
    likeness = ellipse_likeness(labels)
    assert likeness[0] == pytest.approx(1, abs=0.02)
    assert likeness[1] < 0.7


def test_a_drawn_fluorescence_field_is_counted(networks: Any) -> None:
    found = segment(fluorescence(), networks)
    assert found.appearance == "fluorescence"
    assert found.count == len(CENTRES)
    assert found.low <= len(CENTRES) <= found.high
    truth = discs()
    assert 2 * ((found.labels > 0) & truth).sum() / ((found.labels > 0).sum() + truth.sum()) > 0.85
    assert found.plausible, found.reasons


def test_large_nuclei_are_counted_as_small_ones_are(networks: Any) -> None:
    small = fluorescence()
    large = np.kron(small, np.ones((2, 2), np.float32))
    assert segment(large, networks).count == segment(small, networks).count == len(CENTRES)


def test_a_turned_field_has_the_same_count(networks: Any) -> None:
    field = fluorescence()
    assert segment(np.ascontiguousarray(np.rot90(field)), networks).count == segment(field, networks).count


def test_an_empty_or_noisy_image_is_not_believed(networks: Any) -> None:
    rng = np.random.default_rng(1)
    for field in (np.zeros((128, 128)), rng.random((128, 128)), np.linspace(0, 1, 128)[None].repeat(128, 0)):
        found = segment(field.astype(np.float32), networks)
        assert not found.plausible and found.reasons


def test_a_network_that_is_not_loaded_is_refused(networks: Any) -> None:
    with pytest.raises(ToolUnavailable):
        segment(fluorescence(), networks, members=[9])
    with pytest.raises(ToolUnavailable):
        segment(fluorescence(), [], count_model=MODEL)
