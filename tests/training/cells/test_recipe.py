"""Annotations, pieces, maps and loss of the blood-cell recipe, on drawn data."""

from pathlib import Path

import numpy as np
import torch

from secondread.tools.detect.cells.boxes import overlap, read_boxes
from secondread.tools.detect.cells.layout import SIDES
from secondread.training.cells.augment import maps_of, piece
from secondread.training.cells.data import Field
from secondread.training.cells.data import read_boxes as read_annotation
from secondread.training.cells.fit import loss_of


def field() -> Field:
    """A blue square (white cell) and a green one (platelet) on grey."""
    image = np.full((240, 320, 3), 120, np.uint8)
    image[60:120, 80:160] = (20, 20, 250)
    image[150:170, 200:220] = (20, 250, 20)
    boxes = np.array([[160, 120, 320, 240], [400, 300, 440, 340]], np.float32)
    return Field("a", "a", 0, image, 0.5, boxes, np.array([0, 1]))


def test_boxes_without_area_and_unknown_kinds_are_left_out(tmp_path: Path) -> None:
    def thing(name: str, *v: int) -> str:
        tags = zip(("xmin", "ymin", "xmax", "ymax"), v, strict=True)
        inside = "".join(f"<{t}>{n}</{t}>" for t, n in tags)
        return f"<object><name>{name}</name><bndbox>{inside}</bndbox></object>"

    text = thing("WBC", 11, 21, 40, 60) + thing("RBC", 5, 5, 5, 5) + thing("Dust", 1, 1, 9, 9)
    (tmp_path / "a.xml").write_text(f"<annotation>{text}</annotation>")
    boxes, classes = read_annotation(tmp_path / "a.xml")
    assert boxes.tolist() == [[10, 20, 40, 60]] and classes.tolist() == [0]


def test_boxes_follow_the_picture_through_every_turn() -> None:
    rng = np.random.default_rng(0)
    seen = 0
    for _ in range(60):
        image, boxes, classes, _ = piece(field(), 128, rng)
        for (left, top, right, bottom), kind in zip(boxes, classes, strict=True):
            inner = image[:, int(top) + 2 : int(bottom) - 2, int(left) + 2 : int(right) - 2]
            if inner.numel() and float(image.std(0).mean()) > 0.02:  # not one of those made grey
                mean = inner.mean((1, 2))
                other = mean[1 if kind == 0 else 2]
                seen += 1
                assert mean[2 if kind == 0 else 1] > other
    assert seen > 20


def test_maps_give_back_the_boxes_they_were_made_from() -> None:
    boxes = np.array([[20, 30, 100, 90], [120, 10, 140, 34]], np.float32)
    heat, distance, weight = maps_of(boxes, np.array([0, 1]), np.zeros((0, 4), np.float32), 160)
    p = heat[:3].clamp(1e-4, 1 - 1e-4)
    output = torch.cat([torch.log(p / (1 - p)), torch.log(distance)]).numpy()
    found = {d.kind: d.box for d in read_boxes(output, 1.0, 160, 160)}
    assert overlap(found["white_cell"], (20, 30, 100, 90)) > 0.99
    assert overlap(found["platelet"], (120, 10, 140, 34)) > 0.99
    assert weight.max() == 1 and weight[0, 0] == 0


def test_remains_are_not_judged() -> None:
    heat, _, _ = maps_of(np.zeros((0, 4), np.float32), np.zeros(0, int), np.array([[0, 0, 16, 16]], np.float32), 64)
    assert heat[3, :4, :4].sum() == 0 and heat[3].sum() == 16 * 16 - 16


def test_loss_prefers_the_truth() -> None:
    boxes = np.array([[20, 30, 100, 90]], np.float32)
    heat, distance, weight = (m[None] for m in maps_of(boxes, np.array([0]), np.zeros((0, 4), np.float32), 160))
    output = torch.zeros(1, 7, 40, 40)
    output[:, :3] = 16 * (heat[:, :3] > 0.99).float() - 8
    output[:, SIDES] = torch.log(distance)
    batch = (torch.zeros(1, 3, 160, 160), heat, distance, weight)
    right = loss_of(output, batch)
    shifted = output.clone()
    shifted[:, SIDES] += 0.7
    missed = output.clone()
    missed[:, :3] = -8
    assert right < 0.05 < loss_of(shifted, batch)
    assert right + 1 < loss_of(missed, batch)
