import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secondread.schema.errors import StoreError, ToolUnavailable
from secondread.schema.evidence import CalibrationRecord, Findings
from secondread.schema.image import ImageInfo, ImageRef
from secondread.tools.classify import guard_weights
from secondread.tools.classify.chest_film_guard import ChestFilmGuard, GuardRequest, findings, judge, probability
from secondread.tools.classify.guard_input import CACHE, equalise, prepare, to_square
from secondread.tools.classify.guard_weights import MANIFEST, WEIGHTS, load_networks, read_manifest

DATA = os.environ.get("SECONDREAD_DATA")
needs_data = pytest.mark.skipif(not DATA, reason="SECONDREAD_DATA is not set")


class Lender:
    """Pixels and infos by image id, and the networks loaded once."""

    def __init__(self, networks, images, modality=None):
        self.networks, self.images, self.modality = networks, images, modality

    def pixels(self, image):
        if image not in self.images:
            raise StoreError(f"no image {image}")
        return self.images[image]

    def info(self, image):
        rows, columns = self.images[image].shape
        return ImageInfo(ref=ImageRef(id=image, rows=rows, columns=columns, grid=image), modality=self.modality)

    def model(self, tool):
        return self.networks


@pytest.fixture(scope="module")
def networks():
    return load_networks()


def ask(networks, *images, modality=None, member=None):
    lender = Lender(networks, {f"i{n}": np.float32(image) for n, image in enumerate(images)}, modality)
    return ChestFilmGuard().run_batch([GuardRequest(image=i, member=member) for i in lender.images], lender)


def noise(side=300, seed=0):
    return np.random.default_rng(seed).random((side, side))


def photograph(side=300):
    """Sky, ground and a bright round object."""
    y, x = np.mgrid[0:side, 0:side] / side
    picture = np.where(y < 0.45, 0.8 - 0.3 * y, 0.25 + 0.1 * np.sin(40 * x))
    return np.where((x - 0.7) ** 2 + (y - 0.25) ** 2 < 0.01, 1.0, picture)


def slice_of_a_body(side=300):
    y, x = np.mgrid[-1:1:300j, -1:1:300j]
    body = np.where((x / 0.9) ** 2 + (y / 0.6) ** 2 < 1, 0.5, 0.0)
    body[(x - 0.4) ** 2 + (y + 0.1) ** 2 < 0.05] = 0.7
    body[x**2 + (y - 0.35) ** 2 < 0.02] = 1.0
    return body


def page_of_text(side=300):
    rng = np.random.default_rng(3)
    page = np.ones((side, side))
    for top in range(10, side - 12, 16):
        page[top : top + 8, 10:290] = rng.random((8, 280)) > 0.45
    return page


DRAWN = {
    "noise": noise(),
    "black": np.zeros((200, 300)),
    "white": np.ones((300, 200)),
    "one pixel": np.ones((1, 1)),
    "one row": noise(64)[:1],
    "gradient": np.tile(np.linspace(0, 1, 256), (256, 1)),
    "photograph": photograph(),
    "slice": slice_of_a_body(),
    "text": page_of_text(),
}


@pytest.mark.parametrize("name", DRAWN)
def test_what_is_no_chest_film_is_not_taken_for_one(networks, name):
    (found,) = ask(networks, DRAWN[name])
    assert found.get("frontal_chest_radiograph").polarity == "absent"


def test_every_concept_is_answered_with_its_kind_of_score(networks):
    (found,) = ask(networks, noise())
    assert [f.concept for f in found.items] == list(ChestFilmGuard.card.establishes)
    for finding in found.items[:-1]:
        assert finding.score_kind == ("calibrated probability" if finding.verified else "support")
        assert 0 <= finding.score <= 1
        assert finding.note
    assert found.get("pa_view").score == pytest.approx(1 - found.get("ap_view").score)
    upright = found.get("upright")
    assert (upright.score, upright.polarity, upright.verified) == (None, "uncertain", False)
    assert Findings.model_validate_json(found.model_dump_json()) == found


def test_a_batch_equals_its_single_runs_and_repeats_exactly(networks):
    together = ask(networks, *DRAWN.values())
    assert together == [ask(networks, image)[0] for image in DRAWN.values()]
    assert together == ask(networks, *DRAWN.values())


def test_one_missing_image_fails_alone(networks):
    lender = Lender(networks, {"a": np.float32(noise())})
    found = ChestFilmGuard().run_batch([GuardRequest(image="gone"), GuardRequest(image="a")], lender)
    assert isinstance(found[0], StoreError)
    assert isinstance(found[1], Findings)


def test_one_member_answers_for_itself(networks):
    scores = {ask(networks, photograph(), member=m)[0].get("pa_view").score for m in range(5)}
    assert len(scores) > 1


def test_a_header_of_another_modality_outweighs_the_pixels():
    records = read_manifest()[1]
    ref = ImageRef(id="img-1", rows=9, columns=9, grid="g")
    sure = {r.name: 20.0 for r in records}
    for modality, polarity in ((None, "present"), ("DX", "present"), ("CT", "absent"), ("MR", "absent")):
        found = findings(records, sure, ImageInfo(ref=ref, modality=modality)).get("frontal_chest_radiograph")
        assert found.polarity == polarity
    assert "CT" in findings(records, sure, ImageInfo(ref=ref, modality="CT")).items[0].note


