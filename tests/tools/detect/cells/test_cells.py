"""Blood cells: boxes read from maps, calibration, counts, refusals, and drawn smears by the shipped networks."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from secondread.schema.errors import NotApplicable, ToolUnavailable
from secondread.tools.detect.cells.boxes import Detection, overlap, read_boxes
from secondread.tools.detect.cells.inference import assemble, detect, load_networks, probability
from secondread.tools.detect.cells.layout import KINDS, SIDES, STEM
from secondread.tools.detect.cells.smear import LONG_SIDE, as_rgb, to_input

MODEL = {
    "scores": {"white_cell": [1.0, 0.0], "platelet": [1.0, 0.0]},
    "count_error": {"white_cell": [0, 1], "platelet": [2, 2]},
    "level": 0.9,
}


def maps(*objects: tuple[int, float, float, float, float, float], size: tuple[int, int] = (60, 80)) -> Any:
    """Output of a network that sees (kind, score, left, top, right, bottom) in pixels of its input."""
    output = np.full((7, *size), -9.0, np.float32)
    for kind, score, *box in objects:
        left, top, right, bottom = np.array(box) / STEM
        x, y = int((left + right) / 2), int((top + bottom) / 2)
        output[kind, y, x] = np.log(score / (1 - score))
        output[SIDES, y, x] = np.log([x + 0.5 - left, y + 0.5 - top, right - x - 0.5, bottom - y - 0.5])
    return output


def smear() -> NDArray[np.float32]:
    """Pink red cells, one white cell with a purple nucleus, three platelets; 480 x 640."""
    from scipy import ndimage

    rng = np.random.default_rng(3)
    y, x = np.mgrid[:480, :640]
    field = np.full((480, 640, 3), (205, 200, 205), np.float32)
    for row in range(4):
        for column in range(5):
            cy, cx = 60 + 120 * row + rng.normal(0, 5), 60 + 128 * column + rng.normal(0, 5)
            if np.hypot(cy - 200, cx - 330) > 130:
                far = np.hypot(y - cy, x - cx)
                field[far < 48] = (190, 145, 150)
                field[far < 17] = (205, 175, 178)
    field[np.hypot(y - 200, x - 330) < 85] = (190, 170, 205)
    for dy, dx in ((-25, -20), (20, -25), (5, 28)):
        field[np.hypot(y - 200 - dy, x - 330 - dx) < 30] = (110, 60, 160)
    for cy, cx in ((120, 120), (380, 500), (330, 200)):
        field[np.hypot(y - cy, x - cx) < 16] = (140, 90, 175)
    field = ndimage.gaussian_filter(field, (2, 2, 0)) + rng.normal(0, 2, field.shape)
    return field.astype(np.float32)


@pytest.fixture(scope="module")
def networks() -> Any:
    try:
        return load_networks()
    except ToolUnavailable as error:
        pytest.skip(str(error))


def test_a_peak_and_its_sides_become_a_box_of_the_original() -> None:
    found = read_boxes(maps((0, 0.9, 100, 80, 180, 140)), 0.5, 480, 640)
    assert [d.kind for d in found] == ["white_cell"]
    assert found[0].score == pytest.approx(0.9, abs=1e-4)
    assert found[0].box == pytest.approx((200, 160, 360, 280), abs=0.1)


def test_boxes_are_clipped_to_the_image() -> None:
    found = read_boxes(maps((1, 0.8, -40, -20, 60, 80)), 0.5, 480, 640)
    assert found[0].box[:2] == (0, 0)


def test_one_cell_is_reported_once_and_of_the_surer_kind() -> None:
    twice = maps((0, 0.9, 100, 80, 180, 140), (0, 0.6, 108, 80, 188, 140), (1, 0.5, 100, 84, 180, 144))
    assert [(d.kind, round(d.score, 2)) for d in read_boxes(twice, 0.5, 480, 640)] == [("white_cell", 0.9)]


def test_a_white_cell_does_not_hide_a_red_one_beside_it() -> None:
    both = maps((0, 0.9, 100, 80, 180, 140), (2, 0.7, 150, 100, 200, 150))
    assert {d.kind for d in read_boxes(both, 0.5, 480, 640)} == {"white_cell", "red_cell"}


def test_a_red_box_on_a_white_cell_is_dropped() -> None:
    both = maps((0, 0.9, 100, 80, 180, 140), (2, 0.7, 104, 80, 184, 140))
    assert [d.kind for d in read_boxes(both, 0.5, 480, 640)] == ["white_cell"]


def test_overlap_of_known_boxes() -> None:
    assert overlap((0, 0, 2, 2), (0, 0, 2, 2)) == 1
    assert overlap((0, 0, 2, 2), (1, 0, 3, 2)) == pytest.approx(1 / 3)
    assert overlap((0, 0, 1, 1), (1, 0, 2, 1)) == 0


def test_counts_follow_the_calibrated_probability() -> None:
    boxes = [Detection("white_cell", 0.9, (10, 10, 60, 60)), Detection("white_cell", 0.3, (100, 10, 160, 60))]
    boxes += [Detection("red_cell", 0.9, (200, 200, 260, 260))]
    found = assemble(boxes, np.zeros((240, 320, 3), np.float32), 480, 640, MODEL)
    count = found.count("white_cell")
    assert (count.value, count.low, count.high) == (1, 1, 2)
    assert [c.kind for c in found.cells] == ["white_cell", "red_cell"]
    assert [round(c.probability or 0, 2) for c in found.doubtful] == [0.3]
    assert found.cells[0].box == (9.5, 9.5, 59.5, 59.5)
    assert found.cells[1].probability is None
    assert {c.kind for c in found.counts} == {"white_cell", "platelet"}
    sharper = assemble(boxes, np.zeros((240, 320, 3), np.float32), 480, 640, {**MODEL, "scores": {
        "white_cell": [1.0, 1.0], "platelet": [1.0, 0.0]}})  # fmt: skip
    assert sharper.count("white_cell").value == 2


def test_probability_rises_with_the_score() -> None:
    values = [probability(s, "platelet", {"scores": {"platelet": [1.7, -0.4]}}) for s in (0.0, 0.1, 0.5, 0.9, 1.0)]
    assert values == sorted(values) and 0 < values[0] < values[-1] < 1


def test_the_input_has_its_long_side_and_keeps_colour() -> None:
    shown, scale = to_input(smear())
    assert shown.shape == (240, LONG_SIDE, 3) and scale == 0.5
    assert 0 <= shown.min() <= shown.max() <= 1
    assert (shown[100, 165, 2] - shown[100, 165, 1]) > 0.1
    brighter, _ = to_input(smear() * 0.5 + 40)
    assert np.allclose(shown, brighter, atol=0.01)


@pytest.mark.parametrize("shape", [(40, 640, 3), (100, 640, 3), (640,), (200, 200, 2)])
def test_what_cannot_be_a_field_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(NotApplicable):
        as_rgb(np.zeros(shape))


def test_mirrored_maps_are_turned_back() -> None:
    from secondread.tools.detect.cells.inference import _maps

    class Sides(torch.nn.Module):
        """Says how far the brightest pixel is from each side of the field."""

        step = 32

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            h, w = x.shape[2] // 4, x.shape[3] // 4
            small = torch.nn.functional.avg_pool2d(x.float(), 4).mean(1)[0]
            y, column = divmod(int(small.argmax()), w)
            out = torch.zeros(1, 7, h, w)
            out[0, 0] = small
            out[0, SIDES] = torch.tensor([column, y, w - 1 - column, h - 1 - y]).float()[:, None, None]
            return out

    shown = np.zeros((64, 96, 3), np.float32)
    shown[8:12, 20:24] = 1
    output = _maps(Sides(), shown)  # type: ignore[arg-type]  # a stand-in network
    assert np.unravel_index(output[0].argmax(), output[0].shape) == (2, 5)
    assert output[SIDES, 0, 0].tolist() == [5, 2, 18, 13]
    assert len(KINDS) == 3


def test_a_drawn_smear_has_one_white_cell_and_three_platelets(networks: Any) -> None:
    found = detect(smear(), networks)
    white = [c for c in found.cells if c.kind == "white_cell"]
    assert found.count("white_cell").value == len(white) == 1
    assert overlap(white[0].box, (245, 115, 415, 285)) > 0.6
    assert found.count("platelet").low <= 3 <= found.count("platelet").high


def test_a_mirrored_smear_has_mirrored_cells(networks: Any) -> None:
    there, back = (detect(f, networks) for f in (smear(), np.ascontiguousarray(smear()[:, ::-1])))
    a, b = there.cells[0].box, back.cells[0].box
    assert b == pytest.approx((639 - a[2], a[1], 639 - a[0], a[3]), abs=8)


def test_grey_and_foreign_images_are_said_not_to_fit(networks: Any) -> None:
    rng = np.random.default_rng(1)
    for field in (np.zeros((240, 320)), rng.random((240, 320)), np.linspace(0, 1, 320)[None].repeat(240, 0)):
        found = detect(field.astype(np.float32), networks)
        assert not found.plausible and found.reasons


def test_a_network_that_is_not_loaded_is_refused(networks: Any) -> None:
    with pytest.raises(ToolUnavailable):
        detect(smear(), networks, members=[9])
    with pytest.raises(ToolUnavailable):
        detect(smear(), [], score_model=MODEL)
