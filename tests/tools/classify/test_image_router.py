import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secondread.schema.errors import StoreError, ToolUnavailable
from secondread.schema.evidence import Findings
from secondread.schema.image import ImageInfo, ImageRef
from secondread.tools.classify.image_router import HEADER, ImageRouter, RouterRequest, findings
from secondread.tools.classify.router_features import SIDE, features, to_square
from secondread.tools.classify.router_model import KINDS, OTHER, RouterModel
from secondread.tools.classify.router_weights import WEIGHTS, load_model

RECORDS = [WEIGHTS.record(kind) for kind in KINDS]


class Lender:
    """Colours and infos by image id, and the model loaded once."""

    def __init__(self, model, images, modality=None):
        self.loaded, self.images, self.modality = model, images, modality

    def colour(self, image):
        if image not in self.images:
            raise StoreError(f"no image {image}")
        return self.images[image]

    def pixels(self, image):
        return self.colour(image).astype(np.float32).mean(-1) / 255

    def info(self, image):
        if image not in self.images:
            raise StoreError(f"no image {image}")
        rows, columns = self.images[image].shape[:2]
        return told(self.modality, rows, columns, colour=bool(np.ptp(self.images[image], axis=-1).any()))

    def model(self, tool):
        return self.loaded


def told(modality, rows=64, columns=64, colour=False):
    return ImageInfo(ref=ImageRef(id="img-0", rows=rows, columns=columns, grid="g"), modality=modality, colour=colour)


@pytest.fixture(scope="module")
def model():
    return load_model()


def ask(model, *images, modality=None):
    lender = Lender(model, {f"i{n}": image for n, image in enumerate(images)}, modality)
    return ImageRouter().run_batch([RouterRequest(image=i) for i in lender.images], lender)


def grey(values):
    return np.repeat(np.rint(np.asarray(values) * 255).astype(np.uint8)[..., None], 3, axis=2)


def page():
    rng = np.random.default_rng(3)
    sheet = np.ones((300, 240))
    for top in range(10, 288, 16):
        sheet[top : top + 8, 10:230] = rng.random((8, 220)) > 0.45
    return grey(sheet)


def sunset():
    y, x = np.mgrid[0:1:200j, 0:1:300j]
    sky = np.stack([0.9 - 0.3 * y, 0.5 - 0.3 * y, 0.2 + 0.4 * y], -1)
    sky[(x - 0.6) ** 2 + (y - 0.4) ** 2 < 0.01] = (1, 0.95, 0.5)
    sky[y > 0.7] = (0.1, 0.2, 0.15)
    return np.rint(sky * 255).astype(np.uint8)


DRAWN = {
    "noise": grey(np.random.default_rng(0).random((200, 200))),
    "black": np.zeros((200, 300, 3), np.uint8),
    "white": np.full((300, 200, 3), 255, np.uint8),
    "one pixel": np.full((1, 1, 3), 90, np.uint8),
    "gradient": grey(np.tile(np.linspace(0, 1, 256), (256, 1))),
    "text": page(),
    "sunset": sunset(),
}


@pytest.mark.parametrize("name", DRAWN)
def test_what_is_no_medical_picture_is_other_and_every_expert_is_refused(model, name):
    (found,) = ask(model, DRAWN[name])
    assert found.get(OTHER).polarity == "present"
    assert {f.polarity for f in found.items if f.concept != OTHER} == {"absent"}


def test_every_kind_is_answered_once_with_a_score_and_a_reason(model):
    (found,) = ask(model, DRAWN["noise"])
    assert [f.concept for f in found.items] == list(ImageRouter.card.establishes)
    assert all(0 <= f.score <= 1 and f.note and f.score_kind == "support" for f in found.items)
    assert Findings.model_validate_json(found.model_dump_json()) == found


def test_a_batch_equals_its_single_runs_and_repeats_exactly(model):
    together = ask(model, *DRAWN.values())
    assert together == [ask(model, image)[0] for image in DRAWN.values()]
    assert together == ask(model, *DRAWN.values())


def test_one_missing_image_fails_alone(model):
    lender = Lender(model, {"a": DRAWN["noise"]})
    found = ImageRouter().run_batch([RouterRequest(image="gone"), RouterRequest(image="a")], lender)
    assert isinstance(found[0], StoreError)
    assert isinstance(found[1], Findings)


def sure(kind, typical=0.5):
    probabilities, near = [0.0] * (len(KINDS) + 1), [0.0] * len(KINDS)
    k = KINDS.index(kind)
    probabilities[k], near[k] = 1.0, typical
    return probabilities, near


