"""Training of one vessel network."""

from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from secondread.tools.segment.vessels.network import VesselNet
from secondread.training.loop import Batch, Plan, train
from secondread.training.vessels.augment import piece, prepare
from secondread.training.vessels.data import Eye

SEED = 40400
BATCH = 8
PLAN = Plan(steps=500, learning_rate=3e-3)
"""4,000 pieces of 256 x 256 pixels: each field of view about 18 times."""


def loss_of(logits: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Cross entropy plus soft Dice over the batch, both within the field of view."""
    truth, inside = batch[1][:, :1], batch[1][:, 1:]
    entropy = functional.binary_cross_entropy_with_logits(logits, truth, weight=inside, reduction="sum")
    probability = logits.sigmoid() * inside
    overlap, total = (probability * truth).sum(), probability.sum() + truth.sum()
    return entropy / inside.sum().clamp_min(1) + 1 - (2 * overlap + 1) / (total + 1)


def fit(fold: int, eyes: list[Eye], out: Path, plan: Plan = PLAN) -> dict[str, torch.Tensor]:
    """Averaged weights of the network that has not seen `fold`; goes on from a checkpoint in `out`."""
    prepared = [prepare(e) for e in eyes if e.fold != fold]
    order: list[int] = []

    def draw(rng: np.random.Generator) -> Batch:
        while len(order) < BATCH:
            order.extend(rng.permutation(len(prepared)).tolist())
        pieces = torch.stack([piece(prepared[order.pop(0)], rng) for _ in range(BATCH)])
        return pieces[:, :1], pieces[:, 1:]

    torch.manual_seed(SEED + fold)
    return train(
        f"vessels fold {fold}", VesselNet(), plan, draw, loss_of, seed=SEED + fold,
        checkpoint=out / f"vessels_fold{fold}.ckpt",
    )  # fmt: skip
