"""Train the network of one fold: supervised first, then also on unlabelled films that its own average has labelled."""

import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from secondread.tools.segment.grid import GRID, stretch
from secondread.training.anatomy.augment import draw_batch
from secondread.training.anatomy.data import MASK_SIZE, Films

IGNORE = 255
CHANNELS = (24, 48, 96, 160, 224)


@dataclass(frozen=True)
class Recipe:
    """What a training run does; stored beside the weights."""

    steps: int = 1500
    batch: int = 8
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    warmup: int = 60
    average: float = 0.99
    """Decay of the running average of the weights; the average is what ships."""
    switch: float = 0.45
    """Share of the steps after which unlabelled films join."""
    unlabelled_share: int = 3
    """Unlabelled films per batch after the switch."""
    unlabelled_films: int = 700
    sure: float = 0.75
    """Pixels whose highest class probability is lower are left out of the loss on unlabelled films."""
    calm: float = 0.75
    """Share of the steps after which augmentation is gentler, so that the last steps see films as they come."""
    calm_strength: float = 0.4
    seed: int = 20261


def build_net() -> nn.Module:
    """The MONAI network that is trained; `secondread.tools.segment.network` holds its twin for inference."""
    from monai.networks.nets import UNet

    net: nn.Module = UNet(
        spatial_dims=2, in_channels=1, out_channels=4, channels=CHANNELS, strides=(2, 2, 2, 2), num_res_units=2,
        norm="batch",
    )  # fmt: skip
    return net