def polarities(found):
    return {f.concept: f.polarity for f in found.items}


@pytest.mark.parametrize("kind", [k for k in KINDS if k not in ("mr_slice", "ct_slice")])
def test_pixels_alone_make_a_kind_present_and_all_others_absent(kind):
    said = polarities(findings(RECORDS, *sure(kind), told(None)))
    assert said.pop(kind) == "present"
    assert set(said.values()) == {"absent"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_sure_classifier_does_not_help_a_picture_that_is_far_from_its_kind(kind):
    said = polarities(findings(RECORDS, *sure(kind, typical=0.01), told(None)))
    assert said.pop(OTHER) == "present"
    assert set(said.values()) == {"absent"}


@pytest.mark.parametrize("kind", ["mr_slice", "ct_slice"])
def test_pixels_alone_never_make_ct_or_mr_present(kind):
    found = findings(RECORDS, *sure(kind), told(None)).get(kind)
    assert (found.polarity, found.verified) == ("uncertain", False)
    assert "header" in found.note


def test_the_header_wins_and_pixels_that_disagree_only_warn():
    found = findings(RECORDS, *sure("fundus_photograph"), told("CT"))
    assert (found.get("ct_slice").polarity, found.get("ct_slice").verified) == ("present", True)
    assert "pixels look like: fundus photograph" in found.get("ct_slice").note
    assert found.get("fundus_photograph").polarity == "absent"
    agreeing = findings(RECORDS, *sure("ct_slice"), told("CT")).get("ct_slice")
    assert "pixels" not in agreeing.note


def test_a_whole_head_with_an_mr_header_is_mr_but_no_hippocampal_crop():
    said = polarities(findings(RECORDS, *sure("mr_slice"), told("MR")))
    assert (said["mr_slice"], said["hippocampal_mr_crop"], said[OTHER]) == ("present", "absent", "absent")


def test_a_crop_with_an_mr_header_is_both_mr_and_a_hippocampal_crop():
    said = polarities(findings(RECORDS, *sure("hippocampal_mr_crop"), told("MR")))
    assert (said["mr_slice"], said["hippocampal_mr_crop"]) == ("present", "present")


def test_a_plain_film_of_another_body_part_is_not_taken_for_a_chest_film():
    nothing = [0.0] * len(KINDS) + [1.0], [0.0] * len(KINDS)
    said = polarities(findings(RECORDS, *nothing, told("DX")))
    assert (said["chest_radiograph_image"], said[OTHER]) == ("absent", "present")


@pytest.mark.parametrize("code", ["OT", "SC", "", None])
def test_a_header_that_says_nothing_leaves_it_to_the_pixels(code):
    assert findings(RECORDS, *sure("fundus_photograph"), told(code)).get("fundus_photograph").polarity == "present"


@pytest.mark.parametrize("code", ["PT", "NM", "MG", "XA", "SEG"])
def test_a_modality_of_no_known_kind_refuses_all(code):
    assert code not in HEADER
    said = polarities(findings(RECORDS, *sure("chest_radiograph_image"), told(code)))
    assert said.pop(OTHER) == "present"
    assert set(said.values()) == {"absent"}


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1), st.integers(1, 256))
def test_features_of_any_image_are_finite_and_of_one_length(rows, columns, seed, top):
    image = np.random.default_rng(seed).integers(0, top, (rows, columns, 3), dtype=np.uint8)
    row = features(to_square(image))
    assert row.shape == features(np.zeros((SIDE, SIDE, 3), np.uint8)).shape
    assert np.isfinite(row).all()


def test_brightness_and_range_of_a_grey_image_change_nothing():
    picture = np.random.default_rng(5).random((SIDE, SIDE))
    bright, faint = features(grey(picture)), features(grey(0.2 + 0.5 * picture))
    assert np.abs(bright[:14]).max() == np.abs(faint[:14]).max() == 0
    assert np.abs(bright - faint).max() < 0.35


def two_dimensional_model():
    """One feature, one axis; the first kind is a unit Gaussian at 0 with known quantiles."""
    count = len(KINDS)
    return RouterModel(
        mean=np.zeros(1, np.float32),
        scale=np.ones(1, np.float32),
        weight=np.zeros((count + 1, 1), np.float32),
        bias=np.log(np.arange(1, count + 2, dtype=np.float32)),
        axes=np.ones((1, 1), np.float32),
        centres=np.zeros((count, 2), np.float32),
        whiten=np.tile(np.eye(2, dtype=np.float32), (count, 1, 1)),
        distances=np.tile(np.array([0, 1, 2], np.float32), (count, 1)),
    )


