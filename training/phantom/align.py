"""Groupwise alignment: one smooth displacement field per film, towards a mean chest that is found on the way.

Fields live on a square grid of `GRID` points over the film, in fractions of the film's side. `mean(p) = film(p + u(p))`
for a point p of the mean frame.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from secondread.training.phantom.data import Films

GRID = 33
DISTANCE_REACH = 48.0
"""Signed distances to a structure's border are clipped to this many pixels of the 512-pixel film."""


@dataclass(frozen=True)
class Stage:
    """One resolution of the alignment: image side, steps, step length, weight of the field's roughness."""

    side: int
    steps: int
    rate: float
    rough: float


STAGES = (Stage(64, 60, 0.01, 0.3), Stage(128, 50, 0.004, 0.15), Stage(192, 25, 0.002, 0.10))
_WEIGHTS = (3.0, 3.0, 3.0, 0.5, 0.6)
"""Right lung, left lung, heart (distances), grey, locally normalised grey (ribs, collar bones)."""


def channels(films: Films) -> NDArray[np.float16]:
    """What is aligned, float16, shape (n, 5, 256, 256): three clipped signed distances, grey, local contrast."""
    made = np.empty((len(films.grey), 5, 256, 256), dtype=np.float16)
    for index, (grey, labels) in enumerate(zip(films.grey, films.labels, strict=True)):
        for k in (1, 2, 3):
            mask = labels[::2, ::2] == k
            signed = ndimage.distance_transform_edt(~mask) - ndimage.distance_transform_edt(mask)
            made[index, k - 1] = np.clip(2.0 * signed / DISTANCE_REACH, -1.0, 1.0)
        half = ndimage.zoom(ndimage.gaussian_filter(grey, 0.8), 0.5, order=1)
        made[index, 3] = half - 0.5
        local = half - ndimage.gaussian_filter(half, 7.0)
        spread = np.sqrt(ndimage.gaussian_filter(local**2, 14.0)) + 0.01
        made[index, 4] = np.clip(local / spread, -2.5, 2.5) / 2.5
    return made


def align(films: Films, threads: int = 1, log: Any = print) -> NDArray[np.float32]:
    """Displacement fields, shape (n, 2, GRID, GRID): x then y, in fractions of the film's side."""
    import torch
    from torch.nn import functional as nn

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    every = torch.from_numpy(channels(films).astype(np.float32))
    count = every.shape[0]
    field = torch.zeros(count, 2, GRID, GRID, requires_grad=True)
    weights = torch.tensor(_WEIGHTS)[None, :, None, None]
    edge = torch.ones(2, GRID, GRID)
    edge[0, :, [0, -1]] = 0.0  # a film keeps its frame: no displacement across its border
    edge[1, [0, -1], :] = 0.0
    for stage in STAGES:
        small = nn.interpolate(every, size=(stage.side, stage.side), mode="area" if stage.side < 256 else "bilinear")
        axis = torch.linspace(-1.0, 1.0, stage.side)
        still = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), dim=-1)[None]
        adam = torch.optim.Adam([field], lr=stage.rate)
        template = None
        for step in range(stage.steps):
            adam.zero_grad()
            total, warped_sum = 0.0, torch.zeros(1, 5, stage.side, stage.side)
            for start in range(0, count, 26):
                part = field[start : start + 26] * edge
                dense = nn.interpolate(part, size=(stage.side, stage.side), mode="bicubic", align_corners=True)
                where = still + 2.0 * dense.permute(0, 2, 3, 1)
                warped = nn.grid_sample(small[start : start + 26], where, padding_mode="border", align_corners=True)
                warped_sum += warped.detach().sum(0, keepdim=True)
                if template is None:
                    continue
                apart = ((warped - template) ** 2 * weights).mean((2, 3)).sum()
                bent = _roughness(part) * stage.rough
                (apart + bent).backward()
                total += float(apart.detach())
            template = warped_sum / count
            if field.grad is None:
                continue
            adam.step()
            with torch.no_grad():
                field -= field.mean(0, keepdim=True)  # the mean chest is the mean: fields average to nothing
            if step % 10 == 0:
                log(f"side {stage.side} step {step}: {total / count:.4f}", flush=True)
    final: NDArray[np.float32] = (field * edge).detach().numpy().astype(np.float32)
    return final


def _roughness(part: Any) -> Any:
    """Sum over films of squared second differences, scaled to grid steps of 1 / (GRID - 1)."""
    scale = (GRID - 1) ** 2
    across = part[..., 2:] - 2 * part[..., 1:-1] + part[..., :-2]
    down = part[..., 2:, :] - 2 * part[..., 1:-1, :] + part[..., :-2, :]
    bend = (across**2).mean((1, 2, 3)) + (down**2).mean((1, 2, 3))
    return bend.sum() * scale * 0.25