def record(**parameters):
    return CalibrationRecord(
        name="x", method="m", data="d", data_sha256="0", date="2026-01-01", n=1, parameters=parameters
    )


def test_probability_is_the_logistic_curve_of_the_record():
    assert probability(record(slope=2.0, intercept=-1.0), 0.5) == pytest.approx(0.5)
    assert probability(record(slope=2.0, intercept=-1.0), 1.5) == pytest.approx(1 / (1 + np.exp(-2)))
    assert 0 < probability(record(slope=1.0, intercept=0.0), -1e9) < 1e-15


def test_between_the_thresholds_the_guard_is_uncertain():
    limits = record(absent_below=0.3, present_from=0.6)
    assert [judge(limits, p) for p in (0.29, 0.3, 0.59, 0.6)] == ["absent", "uncertain", "uncertain", "present"]


@settings(max_examples=20, deadline=None)
@given(gain=st.floats(0.05, 1.0), offset=st.floats(0.0, 0.5), seed=st.integers(0, 99))
def test_brightness_and_contrast_change_nothing(gain, offset, seed):
    image = np.float32(noise(160, seed))
    difference = np.abs(to_square(image).astype(int) - to_square(image * gain + offset).astype(int))
    assert difference.max() <= 1


def test_equalised_grey_is_the_rank_of_a_pixel():
    import torch

    image = torch.tensor([[[[0.0, 0.0], [0.5, 1.0]]]])
    assert equalise(image).flatten().tolist() == pytest.approx([-0.5, -0.5, 0.25, 0.75])
    assert torch.allclose(equalise(image**3), equalise(image))


def test_markers_in_the_corners_are_not_seen():
    plain = to_square(np.float32(noise(128)))[None]
    marked = plain.copy()
    marked[0, :8, :8] = 255 - marked[0, :8, :8]
    plain_input, marked_input = prepare(plain, 96), prepare(marked, 96)
    assert float((plain_input - marked_input)[0, 0, :6, :6].abs().max()) == 0.0
    assert plain_input.shape == (1, 1, 96, 96)
    assert to_square(np.float32([[np.nan, np.inf], [0, 1]])).shape == (CACHE, CACHE)


def copied(folder: Path) -> Path:
    for name in (WEIGHTS, MANIFEST):
        (folder / name).write_bytes((guard_weights.FOLDER / name).read_bytes())
    return folder


def test_damaged_weights_are_refused(tmp_path):
    file = copied(tmp_path) / WEIGHTS
    assert set(load_networks(tmp_path)) == {"frontal_chest_radiograph", "pa_view", "child"}
    blob = bytearray(file.read_bytes())
    blob[-1] ^= 1
    file.write_bytes(blob)
    with pytest.raises(ToolUnavailable, match="checksum"):
        load_networks(tmp_path)


def test_missing_weights_or_manifest_are_refused(tmp_path):
    (copied(tmp_path) / WEIGHTS).unlink()
    with pytest.raises(ToolUnavailable, match="cannot be read"):
        load_networks(tmp_path)
    (tmp_path / MANIFEST).unlink()
    with pytest.raises(ToolUnavailable, match="no manifest"):
        load_networks(tmp_path)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"sha256": {}}', '{"sha256": {"chest_film_guard.safetensors": "0"}}']
)
def test_a_damaged_manifest_is_refused(tmp_path, text):
    (copied(tmp_path) / MANIFEST).write_text(text)
    with pytest.raises(ToolUnavailable, match="damaged"):
        read_manifest(tmp_path)


def test_a_manifest_without_one_of_the_guards_is_refused(tmp_path):
    manifest = json.loads((copied(tmp_path) / MANIFEST).read_text())
    manifest["records"] = manifest["records"][:2]
    (tmp_path / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ToolUnavailable, match="child"):
        read_manifest(tmp_path)


def test_weights_of_another_shape_are_refused(tmp_path):
    import torch

    _, records = read_manifest()
    guard_weights.write(tmp_path, {"child": [{"0.weight": torch.zeros(3)}]}, list(records))
    with pytest.raises(ToolUnavailable, match="do not fit"):
        load_networks(tmp_path)


def test_the_card_says_which_guards_hold_across_sources():
    card = ChestFilmGuard.card
    assert card.weights.sha256 == read_manifest()[0]
    for entry in card.calibration:
        assert entry.parameters["verified"] == (not entry.parameters["verified_fails"])
        assert entry.parameters["absent_below"] <= entry.parameters["present_from"]
    assert (guard_weights.FOLDER / WEIGHTS).stat().st_size <= 3_000_000


@pytest.mark.data
@needs_data
def test_real_films_pass_and_turned_ones_do_not(networks):
    from secondread.imaging.load import load

    root = Path(DATA) / "cxr" if (Path(DATA) / "cxr").is_dir() else Path(DATA)
    with (root / "index.csv").open(newline="") as handle:
        rows = [r for r in csv.DictReader(handle) if r["licence_class"] == "permissive" and r["split"] == "train"]
    films = [load(root / r["file"]).grey for r in rows[:: len(rows) // 24]]
    upright = [f.get("frontal_chest_radiograph").polarity for f in ask(networks, *films)]
    turned = [f.get("frontal_chest_radiograph").polarity for f in ask(networks, *[np.rot90(f, 2) for f in films])]
    assert upright.count("present") >= 0.9 * len(films)
    assert turned.count("absent") >= 0.8 * len(films)
