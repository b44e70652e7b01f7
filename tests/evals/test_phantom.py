"""The generator of chest films: known truth, repeatability, and files that decode to the same film."""

import os
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from secondread.evals.phantom import Film, generate, load_model, nearest_training_sketch
from secondread.evals.phantom_changes import (
    add_border,
    add_marker_text,
    add_opacity,
    blur,
    crop,
    flip,
    invert,
    noise,
    rotate,
    squeeze,
    underexpose,
)
from secondread.evals.phantom_dicom import write_dicom
from secondread.schema.errors import InputError


@pytest.fixture(scope="module")
def film() -> Film:
    return generate(11, size=256)


def columns_of(*masks: np.ndarray) -> int:
    """Bounding columns, counted without the library's own geometry."""
    held = [c for c in range(masks[0].shape[1]) if any(m[:, c].any() for m in masks)]
    return held[-1] - held[0] + 1


def test_the_ratio_is_the_one_of_the_masks(film: Film) -> None:
    m = film.masks
    assert film.ctr == columns_of(m["heart"]) / columns_of(m["right_lung"], m["left_lung"])


def test_masks_are_disjoint_connected_and_on_the_patients_sides(film: Film) -> None:
    total = sum(mask.astype(int) for mask in film.masks.values())
    assert total.max() == 1
    middle = {name: float(np.nonzero(mask)[1].mean()) for name, mask in film.masks.items()}
    assert middle["right_lung"] < middle["heart"] < middle["left_lung"]
    for name, mask in film.masks.items():
        assert ndimage.label(mask)[1] == 1, name


def test_lungs_are_darker_than_the_heart_and_the_grey_fills_its_range(film: Film) -> None:
    means = {name: float(film.grey[mask].mean()) for name, mask in film.masks.items()}
    assert means["right_lung"] + 0.1 < means["heart"]
    assert means["left_lung"] + 0.1 < means["heart"]
    assert film.grey.dtype == np.float32
    assert film.grey.min() >= 0
    assert 0.7 < film.grey.max() <= 1


def test_equal_seeds_give_equal_films_and_other_seeds_other_films(film: Film) -> None:
    again, other = generate(11, size=256), generate(12, size=256)
    assert np.array_equal(film.grey, again.grey)
    assert all(np.array_equal(film.masks[name], again.masks[name]) for name in film.masks)
    assert not np.allclose(film.grey, other.grey, atol=0.05)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("wanted", [0.40, 0.45, 0.50, 0.55, 0.62])
def test_a_wanted_ratio_is_met(seed: int, wanted: float) -> None:
    assert generate(seed, ctr=wanted, size=256).ctr == pytest.approx(wanted, abs=0.01)


def test_size_changes_the_grid_not_the_film() -> None:
    small, large = generate(5, size=192), generate(5, size=384)
    assert small.ctr == pytest.approx(large.ctr, abs=0.012)
    overlap = small.masks["heart"] & large.masks["heart"][::2, ::2]
    assert overlap.sum() > 0.95 * small.masks["heart"].sum()


def test_inverted_is_the_complement() -> None:
    assert np.allclose(generate(3, size=128, inverted=True).grey, 1 - generate(3, size=128).grey, atol=1e-6)


@pytest.mark.parametrize("bad", [{"ctr": 0.9}, {"ctr": 0.1}, {"size": 8}, {"size": 9000}])
def test_what_cannot_be_drawn_is_refused(bad: dict[str, float]) -> None:
    with pytest.raises(InputError, match="cannot be drawn"):
        generate(0, **bad)  # type: ignore[arg-type]  # the point is the bad value


def test_coefficients_of_a_training_film_are_rejected() -> None:
    model = load_model()
    axes = model.sketch_axes
    planted = model.sketches[7] @ np.linalg.pinv(axes)
    shapes = len(model.fields)
    assert nearest_training_sketch(model, planted[:shapes], planted[shapes:]) < 0.01 * model.sketch_apart


def test_a_mirrored_film_keeps_names_and_ratio(film: Film) -> None:
    mirrored = flip(film)
    assert mirrored.ctr == film.ctr
    assert np.array_equal(mirrored.grey[:, ::-1], film.grey)
    assert np.nonzero(mirrored.masks["right_lung"])[1].mean() > 128