def test_probabilities_distances_and_typicality_are_those_computed_by_hand():
    known = two_dimensional_model()
    rows = np.array([[0.0], [math.sqrt(2)], [2 * math.sqrt(2)], [5.0]], np.float32)
    total = sum(range(1, len(KINDS) + 2))
    assert known.probabilities(rows)[0] == pytest.approx([n / total for n in range(1, len(KINDS) + 2)])
    assert known.far(rows)[:, 0] == pytest.approx([0, 1, 2, 5 / math.sqrt(2)])
    assert known.typical(rows)[:, 0] == pytest.approx([1, 0.5, 0, 0], abs=1e-6)


def copied(tmp_path):
    for name in (WEIGHTS.file, "image_router.json"):
        (tmp_path / name).write_bytes((ImageRouter.weights_folder / name).read_bytes())
    return tmp_path


def test_damaged_missing_or_foreign_weights_are_named_in_one_line(tmp_path):
    folder = copied(tmp_path)
    blob = bytearray((folder / WEIGHTS.file).read_bytes())
    blob[-1] ^= 1
    (folder / WEIGHTS.file).write_bytes(blob)
    with pytest.raises(ToolUnavailable, match="checksum"):
        load_model(folder)
    (folder / WEIGHTS.file).unlink()
    with pytest.raises(ToolUnavailable, match="cannot be read"):
        load_model(folder)


def test_weights_of_other_features_are_refused(tmp_path):
    import torch

    state = WEIGHTS.states()[0]
    state["mean"] = torch.zeros(3)
    WEIGHTS.write(tmp_path, [state], RECORDS)
    with pytest.raises(ToolUnavailable, match="do not fit"):
        load_model(tmp_path)


def test_the_weights_are_small_and_their_record_says_where_a_kind_fails():
    assert (ImageRouter.weights_folder / WEIGHTS.file).stat().st_size <= 2**20
    figures = json.loads((ImageRouter.weights_folder / "image_router.json").read_text())["records"]
    for record in figures:
        left_out = [f for name, f in record["figures"].items() if "left out: accepted" in name]
        if any(f["value"] < 0.9 for f in left_out):
            assert record["parameters"]["verified"] is False


EXPECTED = {
    "cells_bccd": "blood_smear_image",
    "retina_chase_db1": "fundus_photograph",
    "ultrasound_usgra": "ultrasound_image",
}


@pytest.mark.data
@pytest.mark.parametrize("folder", EXPECTED)
def test_pictures_of_the_training_sources_reach_their_expert(model, data_dir, folder):
    from PIL import Image

    files = sorted((data_dir / folder / "images").glob("*"))[::2][:20]
    found = ask(model, *(np.asarray(Image.open(f).convert("RGB")) for f in files))
    assert sum(f.get(EXPECTED[folder]).polarity == "present" for f in found) >= 0.8 * len(found)


def test_photographs_that_scikit_image_brings_along_reach_no_expert(model):
    data = pytest.importorskip("skimage.data")
    photographs = [data.astronaut(), data.coffee(), data.chelsea(), data.rocket()]
    assert all(f.get(OTHER).polarity == "present" for f in ask(model, *photographs))


def judged_by_runtime(add):
    from secondread.tools.catalogue import Catalogue
    from secondread.tools.runtime.calls import Call
    from secondread.tools.runtime.runtime import Runtime

    runtime = Runtime(tools=Catalogue({"image_router": ImageRouter()}))
    try:
        image = add(runtime.store).ref.id
        (found,) = runtime.submit(runtime.run([Call(tool="image_router", args={"image": image})])).result(60).values()
    finally:
        runtime.close()
    return found.result


def test_through_the_runtime_the_router_reads_the_colour_of_a_picture():
    assert judged_by_runtime(lambda store: store.add(sunset())) == ask(load_model(), sunset())[0]


@pytest.mark.data
@pytest.mark.parametrize(
    ("file", "crop"),
    [
        ("volumes_ct_mr/pyradiomics/brain1_image.nii.gz", "absent"),
        ("mr_hippocampus_msd/images/hippocampus_003.nii.gz", "present"),
    ],
)
def test_a_whole_head_volume_is_kept_from_the_hippocampus_expert_and_a_crop_is_not(data_dir, file, crop):
    from secondread.imaging.volume.open import open_volume

    found = judged_by_runtime(lambda store: store.add_volume(open_volume(str(data_dir / file))))
    assert found.get("hippocampal_mr_crop").polarity == crop
