"""A fully convolutional network on an image of any size: mirrored edges, tiles that overlap, flips averaged."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

    from secondread.tools.segment.unet_network import UNet

TILE = 768
"""Rows and columns that are computed at once; bounds memory on large images."""

MARGIN = 64
"""Pixels that neighbouring tiles share and that are cut off again, at least the reach of what the network looks at."""

FLIPS: tuple[tuple[int, ...], ...] = ((), (1,), (2,), (1, 2))
"""Axes of (channels, rows, columns) that are turned round; the maps are turned back and averaged."""


def logits(network: "UNet", image: NDArray[np.float32], flips: tuple[tuple[int, ...], ...] = FLIPS) -> "torch.Tensor":
    """Mean logits over flips.

    Args:
        network: In evaluation mode; its output has the size of its input.
        image: Shape (channels, rows, columns).
        flips: What to average over.

    Returns:
        float32 tensor (outputs, rows, columns).
    """
    import torch

    whole = torch.from_numpy(np.ascontiguousarray(image))
    total: torch.Tensor | None = None
    for axes in flips:
        found = _tiled(network, whole.flip(axes) if axes else whole)
        found = found.flip(axes) if axes else found
        total = found if total is None else total + found
    assert total is not None
    return total / len(flips)


def _tiled(network: "UNet", image: "torch.Tensor") -> "torch.Tensor":
    import torch

    rows, columns = image.shape[1:]
    if max(rows, columns) <= TILE + 2 * MARGIN:
        return _once(network, image)
    bands = []
    for top in range(0, rows, TILE):
        parts = []
        for left in range(0, columns, TILE):
            bottom, right = min(rows, top + TILE), min(columns, left + TILE)
            up, start = max(0, top - MARGIN), max(0, left - MARGIN)
            found = _once(network, image[:, up : bottom + MARGIN, start : right + MARGIN])
            parts.append(found[:, top - up : bottom - up, left - start : right - start])
        bands.append(torch.cat(parts, 2))
    return torch.cat(bands, 1)


def _once(network: "UNet", image: "torch.Tensor") -> "torch.Tensor":
    import torch
    from torch.nn import functional

    rows, columns = image.shape[1:]
    step = network.step
    below, right = -rows % step, -columns % step
    mode = "reflect" if rows > below and columns > right else "replicate"
    padded = functional.pad(image[None], (0, right, 0, below), mode=mode)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bf16()):
        found = network(padded.contiguous(memory_format=torch.channels_last))
    result: torch.Tensor = found[0].float()[:, :rows, :columns]
    return result


def bf16() -> bool:
    """Half precision only where the processor computes in it; elsewhere it is slower than float32."""
    import torch

    return bool(torch.cpu._is_avx512_bf16_supported()) if hasattr(torch.cpu, "_is_avx512_bf16_supported") else False