def loss_of(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Cross entropy plus soft Dice (mean over the three structures, over the batch), ignoring pixels of value 255."""
    seen = target != IGNORE
    entropy = functional.cross_entropy(logits, target, ignore_index=IGNORE)
    probability = logits.softmax(1)[:, 1:] * seen[:, None]
    truth = torch.stack([(target == k) for k in (1, 2, 3)], 1).float()
    overlap = (probability * truth).sum((0, 2, 3))
    total = probability.sum((0, 2, 3)) + truth.sum((0, 2, 3))
    return entropy + 1 - ((2 * overlap + 1) / (total + 1)).mean()


class Average:
    """Running average of weights and of batch-norm statistics."""

    def __init__(self, net: nn.Module, decay: float) -> None:
        self.state = {k: v.detach().clone() for k, v in net.state_dict().items()}
        self.decay, self.count = decay, 0

    def update(self, net: nn.Module) -> None:
        """Take in the current weights; the decay rises with the number of updates."""
        self.count += 1
        decay = min(self.decay, (1 + self.count) / (10 + self.count))
        for key, value in net.state_dict().items():
            if value.dtype.is_floating_point:
                self.state[key].lerp_(value.detach(), 1 - decay)
            else:
                self.state[key].copy_(value)


def probabilities(net: nn.Module, images: NDArray[np.uint8], batch: int = 8) -> torch.Tensor:
    """Class probabilities, float32 (n, 4, 256, 256), of cached films."""
    net.eval()
    found = []
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        for start in range(0, len(images), batch):
            film = torch.from_numpy(images[start : start + batch])[:, None].float() / 255
            film = functional.interpolate(film, size=(GRID, GRID), mode="bilinear", antialias=True)
            film = torch.from_numpy(np.stack([stretch(f) for f in film[:, 0].numpy()]))[:, None]
            found.append(net(film.contiguous(memory_format=torch.channels_last)).float().softmax(1))
    return torch.cat(found)


def dice_of(net: nn.Module, films: Films) -> NDArray[np.float64]:
    """Dice of right lung, left lung and heart per film, shape (n, 3), at 512 pixels, without post-processing."""
    assert films.labels is not None
    scores = []
    for start in range(0, len(films.rows), 8):
        found = probabilities(net, films.images[start : start + 8])
        classes = functional.interpolate(found, size=(MASK_SIZE, MASK_SIZE), mode="bilinear").argmax(1).numpy()
        truth = films.labels[start : start + 8]
        scores.append(
            [[2 * ((f == k) & (t == k)).sum() / ((f == k).sum() + (t == k).sum()) for k in (1, 2, 3)]
             for f, t in zip(classes, truth, strict=True)]
        )  # fmt: skip
    return np.concatenate(scores)


def own_labels(net: nn.Module, images: NDArray[np.uint8], sure: float) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Labels that a network gives unlabelled films, unsure pixels set to ignore, and which films to use at all.

    A film is used when each structure covers a believable share of it and few of its pixels are unsure.
    """
    labels = np.empty((len(images), GRID, GRID), np.uint8)
    usable = np.zeros(len(images), bool)
    for start in range(0, len(images), 16):
        found = probabilities(net, images[start : start + 16])
        top, kind = found.max(1)
        kind8 = kind.numpy().astype(np.uint8)
        shares = [(kind8 == k).mean((1, 2)) for k in (1, 2, 3)]
        unsure = (top < sure).numpy()
        kind8[unsure] = IGNORE
        labels[start : start + 16] = kind8
        usable[start : start + 16] = (
            (shares[0] > 0.05) & (shares[1] > 0.04) & (shares[2] > 0.025) & (unsure.mean((1, 2)) < 0.08)
        )
    return labels, usable


def _rate(step: int, recipe: Recipe) -> float:
    """Learning rate: linear warm-up, then a linear fall to zero."""
    if step < recipe.warmup:
        return recipe.learning_rate * (step + 1) / recipe.warmup
    done = (step - recipe.warmup) / max(1, recipe.steps - recipe.warmup)
    return recipe.learning_rate * (1 - done)


def fit(
    fold: int, labelled: Films, held: Films, unlabelled: Films | None, recipe: Recipe, *, quick: bool = False
) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Train on `labelled` (and `unlabelled`), report on `held`.

    Args:
        fold: Enters the seed.
        labelled: Films of the other folds, with labels.
        held: Films of this fold; only measured, never chosen by.
        unlabelled: Films without labels, or None.
        recipe: What to do.
        quick: Do not compile the network.

    Returns:
        The averaged weights and a log (seconds, loss, Dice of the held films at some steps).
    """
    assert labelled.labels is not None
    torch.manual_seed(recipe.seed + fold)
    rng = np.random.default_rng(recipe.seed + fold)
    net = build_net().to(memory_format=torch.channels_last)
    forward = net if quick else torch.compile(net)
    shadow = build_net()
    average = Average(net, recipe.average)
    optimiser = torch.optim.AdamW(net.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    started = time.time()
    log: list[dict[str, Any]] = []
    losses: list[float] = []
    order: list[int] = []
    switch = round(recipe.switch * recipe.steps)
    extra_images: NDArray[np.uint8] | None = None
    extra_labels: NDArray[np.uint8] | None = None

    def draw(count: int) -> list[int]:
        while len(order) < count:
            order.extend(rng.permutation(len(labelled.rows)).tolist())
        return [order.pop(0) for _ in range(count)]

    for step in range(recipe.steps):
        if step == switch and unlabelled is not None:
            shadow.load_state_dict(average.state)
            picked = rng.permutation(len(unlabelled.rows))[: recipe.unlabelled_films]
            marks, usable = own_labels(shadow, unlabelled.images[picked], recipe.sure)
            extra_images, extra_labels = unlabelled.images[picked][usable], marks[usable]
            log.append({"step": step, "unlabelled_used": int(usable.sum()), "of": len(picked)})
            print(f"fold {fold} step {step}: {usable.sum()} of {len(picked)} unlabelled films join", flush=True)
        extra = recipe.unlabelled_share if extra_images is not None else 0
        rows = draw(recipe.batch - extra)
        strength = recipe.calm_strength if step >= recipe.calm * recipe.steps else 1.0
        film, target = draw_batch(labelled.images[rows], labelled.labels[rows], GRID, rng, strength)
        if extra_images is not None and extra_labels is not None:
            others = rng.integers(0, len(extra_images), extra)
            more_film, more_target = draw_batch(extra_images[others], extra_labels[others], GRID, rng, strength)
            film, target = torch.cat([film, more_film]), torch.cat([target, more_target])
        for group in optimiser.param_groups:
            group["lr"] = _rate(step, recipe)
        net.train()
        with torch.autocast("cpu", torch.bfloat16):
            logits = forward(film.contiguous(memory_format=torch.channels_last))
        loss = loss_of(logits.float(), target)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch ships this method without annotations
        nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        average.update(net)
        losses.append(float(loss.detach()))
        if (step + 1) % 150 == 0 or step + 1 == recipe.steps:
            shadow.load_state_dict(average.state)
            scores = dice_of(shadow, held).mean(0)
            line = {
                "step": step + 1, "seconds": round(time.time() - started, 1),
                "loss": round(float(np.mean(losses[-150:])), 4), "held_dice": [round(float(s), 4) for s in scores],
            }  # fmt: skip
            log.append(line)
            print(f"fold {fold} {line}", flush=True)
    return average.state, {"recipe": asdict(recipe), "fold": fold, "log": log}
