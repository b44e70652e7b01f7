"""One resumable training run: AdamW, warm-up and linear fall, a running average of the weights, checkpoints."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from secondread.training.anatomy.fit import Average

Batch = tuple[torch.Tensor, ...]
Draw = Callable[[np.random.Generator], Batch]
"""Makes one batch; the first tensor is the network's input."""
Loss = Callable[[torch.Tensor, Batch], torch.Tensor]
"""Loss of the float32 output of the network, given the whole batch."""


@dataclass(frozen=True)
class Plan:
    """How long and how fast a network is trained."""

    steps: int
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    warmup: int = 50
    average: float = 0.99
    """Decay of the running average of the weights; the average is what ships."""
    clip: float = 5.0
    """Largest norm of a gradient."""

    def rate(self, step: int) -> float:
        """Learning rate: linear warm-up, then a linear fall to zero."""
        if step < self.warmup:
            return self.learning_rate * (step + 1) / self.warmup
        return self.learning_rate * (1 - (step - self.warmup) / max(1, self.steps - self.warmup))


def train(
    name: str, net: nn.Module, plan: Plan, draw: Draw, loss_of: Loss, *, seed: int, checkpoint: Path, every: int = 100,
    layout: torch.memory_format = torch.channels_last,
) -> dict[str, torch.Tensor]:  # fmt: skip
    """Train to the end of the plan, going on from `checkpoint` if it is there.

    Args:
        name: Shown in the log lines.
        net: Freshly made; its weights are overwritten by a checkpoint.
        plan: Steps and rates.
        draw: Source of batches; gets a generator whose state is kept in the checkpoint.
        loss_of: The loss.
        seed: Of the batches. The caller seeds torch before it makes `net`.
        checkpoint: File that is written every `every` steps and at the end.
        every: Steps between log lines and checkpoints.
        layout: Of weights and input; `torch.contiguous_format` for volumes, whose tensors have five dimensions.

    Returns:
        The averaged weights.
    """
    rng = np.random.default_rng(seed)
    net = net.to(memory_format=layout)
    average = Average(net, plan.average)
    optimiser = torch.optim.AdamW(net.parameters(), lr=plan.learning_rate, weight_decay=plan.weight_decay)
    first, seconds = 0, 0.0
    if checkpoint.is_file():
        kept: dict[str, Any] = torch.load(checkpoint, weights_only=True)
        net.load_state_dict(kept["net"])
        optimiser.load_state_dict(kept["optimiser"])
        average.state, average.count = kept["average"], kept["step"]
        rng.bit_generator.state = kept["rng"]
        first, seconds = kept["step"], kept["seconds"]
    started, losses = time.perf_counter() - seconds, list[float]()
    net.train()
    for step in range(first, plan.steps):
        batch = draw(rng)
        for group in optimiser.param_groups:
            group["lr"] = plan.rate(step)
        with torch.autocast("cpu", torch.bfloat16):
            output = net(batch[0].contiguous(memory_format=layout))
        loss = loss_of(output.float(), batch)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch ships this method without annotations
        nn.utils.clip_grad_norm_(net.parameters(), plan.clip)
        optimiser.step()
        average.update(net)
        losses.append(float(loss.detach()))
        if (step + 1) % every == 0 or step + 1 == plan.steps:
            seconds = time.perf_counter() - started
            mean = float(np.mean(losses[-every:]))
            print(f"{name} step {step + 1}/{plan.steps}: loss {mean:.4f}, {seconds:.0f} s", flush=True)
            _keep(checkpoint, net, optimiser, average, rng, step + 1, seconds)
    return average.state


def _keep(
    path: Path, net: nn.Module, optimiser: torch.optim.Optimizer, average: Average, rng: np.random.Generator,
    step: int, seconds: float,
) -> None:  # fmt: skip
    """Write a checkpoint so that a run that is cut off leaves a whole one."""
    partial = path.with_suffix(".part")
    torch.save(
        {
            "net": net.state_dict(), "optimiser": optimiser.state_dict(), "average": average.state,
            "rng": dict(rng.bit_generator.state), "step": step, "seconds": seconds,
        },
        partial,
    )  # fmt: skip
    partial.rename(path)
