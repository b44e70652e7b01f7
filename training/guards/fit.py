"""Training one guard network, and the log-odds it gives to every image that is not held back."""

import hashlib
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from secondread.tools.classify.guard_input import prepare
from secondread.tools.classify.guard_network import GUARDS, build
from secondread.training.guards.arms import Arm, Sampler
from secondread.training.guards.augment import training_view
from secondread.training.guards.data import Images

BATCH = 64
RATE = 2e-3
SMOOTHING = 0.02
"""Label smoothing; keeps log-odds bounded."""


def seed_of(arm: str, fold: int) -> int:
    """The seed of one run, from its name."""
    return int(hashlib.sha256(f"{arm}/{fold}".encode()).hexdigest()[:8], 16)


def train(arm: Arm, images: Images, fold: int) -> nn.Module:
    """A network trained on the arm's pools without one fold."""
    seed, steps = seed_of(arm.name, fold), arm.steps
    torch.manual_seed(seed)
    rng = torch.Generator().manual_seed(seed)
    guard = GUARDS[arm.guard]
    net = build(guard).to(memory_format=torch.channels_last)
    sampler = Sampler(arm, images, fold, seed)
    optimiser = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=0.05)
    plan = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps, pct_start=0.15)
    net.train()
    for _ in range(steps):
        squares, aspects, labels = sampler.batch(BATCH)
        view = training_view(torch.from_numpy(squares), torch.from_numpy(aspects), guard.size, rng)
        target = torch.from_numpy(labels)[:, None] * (1 - 2 * SMOOTHING) + SMOOTHING
        loss = functional.binary_cross_entropy_with_logits(
            net(view.contiguous(memory_format=torch.channels_last)), target
        )
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        optimiser.step()
        plan.step()
    return net.eval()


@torch.inference_mode()
def log_odds(net: nn.Module, squares: NDArray[np.uint8], size: int) -> NDArray[np.float32]:
    """Log-odds of each square, shape (n,)."""
    parts = [net(prepare(squares[i : i + 128], size))[:, 0].numpy() for i in range(0, len(squares), 128)]
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def run_arm(arm: Arm, images: Images, out: Path) -> None:
    """Train the arm's networks that are not there yet; keep weights and log-odds of all but the val images."""
    for fold in arm.folds:
        file = out / f"{arm.name}_{fold}.pt"
        if file.is_file():
            continue
        started = time.perf_counter()
        net = train(arm, images, fold)
        readable = images.where(lambda i: i.split != "val")
        scores = np.full(len(images.items), np.nan, np.float32)
        scores[readable] = log_odds(net, images.squares[readable], GUARDS[arm.guard].size)
        record: dict[str, Any] = {"state": net.state_dict(), "scores": torch.from_numpy(scores), "steps": arm.steps}
        partial = file.with_suffix(".part")
        torch.save(record, partial)
        partial.rename(file)
        print(f"{arm.name} fold {fold}: {arm.steps} steps in {time.perf_counter() - started:.0f} s", flush=True)


def scores_of(arm: Arm, out: Path) -> NDArray[np.float32]:
    """Log-odds by fold, shape (folds, n images); NaN for images held back.

    Raises:
        FileNotFoundError: The arm has not been trained into `out`.
    """
    files = [torch.load(out / f"{arm.name}_{fold}.pt", weights_only=True) for fold in arm.folds]
    return np.stack([f["scores"].numpy() for f in files])
