"""Training of one nucleus network."""

from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from secondread.tools.segment.nuclei.network import CONTACT, CORE, INSIDE, build
from secondread.training.loop import Batch, Plan, train
from secondread.training.nuclei.augment import piece
from secondread.training.nuclei.data import Field

SEED = 40100
SIDE = 160
BATCH = 4
STAINED = 0.4
"""Share of a batch that is stained tissue: a quarter of the images, but the harder ones."""
PLAN = Plan(steps=1500)
CONTACT_WEIGHT = 4.0
"""Contact pixels are rare: one of them weighs as much as this many others."""


def loss_of(logits: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Cross entropy of the three maps plus soft Dice of inside and core, image by image."""
    targets = batch[1]
    total = functional.binary_cross_entropy_with_logits(logits[:, INSIDE], targets[:, INSIDE])
    total = total + functional.binary_cross_entropy_with_logits(
        logits[:, CONTACT], targets[:, CONTACT], pos_weight=torch.tensor(CONTACT_WEIGHT)
    )
    total = total + functional.binary_cross_entropy_with_logits(logits[:, CORE], targets[:, CORE])
    for part in (INSIDE, CORE):
        found, truth = logits[:, part].sigmoid(), targets[:, part]
        overlap, size = (found * truth).sum((1, 2)), found.sum((1, 2)) + truth.sum((1, 2))
        total = total + (1 - (2 * overlap + 50) / (size + 50)).mean()
    return total


def fit(fold: int, fields: list[Field], out: Path, plan: Plan = PLAN) -> dict[str, torch.Tensor]:
    """Averaged weights of the network that has not seen `fold`; goes on from a checkpoint in `out`."""
    inside = [f for f in fields if f.fold != fold]
    stained = [f for f in inside if f.appearance == "stained"]
    bright = [f for f in inside if f.appearance != "stained"]

    def draw(rng: np.random.Generator) -> Batch:
        pool = [stained if rng.random() < STAINED else bright for _ in range(BATCH)]
        pieces = [piece(fields[int(rng.integers(len(fields)))], SIDE, rng) for fields in pool]
        return torch.stack([p[0] for p in pieces]), torch.stack([p[1] for p in pieces])

    torch.manual_seed(SEED + fold)
    return train(
        f"nuclei fold {fold}",
        build(),
        plan,
        draw,
        loss_of,
        seed=SEED + fold,
        checkpoint=out / f"nuclei_fold{fold}.ckpt",
    )
