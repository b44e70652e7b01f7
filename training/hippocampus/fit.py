"""Training of one hippocampus network."""

from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from secondread.tools.segment.hippocampus.grid import normalise
from secondread.tools.segment.hippocampus.network import HippocampusNet
from secondread.training.hippocampus.augment import prepare, view
from secondread.training.hippocampus.data import Case
from secondread.training.loop import Batch, Plan, train

SEED = 40300
BATCH = 4
PLAN = Plan(steps=1000, learning_rate=3e-3)
"""4,000 views: about 24 of each crop."""


def loss_of(logits: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Cross entropy plus soft Dice of both parts, each over the whole batch."""
    target = batch[1]
    entropy = functional.cross_entropy(logits, target)
    probability = logits.softmax(1)[:, 1:]
    truth = torch.stack([(target == k).float() for k in (1, 2)], 1)
    overlap = (probability * truth).sum((0, 2, 3, 4))
    total = probability.sum((0, 2, 3, 4)) + truth.sum((0, 2, 3, 4))
    return entropy + 1 - ((2 * overlap + 1) / (total + 1)).mean()


def fit(fold: int, cases: list[Case], out: Path, plan: Plan = PLAN) -> dict[str, torch.Tensor]:
    """Averaged weights of the network that has not seen `fold`; goes on from a checkpoint in `out`."""
    prepared = [prepare(normalise(c.values), c.labels) for c in cases if c.fold != fold]
    order: list[int] = []

    def draw(rng: np.random.Generator) -> Batch:
        while len(order) < BATCH:
            order.extend(rng.permutation(len(prepared)).tolist())
        views = [view(prepared[order.pop(0)], rng) for _ in range(BATCH)]
        return torch.stack([v[0] for v in views]), torch.stack([v[1] for v in views])

    torch.manual_seed(SEED + fold)
    return train(
        f"hippocampus fold {fold}", HippocampusNet(), plan, draw, loss_of, seed=SEED + fold,
        checkpoint=out / f"hippocampus_fold{fold}.ckpt", layout=torch.contiguous_format,
    )  # fmt: skip
