"""A run that is cut off goes on to the weights of a run that was not."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from secondread.training.loop import Batch, Plan, train


def draw(rng: np.random.Generator) -> Batch:
    x = torch.from_numpy(rng.normal(0, 1, (4, 1, 8, 8)).astype(np.float32))
    return x, 3 * x


def loss_of(output: torch.Tensor, batch: Batch) -> torch.Tensor:
    return ((output - batch[1]) ** 2).mean()


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Conv2d(1, 1, 1)


def test_a_run_that_is_cut_off_ends_with_the_same_weights(tmp_path: Path) -> None:
    plan = Plan(steps=40, learning_rate=0.05, warmup=5, average=0.9)
    whole = train("whole", net(), plan, draw, loss_of, seed=1, checkpoint=tmp_path / "whole.ckpt", every=10)

    class CutOff(Exception):
        pass

    drawn = 0

    def until(rng: np.random.Generator) -> Batch:
        nonlocal drawn
        drawn += 1
        if drawn > 25:
            raise CutOff
        return draw(rng)

    path = tmp_path / "cut.ckpt"
    with pytest.raises(CutOff):
        train("cut", net(), plan, until, loss_of, seed=1, checkpoint=path, every=10)
    assert torch.load(path, weights_only=True)["step"] == 20
    resumed = train("cut", net(), plan, draw, loss_of, seed=1, checkpoint=path, every=10)
    for key, value in whole.items():
        assert torch.equal(value, resumed[key]), key


def test_training_learns_what_is_there_to_learn(tmp_path: Path) -> None:
    plan = Plan(steps=200, learning_rate=0.05, warmup=5, average=0.9, weight_decay=0.0)
    state = train("line", net(), plan, draw, loss_of, seed=1, checkpoint=tmp_path / "line.ckpt", every=100)
    assert float(state["weight"]) == pytest.approx(3, abs=0.1)
    assert plan.rate(199) < 0.01 * plan.learning_rate < plan.rate(0)
