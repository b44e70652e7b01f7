"""Quality measures under graded degradation, on a drawn film and (marked `data`) on real ones."""

import os
from itertools import pairwise
from math import log
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from secondread.schema.errors import NotMeasurable
from secondread.tools.quality.answers import answers
from secondread.tools.quality.film_quality import film_quality, report


def reach(film):
    low, high = np.percentile(film, [2, 98])
    return high - low


def noisy(film, level):
    return film + np.random.default_rng(0).normal(0, level * reach(film), film.shape)


def blurred(film, level):
    return ndimage.gaussian_filter(film, level * film.shape[1])


def flatter(film, level):
    return film.mean() + (film - film.mean()) * level


def clipped(film, level):
    return np.median(film) + (film - np.median(film)) * level


def cropped(film, level):
    return film[:, int(level * film.shape[1]) :]


DEGRADATIONS = {
    "noise": (noisy, "noise", 1, (0.02, 0.05, 0.1, 0.2, 0.4)),
    "blur": (blurred, "sharpness", -1, (0.004, 0.008, 0.016, 0.032, 0.064)),
    "underexposed": (lambda f, s: f + s, "exposure", 1, (0.1, 0.2, 0.3, 0.45, 0.6)),
    "overexposed": (lambda f, s: f - s, "exposure", -1, (0.1, 0.2, 0.3, 0.45, 0.6)),
    "low contrast": (flatter, "contrast", -1, (0.5, 0.25, 0.1, 0.05, 0.025)),
    "clipping": (clipped, "clipping", 1, (1.5, 2.0, 3.0, 5.0, 10.0)),
    "cropping": (cropped, "cropping", 1, (0.08, 0.15, 0.22, 0.29, 0.36)),
}


def degraded(film, name):
    """The attribute a degradation is about, at no and at five growing levels; and the last report."""
    change, attribute, sign, levels = DEGRADATIONS[name]
    reports = [report(film)] + [report(np.clip(change(film, s), 0, 1).astype(np.float32)) for s in levels]
    return [sign * r.get(attribute).value for r in reports], reports


@pytest.fixture
def film(phantom):
    """A drawn film: bright body with dark lungs and a bright heart and spine, dark air beside it, a little grain."""
    side = 512
    drawn = phantom(side=side, thorax=1.3).masks()
    y, x = np.mgrid[0:side, 0:side]
    x, y = (2 * x + 1) / side - 1, (2 * y + 1) / side - 1
    body = (np.abs(x) < 0.86) & (y > -0.8)
    shoulders = (np.abs(x) ** 2 * 0.7 + (y + 0.8) * -1 < 0.1) & body
    grey = np.where(shoulders, 0.68, 0.05)
    grey = np.where((np.abs(x) < 0.16) & (y < -0.5), 0.72, grey)
    for name in ("right_lung", "left_lung"):
        grey = np.where(drawn[name], 0.35, grey)
    ribs = 0.06 * (np.sin(22 * y + 3 * np.abs(x)) > 0.4) * (drawn["right_lung"] | drawn["left_lung"])
    grey = np.where(drawn["heart"], 0.8, grey + ribs)
    grey = np.where((np.abs(x) < 0.1) & body, np.maximum(grey, 0.85), grey)
    grey = np.where((y > 0.6) & body, np.maximum(grey, 0.75), grey)
    grey = ndimage.gaussian_filter(grey, 1.5) + np.random.default_rng(5).normal(0, 0.004, grey.shape)
    return np.clip(grey, 0, 1).astype(np.float32)


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_each_attribute_follows_its_degradation(film, name):
    values, reports = degraded(film, name)
    assert all(a <= b + 1e-3 for a, b in pairwise(values)), values
    assert values[0] < values[-1]
    assert reports[-1].overall != "ok"


def test_a_plain_film_is_ok_and_caps_nothing(film):
    found = report(film)
    assert found.overall == "ok", found.reasons
    assert found.log_odds_cap is None


