"""Outlines that the caller brings: measured where they lie, refused where they do not fit."""

from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

from secondread.agent.agent import Agent
from secondread.imaging.volume.volume import Volume
from secondread.schema.errors import InputError, UsageError

AFFINE = np.diag([2.0, 2.0, 3.0, 1.0])


@pytest.fixture(scope="module")
def volume() -> Volume:
    """40 x 50 x 20 voxels of 2 x 2 x 3 mm; value 100 inside a block, 0 elsewhere."""
    array = np.zeros((40, 50, 20), np.int16)
    array[10:20, 5:35, 4:12] = 100
    return Volume.from_array(array, AFFINE, unit="HU", modality="CT")


@pytest.fixture(scope="module")
def block() -> np.ndarray[tuple[int, int, int], np.dtype[np.bool_]]:
    mask = np.zeros((40, 50, 20), bool)
    mask[10:20, 5:35, 4:12] = True
    return mask


def test_volume_axes_and_values_of_an_outline_are_those_of_the_block(
    agent: Agent, volume: Volume, block: np.ndarray[tuple[int, int, int], np.dtype[np.bool_]]
) -> None:
    size = agent.ask(volume, "How large is the liver here?", masks={"liver": block})
    assert size.value is not None
    assert (size.value.name, size.value.unit) == ("structure_volume", "ml")
    assert size.value.value == pytest.approx(10 * 30 * 8 * 12 / 1000)
    assert size.value.low is not None and size.value.high is not None
    assert size.value.low < size.value.value < size.value.high
    long = agent.ask(volume, "What is the longest diameter of the liver?", masks={"liver": block}).value
    assert long is not None and long.value == pytest.approx(np.hypot(20, 60), rel=0.03)
    mean = agent.ask(volume, "What is the mean HU of the liver?", masks={"liver": block})
    assert mean.value is not None and (mean.value.value, mean.value.unit) == (100.0, "HU")
    assert "of the liver is 100" in mean.text


def test_a_label_map_on_another_grid_is_placed_by_position(
    agent: Agent, volume: Volume, block: np.ndarray[tuple[int, int, int], np.dtype[np.bool_]], tmp_path: Path
) -> None:
    flipped = AFFINE.copy()
    flipped[0, 0], flipped[0, 3] = -2.0, 2.0 * 39
    labels = np.where(block[::-1], 7, 3).astype(np.uint8)
    nibabel.save(nibabel.Nifti1Image(labels, flipped), tmp_path / "labels.nii.gz")
    found = agent.ask(volume, "What is the mean HU of the spleen?", masks={"spleen": (tmp_path / "labels.nii.gz", 7)})
    assert found.value is not None and found.value.value == 100.0
    assert any("by position" in warning for warning in found.warnings)


def test_area_and_axes_of_an_outline_on_a_picture_are_in_pixels_without_spacing(agent: Agent, tmp_path: Path) -> None:
    picture = np.full((80, 100), 60, np.uint8)
    mask = np.zeros((80, 100), np.uint8)
    mask[20:40, 30:70] = 255
    Image.fromarray(picture).save(tmp_path / "scan.png")
    Image.fromarray(mask).save(tmp_path / "mask.png")
    given = {"this region": tmp_path / "mask.png"}
    area = agent.ask(tmp_path / "scan.png", "How large is this region?", masks=given)
    assert area.value is not None
    long = agent.ask(tmp_path / "scan.png", "What is the longest diameter of this region?", masks=given).value
    assert long is not None
    assert (long.value, long.unit) == (pytest.approx(np.hypot(20, 40), rel=0.03), "px")


def test_a_marked_box_has_its_diagonal_and_says_that_it_is_the_box(agent: Agent, tmp_path: Path) -> None:
    Image.fromarray(np.full((80, 100), 60, np.uint8)).save(tmp_path / "scan.png")
    found = agent.ask(
        tmp_path / "scan.png", "What is the longest diameter of this region?", region=(9.5, 9.5, 39.5, 49.5)
    )
    assert found.value is not None and found.value.value == pytest.approx(50.0)
    assert any("box that was drawn" in warning for warning in found.warnings)


@pytest.mark.parametrize("name", ["lesion", "mass", "nodule"])
def test_an_outlined_finding_is_measured_as_a_region_and_not_told_as_a_finding(
    agent: Agent, volume: Volume, block: np.ndarray[tuple[int, int, int], np.dtype[np.bool_]], name: str
) -> None:
    found = agent.ask(volume, f"What is the volume of the {name}?", masks={name: block})
    assert found.value is not None and found.value.value == pytest.approx(10 * 30 * 8 * 12 / 1000)
    assert "volume of the marked region is" in found.text and name not in found.text
    size = agent.ask(volume, f"How large is the {name}?", masks={name: block}).value
    assert size is not None and size.unit in ("ml", "mm")


def test_without_an_outline_the_answer_says_how_to_give_one(agent: Agent, volume: Volume) -> None:
    found = agent.ask(volume, "How large is the liver?")
    assert found.abstained
    assert "an outline of the liver is needed" in found.text and "--mask" in found.text


def test_outlines_that_do_not_fit_are_refused_in_one_sentence(agent: Agent, volume: Volume, tmp_path: Path) -> None:
    question = "How large is the liver?"
    with pytest.raises(InputError, match="does not lie on the grid"):
        agent.ask(volume, question, masks={"liver": np.ones((3, 3, 3), bool)})
    with pytest.raises(InputError, match="is empty"):
        agent.ask(volume, question, masks={"liver": np.zeros(volume.shape, bool)})
    with pytest.raises(UsageError, match="Two outlines"):
        agent.ask(volume, question, masks={"liver": np.ones(volume.shape, bool), "Liver": np.ones(volume.shape, bool)})
    with pytest.raises(UsageError, match="needs an image"):
        agent.ask(None, question, masks={"liver": np.ones((2, 2), bool)})
    (tmp_path / "mask.png").write_bytes(b"no picture")
    Image.fromarray(np.full((80, 100), 60, np.uint8)).save(tmp_path / "scan.png")
    with pytest.raises(InputError, match="not a mask picture"):
        agent.ask(tmp_path / "scan.png", question, masks={"liver": tmp_path / "mask.png"})
