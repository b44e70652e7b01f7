"""Training of one nerve and vessel network."""

from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from secondread.tools.segment.nerves.network import CLASSES, build
from secondread.training.loop import Batch, Plan, train
from secondread.training.nerves.augment import view
from secondread.training.nerves.data import Scan

SEED = 40300
SIDE = 192
BATCH = 4
PLAN = Plan(steps=1800)


def loss_of(logits: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Cross entropy plus soft Dice of nerve and vessel, over the batch."""
    target = batch[1]
    entropy = functional.cross_entropy(logits, target)
    probability = logits.softmax(1)[:, 1:]
    truth = torch.stack([(target == k) for k in range(1, CLASSES)], 1).float()
    overlap, size = (probability * truth).sum((0, 2, 3)), probability.sum((0, 2, 3)) + truth.sum((0, 2, 3))
    return entropy + 1 - ((2 * overlap + 1) / (size + 1)).mean()


def fit(fold: int, scans: list[Scan], out: Path, plan: Plan = PLAN) -> dict[str, torch.Tensor]:
    """Averaged weights of the network that has not seen `fold`; goes on from a checkpoint in `out`."""
    inside = [s for s in scans if s.fold != fold]

    def draw(rng: np.random.Generator) -> Batch:
        views = [view(inside[int(rng.integers(len(inside)))], SIDE, rng) for _ in range(BATCH)]
        return torch.stack([v[0] for v in views]), torch.stack([v[1] for v in views])

    torch.manual_seed(SEED + fold)
    return train(
        f"nerves fold {fold}",
        build(),
        plan,
        draw,
        loss_of,
        seed=SEED + fold,
        checkpoint=out / f"nerves_fold{fold}.ckpt",
    )