@pytest.mark.parametrize("side", [1024, 384])
def test_the_number_of_pixels_changes_no_grade(film, side):
    other = ndimage.zoom(film, side / film.shape[0], order=1)
    whole, scaled = report(film), report(other)
    assert scaled.overall == whole.overall
    for name in ("exposure", "contrast", "inversion"):
        assert scaled.get(name).value == pytest.approx(whole.get(name).value, abs=0.02)
    assert scaled.get("cropping").value == pytest.approx(whole.get("cropping").value, abs=0.02)


def test_an_inverted_film_is_noticed(film):
    assert answers(report(film))["inverted_film"] == ("absent", "inversion")
    assert answers(report(1.0 - film))["inverted_film"] == ("present", "inversion")
    assert report(1.0 - film).overall != "ok"


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_turned_film_is_noticed(film, turns):
    assert report(np.rot90(film, turns)).get("orientation").grade != "ok"


def test_both_sides_are_watched_for_cropping(film):
    left, right = film[:, 170:], film[:, :-170]
    for cut in (left, right):
        assert answers(report(cut))["cropped_film"][0] == "present"


def test_too_bright_is_underexposed_and_too_dark_is_overexposed(film):
    bright = answers(report(np.clip(film + 0.6, 0, 1)))
    dark = answers(report(np.clip(film - 0.6, 0, 1)))
    assert bright["underexposed_film"][0] == "present" and bright["overexposed_film"][0] == "absent"
    assert dark["overexposed_film"][0] == "present" and dark["underexposed_film"][0] == "absent"


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (40, 40), (300, 1)])
def test_tiny_images_are_rejected_not_crashed_on(shape):
    assert report(np.random.default_rng(0).random(shape, dtype=np.float32)).overall == "reject"


@pytest.mark.parametrize("grey", [0.0, 0.5, 1.0])
def test_a_blank_film_is_rejected_and_nothing_else_is_claimed(grey):
    found = report(np.full((300, 300), grey, np.float32))
    assert found.overall == "reject"
    assert answers(found)["poor_image_quality"] == ("present", "")
    assert answers(found)["inverted_film"] == ("uncertain", "")


def test_a_limited_film_caps_the_log_odds_at_nine_to_one(film):
    found = report(film, colour=True)
    assert (found.overall, found.get("colour").grade) == ("limited", "limited")
    assert found.log_odds_cap == pytest.approx(log(9))
    assert answers(found)["poor_image_quality"][0] == "uncertain"


def test_pixels_that_are_not_numbers_are_refused(film):
    film[3, 3] = np.nan
    with pytest.raises(NotMeasurable):
        report(film)


def test_the_tool_reads_its_image_through_the_context(film, lend):
    [found] = film_quality().run_batch([film_quality.Request(image="img-0000000000000001")], lend(film, colour=True))
    assert found == report(film, colour=True)
    assert film_quality().summarise(found).startswith("film quality limited: colour")


@pytest.mark.data
@pytest.mark.skipif("SECONDREAD_DATA" not in os.environ, reason="needs the research data folder")
@pytest.mark.parametrize("name", DEGRADATIONS)
@pytest.mark.parametrize("source", ["wingspan", "nih_cxr14", "kermany224"])
def test_attributes_follow_degradation_on_real_films(name, source):
    """Every film follows, but for cropping: its estimate is learned, so the mean follows and the last cut is told."""
    from secondread.training.quality_rows import permissive_rows, read_grey

    rows = permissive_rows(Path(os.environ["SECONDREAD_DATA"]) / "cxr", "train")
    films = [read_grey(row.path) for row in [r for r in rows if r.source == source][::9][:20]]
    values = np.array([degraded(film, name)[0] for film in films])
    if name == "cropping":
        assert (np.diff(values.mean(axis=0)) > 0).all()
        assert (values[:, -1] > values[:, 0]).mean() >= 0.9
    else:
        assert (np.diff(values, axis=1) >= -0.005).all()
