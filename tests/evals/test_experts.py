"""Figures of the nucleus, blood-cell and nerve evaluations on drawn rows of known answer."""

import numpy as np
import pytest

from secondread.evals import cells, nerves, nuclei
from secondread.tools.detect.cells.boxes import Detection
from secondread.training.cells.data import Field


def squares(*places: tuple[int, int, int]) -> np.ndarray:
    labels = np.zeros((60, 60), np.int32)
    for number, (top, left, side) in enumerate(places, 1):
        labels[top : top + side, left : left + side] = number
    return labels


def test_only_nuclei_that_overlap_by_half_are_hits() -> None:
    drawn = squares((0, 0, 10), (20, 20, 10), (40, 40, 10))
    found = squares((0, 0, 10), (20, 26, 10), (40, 41, 10))
    assert nuclei.hits(found, drawn) == 2
    assert nuclei.hits(np.zeros_like(drawn), drawn) == 0


def test_the_floor_finds_separate_bright_discs() -> None:
    y, x = np.mgrid[:80, :80]
    grey = np.full((80, 80), 0.1, np.float32)
    for cy, cx in ((20, 20), (20, 60), (60, 40)):
        grey[np.hypot(y - cy, x - cx) < 9] = 0.9
    assert nuclei.otsu_watershed(grey).max() == 3


def test_count_model_and_figures_of_known_counts() -> None:
    rows = [
        nuclei.Row(
            f"{i}", i % 5, "stained" if i % 2 else "fluorescence", 24, 24 + (i % 3 - 1) * 5, 0.9, 100, 20, 0.8, 30
        )
        for i in range(60)
    ]
    model = nuclei.count_parameters(rows)
    assert model["q"]["stained"] == pytest.approx(5 / np.sqrt(20), abs=1e-3)
    found = nuclei.figures(rows)
    assert found["all: count error, mean absolute"]["value"] == pytest.approx(10 / 3, abs=1e-3)
    assert found["all: foreground Dice"]["value"] == 0.9
    assert found["fluorescence: floor, Otsu + watershed count error"]["value"] == 6
    assert found["all without fold 0: foreground Dice"]["n"] == 48


def field(fold: int, name: str) -> Field:
    boxes = np.array([[10, 10, 60, 60], [100, 100, 130, 130]], np.float32)
    return Field(name, name, fold, np.zeros((240, 320, 3), np.uint8), 0.5, boxes, np.array([0, 1]))


def test_a_drawn_box_is_hit_once_and_only_by_its_kind() -> None:
    found = [
        Detection("white_cell", 0.8, (12, 12, 60, 60)),
        Detection("white_cell", 0.9, (10, 10, 58, 58)),
        Detection("white_cell", 0.7, (100, 100, 130, 130)),
        Detection("platelet", 0.6, (104, 100, 130, 130)),
    ]
    row = cells.row_of(field(0, "a"), found)
    assert [(d.score, hit) for d, hit in zip(row.found, row.hits, strict=True)] == [
        (0.9, True), (0.8, False), (0.7, False), (0.6, True),
    ]  # fmt: skip
    assert row.drawn == {"white_cell": 1, "platelet": 1, "red_cell": 0}


def test_precision_and_recall_of_known_boxes() -> None:
    rows = []
    for i in range(50):
        found = [Detection("white_cell", 0.95, (10, 10, 60, 60)), Detection("white_cell", 0.12, (200, 200, 260, 260))]
        found.append(Detection("platelet", 0.9 if i % 2 else 0.15, (100, 100, 130, 130) if i % 2 else (0, 0, 20, 20)))
        rows.append(cells.row_of(field(i % 5, str(i)), found))
    made = cells.figures(rows)
    assert made["white_cell: precision at IoU 0.5"]["value"] == 1
    assert made["white_cell: recall at IoU 0.5"]["value"] == 1
    assert made["white_cell: fields with the exact count"]["value"] == 1
    assert made["platelet: recall at IoU 0.5"]["value"] == 0.5
    assert cells.parameters(rows)["count_error"] == {"white_cell": [0, 0], "platelet": [0, 1]}


def test_pieces_are_matched_and_areas_compared() -> None:
    drawn, found = np.zeros((80, 80), bool), np.zeros((80, 80), bool)
    drawn[10:30, 10:30] = drawn[50:60, 50:60] = True
    found[10:30, 10:28] = found[50:60, 58:70] = True
    maps = np.full((3, 80, 80), 0.3, np.float32)
    pieces, many = nerves.match(found, drawn, maps, "nerve")
    assert [hit for _, hit in pieces] == [True, False] and many == 2
    row = nerves.Row("a", "a", 0, "nerve", 0.8, 200, 100, pieces, many)
    assert row.log_error == pytest.approx(np.log(2))
    assert nerves.Row("a", "a", 0, "nerve", 0.0, 200, 0, (), 0).log_error == float("inf")
