"""Training of one blood-cell network."""

from pathlib import Path

import numpy as np
import torch

from secondread.tools.detect.cells.layout import KINDS, SIDES
from secondread.tools.detect.cells.network import build
from secondread.training.cells.augment import maps_of, piece
from secondread.training.cells.data import Field
from secondread.training.loop import Batch, Plan, train

SEED = 40200
SIDE = 256
BATCH = 8
PLAN = Plan(steps=600)
RED_CELL_GROUND = 0.3
"""Weight of "no red cell here": many red cells have no box, so absence of one says little."""
BOX_WEIGHT = 2.0


def loss_of(output: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Focal loss of the heat maps (Zhou et al., Objects as Points, 2019) plus 1 - GIoU of the boxes.

    GIoU after Rezatofighi et al., CVPR 2019, over pixels near a middle, weighted by their heat.
    """
    _, heat, distance, weight = batch
    kinds = len(KINDS)
    truth, judged = heat[:, :kinds], heat[:, kinds:]
    p = output[:, :kinds].sigmoid().clamp(1e-4, 1 - 1e-4)
    top = (truth > 0.999).float()
    ground = torch.ones(1, kinds, 1, 1)
    ground[0, KINDS.index("red_cell")] = RED_CELL_GROUND
    hit = top * (1 - p) ** 2 * p.log()
    miss = (1 - top) * ground * judged * (1 - truth) ** 4 * p**2 * (1 - p).log()
    count = top.sum((0, 2, 3)).clamp_min(1.0)
    focal = -((hit + miss).sum((0, 2, 3)) / count).mean()
    found = output[:, SIDES].clamp(-4, 5).exp()
    width = torch.minimum(found[:, 0], distance[:, 0]) + torch.minimum(found[:, 2], distance[:, 2])
    height = torch.minimum(found[:, 1], distance[:, 1]) + torch.minimum(found[:, 3], distance[:, 3])
    hull_width = torch.maximum(found[:, 0], distance[:, 0]) + torch.maximum(found[:, 2], distance[:, 2])
    hull_height = torch.maximum(found[:, 1], distance[:, 1]) + torch.maximum(found[:, 3], distance[:, 3])
    shared = width * height
    union = (
        (found[:, 0] + found[:, 2]) * (found[:, 1] + found[:, 3])
        + (distance[:, 0] + distance[:, 2]) * (distance[:, 1] + distance[:, 3])
        - shared
    )
    hull = hull_width * hull_height
    giou = shared / union.clamp_min(1e-6) - (hull - union) / hull.clamp_min(1e-6)
    boxes = ((1 - giou) * weight).sum() / weight.sum().clamp_min(1.0)
    return focal + BOX_WEIGHT * boxes


def fit(fold: int, fields: list[Field], out: Path, plan: Plan = PLAN) -> dict[str, torch.Tensor]:
    """Averaged weights of the network that has not seen `fold`; goes on from a checkpoint in `out`."""
    inside = [f for f in fields if f.fold != fold]

    def draw(rng: np.random.Generator) -> Batch:
        pieces = [piece(inside[int(rng.integers(len(inside)))], SIDE, rng) for _ in range(BATCH)]
        images = torch.stack([p[0] for p in pieces])
        maps = [maps_of(boxes, classes, remains, SIDE) for _, boxes, classes, remains in pieces]
        return images, *(torch.stack([m[i] for m in maps]) for i in range(3))

    torch.manual_seed(SEED + fold)
    net = build()
    assert net.head.bias is not None
    with torch.no_grad():
        net.head.bias[: len(KINDS)] = -3.0  # objects are rare: the first steps need not learn that
        net.head.bias[SIDES] = 1.5
    return train(
        f"cells fold {fold}", net, plan, draw, loss_of, seed=SEED + fold, checkpoint=out / f"cells_fold{fold}.ckpt"
    )