def test_a_turned_film_turns_its_masks_with_the_pixels(film: Film) -> None:
    marked = Film(film.masks["heart"].astype(np.float32), film.masks, film.ctr, film.seed)
    turned = rotate(marked, 10.0)
    assert np.mean((turned.grey > 0.5) == turned.masks["heart"]) > 0.999
    lungs = [np.array(np.nonzero(turned.masks[n])).mean(1) for n in ("right_lung", "left_lung")]
    before = [np.array(np.nonzero(film.masks[n])).mean(1) for n in ("right_lung", "left_lung")]
    drop = lungs[1][0] - lungs[0][0] - (before[1][0] - before[0][0])
    assert drop > 0, "clockwise: the side on the image right goes down"


def test_border_crop_and_squeeze_carry_the_masks(film: Film) -> None:
    framed = add_border(film, 0.1)
    assert framed.ctr == film.ctr
    back = crop(framed, *[26 / framed.grey.shape[0]] * 4)
    assert np.array_equal(back.grey, film.grey)
    assert np.array_equal(back.masks["heart"], film.masks["heart"])
    assert squeeze(film, rows=0.7).ctr == pytest.approx(film.ctr, abs=0.012)
    assert squeeze(film, rows=0.7).grey.shape == (179, 256)
    with pytest.raises(InputError, match="Nothing of a structure"):
        crop(film, image_left=0.6)


def test_pixel_changes_leave_the_truth_and_do_what_they_say(film: Film) -> None:
    for changed in (blur(film), noise(film), underexpose(film), invert(film), add_marker_text(film)):
        assert changed.ctr == film.ctr
        assert changed.grey.shape == film.grey.shape
        assert 0 <= changed.grey.min() <= changed.grey.max() <= 1
    assert np.std(np.diff(blur(film).grey)) < np.std(np.diff(film.grey)) < np.std(np.diff(noise(film).grey))
    assert underexpose(film).grey.std() < 0.5 * film.grey.std()


@pytest.mark.parametrize(("side", "other"), [("right", "left"), ("left", "right")])
def test_an_opacity_whitens_its_lung_alone(film: Film, side: str, other: str) -> None:
    shaded = add_opacity(film, side)  # type: ignore[arg-type]  # parametrised over both literals
    gain = shaded.grey - film.grey
    assert gain[film.masks[f"{side}_lung"]].mean() > 0.03
    assert gain[film.masks[f"{other}_lung"]].mean() < 0.005
    assert shaded.ctr == film.ctr


@pytest.mark.parametrize(("photometric", "bits"), [("MONOCHROME2", 12), ("MONOCHROME1", 12), ("MONOCHROME2", 8)])
def test_dicom_decodes_to_the_same_grey(film: Film, tmp_path: Path, photometric: str, bits: int) -> None:
    import pydicom
    from pydicom.pixels import apply_windowing

    path = tmp_path / "film.dcm"
    write_dicom(film, path, photometric=photometric, bits=bits, age=60)  # type: ignore[arg-type]  # parametrised
    ds = pydicom.dcmread(path)
    stored = ds.pixel_array
    window = apply_windowing(stored, ds) / (2**bits - 1)
    shown = 1 - window if ds.PhotometricInterpretation == "MONOCHROME1" else window
    assert np.abs(shown - film.grey).max() <= 1 / 255
    assert (ds.ViewPosition, ds.PatientAge, ds.Modality) == ("PA", "060Y", "DX")
    assert ds.PatientName == "Anonymous^Phantom"


def test_dicom_is_the_same_file_twice_and_leaves_out_what_is_not_stated(film: Film, tmp_path: Path) -> None:
    import pydicom

    for name in ("a.dcm", "b.dcm"):
        write_dicom(film, tmp_path / name, view=None, spacing=None, window=False)
    assert (tmp_path / "a.dcm").read_bytes() == (tmp_path / "b.dcm").read_bytes()
    ds = pydicom.dcmread(tmp_path / "a.dcm")
    assert not {"ViewPosition", "ImagerPixelSpacing", "WindowCenter", "PatientAge"} & {e.keyword for e in ds}


@pytest.mark.data
@pytest.mark.slow
def test_no_generated_film_is_nearer_to_a_training_film_than_those_are_to_each_other() -> None:
    from secondread.training.phantom.data import load_films
    from secondread.training.phantom.privacy import distances

    folder = os.environ.get("SECONDREAD_DATA")
    if not folder:
        pytest.skip("SECONDREAD_DATA is not set")
    data = Path(folder) / "cxr" if (Path(folder) / "cxr").is_dir() else Path(folder)
    found = distances(load_films(data), load_model(), 500)
    assert found.to_training[0] >= found.between_training[0]
    assert found.between_generated > 0
