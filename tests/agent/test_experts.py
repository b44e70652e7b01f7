"""Questions to the trained experts beyond the chest: answered on their own kind of image, refused on others."""

from pathlib import Path

import nibabel
import numpy as np
import pytest

from secondread.agent.agent import Agent

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.mark.parametrize(
    "question", ["How many white cells are there?", "What is the vessel density?", "What is the hippocampal volume?"]
)
def test_experts_refuse_a_chest_film_and_say_why(agent: Agent, question: str) -> None:
    found = agent.ask(EXAMPLES / "chest.png", question)
    assert found.abstained
    assert found.value is None


def test_red_cells_are_not_counted_and_the_answer_says_why(agent: Agent) -> None:
    found = agent.ask(EXAMPLES / "chest.png", "How many red cells are there?")
    assert found.abstained
    assert "red cell counter" in found.text


@pytest.mark.data
def test_white_cells_of_a_smear_are_counted_and_marked(agent: Agent, data_dir: Path) -> None:
    image = data_dir / "cells_bccd" / "images" / "BloodImage_00044.jpg"
    if not image.exists():
        image = sorted((data_dir / "cells_bccd").rglob("*.jpg"))[40]
    found = agent.ask(image, "How many white blood cells are there?")
    assert found.value is not None
    item = next(e for e in found.evidence if e.tool == "blood_cells")
    cells = next(c for c in item.result.counted if c.concept == "white_blood_cell")  # type: ignore[union-attr]  # a Measurements
    assert len(cells.boxes) == len(cells.points) == found.value.value
    assert cells.agree
    assert item.overlay().size[0] > 100
    marked = agent.ask(image, "Mark the white blood cells.")
    assert not marked.abstained


@pytest.mark.data
def test_the_hippocampal_volume_is_near_that_of_the_manual_outline(agent: Agent, data_dir: Path) -> None:
    folder = data_dir / "mr_hippocampus_msd"
    errors = []
    for image in sorted((folder / "images").glob("*.nii.gz"))[:4]:
        found = agent.ask(image, "What is the hippocampal volume?")
        label = np.asarray(nibabel.load(folder / "labels" / image.name).dataobj)
        assert found.value is not None
        assert found.value.unit == "mm3"
        assert found.value.low is not None and found.value.low < found.value.value
        errors.append(found.value.value / np.count_nonzero(label) - 1)
    assert abs(float(np.mean(errors))) < 0.10


@pytest.mark.data
def test_vessels_of_a_fundus_photograph_are_outlined(agent: Agent, data_dir: Path) -> None:
    photograph = sorted((data_dir / "retina_chase_db1").rglob("*.jpg"))[0]
    found = agent.ask(photograph, "What is the vessel density?")
    assert found.value is not None
    assert 0.04 < found.value.value < 0.2
    item = next(e for e in found.evidence if e.tool == "retinal_vessels")
    assert "retinal_vessel" in item.result.outlined  # type: ignore[union-attr]  # a Measurements


@pytest.mark.data
@pytest.mark.parametrize("question", ["How large is the nerve?", "Mark the vessels.", "Where is the nerve?"])
def test_nerves_and_vessels_are_outlined_on_an_ultrasound_image(agent: Agent, data_dir: Path, question: str) -> None:
    image = data_dir / "ultrasound_usgra" / "images" / "0010.jpg"
    found = agent.ask(image, question)
    assert not found.abstained
    item = next(e for e in found.evidence if e.tool == "nerves_and_vessels")
    assert "peripheral_nerve" in item.result.outlined  # type: ignore[union-attr]  # a Measurements
    assert found.value is None or found.value.unit == "px"
    assert item.overlay().size[0] > 100


def test_a_part_of_a_film_is_shown_closer_and_its_place_is_cited(agent: Agent) -> None:
    found = agent.ask(EXAMPLES / "chest.png", "Zoom in on the left lung.", view="PA", age=60)
    assert not found.abstained
    shown = next(e for e in found.evidence if e.tool == "zoom")
    assert shown.id in found.claims[0].evidence
    assert max(shown.overlay().size) >= 768


def test_contrast_is_changed_on_request_and_a_ct_window_is_refused_on_a_film(agent: Agent) -> None:
    assert not agent.ask(EXAMPLES / "chest.png", "Increase the contrast.").abstained
    refused = agent.ask(EXAMPLES / "chest.png", "Show this in bone window.")
    assert refused.abstained and "Hounsfield" in refused.text


def test_a_mirrored_film_gets_no_verdict_and_both_readings_are_named(agent: Agent) -> None:
    found = agent.ask(EXAMPLES / "chest.png", "Is this film mirrored?", view="PA", age=60)
    assert found.abstained and "mirrored film" in found.text


def test_the_kind_of_image_is_told_and_yes_or_no_comes_from_the_header_alone(agent: Agent) -> None:
    told = agent.ask(EXAMPLES / "chest.dcm", "What modality is used to take this image?")
    assert not told.abstained and "X-ray image: the header says modality DX" in told.text
    yes, no = (agent.ask(EXAMPLES / "chest.dcm", f"Is this an {kind}?") for kind in ("X-ray", "MRI"))
    assert (yes.verdict, no.verdict) == ("yes", "no")
    assert yes.confidence is None and no.confidence is None
    pixels = agent.ask(EXAMPLES / "chest.png", "What kind of image is this?")
    assert "uncertain, the pixels look like it" in pixels.text
    assert agent.ask(EXAMPLES / "chest.png", "Is this an MRI?").abstained


def test_the_plane_is_told_where_the_file_has_a_geometry(agent: Agent, tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(np.zeros((40, 50, 20), np.int16), np.eye(4)), tmp_path / "v.nii.gz")
    found = agent.ask(tmp_path / "v.nii.gz", "In which plane is this slice?", slice=4, plane="coronal")
    assert not found.abstained and "Coronal plane" in found.text
    assert agent.ask(EXAMPLES / "chest.png", "In which plane is this slice?").abstained
