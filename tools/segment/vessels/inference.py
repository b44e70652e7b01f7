"""A colour fundus photograph to a vessel mask and its measures.

The field of view is found, its green channel brought to a standard size and evened out, and every network looks at it
plain and mirrored; the mean is the answer. Vessels are measured on the standard grid.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from secondread.schema.errors import NotMeasurable, ToolUnavailable
from secondread.tools.segment.vessels.appearance import Frame, padded, prepare, resampled
from secondread.tools.segment.vessels.field import Field, as_rgb, field_of
from secondread.tools.segment.vessels.measures import Shape, shape_of
from secondread.tools.segment.vessels.plausible import judge

if TYPE_CHECKING:
    from secondread.tools.segment.vessels.network import VesselNet

MIRRORS: tuple[tuple[int, ...], ...] = ((), (3,))
"""Axes that are turned round for each look, and back."""
MIN_PIECE = 30
"""Pixels of the standard grid; smaller pieces of mask are taken out as speckle."""


@dataclass(frozen=True)
class VesselResult:
    """What was found on one photograph.

    Attributes:
        mask: Vessels, bool on the grid of the photograph.
        field: The field of view.
        uncertainty: float32 on the grid of the photograph: entropy of the mean probability, 0 sure to 1; 0 outside the
            field of view.
        mean_uncertainty: Its mean inside the mask, 1.0 when nothing was found.
        network_uncertainty: The same of each network by itself, averaged over the networks; error models use it.
        shape: Measures on the standard grid; None when nothing could be measured.
        scale: Photograph pixels per pixel of the standard grid.
        plausible: Whether amount and thickness are those of retinal vessels.
        reasons: Why not.
    """

    mask: NDArray[np.bool_]
    field: Field
    uncertainty: NDArray[np.float32]
    mean_uncertainty: float
    network_uncertainty: float
    shape: Shape | None
    scale: float
    plausible: bool
    reasons: tuple[str, ...]


def segment(
    pixels: NDArray[np.generic], networks: "Mapping[int, VesselNet]", members: Sequence[int] | None = None
) -> VesselResult:
    """Segment one photograph.

    Args:
        pixels: Shape (rows, columns, 3 or 4), red, green, blue, any range.
        networks: From `load_networks`.
        members: Which of them to use; None: all. A photograph of the training set must be given to the one network
            that has not seen it.

    Raises:
        NotApplicable: No colour photograph with one round field of view of the colours of a retina.
        ToolUnavailable: A member was asked for that is not among `networks`, or there is none.
    """
    used = sorted(networks) if members is None else sorted(set(members))
    missing = [m for m in used if m not in networks]
    if missing or not used:
        raise ToolUnavailable(f"No vessel network {missing or ''} is loaded.".replace("  ", " "))
    rgb = as_rgb(pixels)
    field = field_of(rgb)
    green, inside, frame = prepare(rgb, field)
    every = np.stack([_probability(networks[m], green) for m in used])
    mean = every.mean(0)
    grid_mask = _cleaned((mean > 0.5) & inside)
    unsure = np.where(inside, _entropy(mean), 0).astype(np.float32)
    alone = float(np.mean([_entropy(one)[grid_mask].mean() for one in every])) if grid_mask.any() else 1.0
    shape = _shape(grid_mask, inside)
    plausible, reasons = judge(shape, field.diameter / frame.scale, alone)
    mask = _back(np.where(_kept(grid_mask, mean), mean, 0.0).astype(np.float32), frame, field) > 0.5
    return VesselResult(
        mask=mask & field.mask,
        field=field,
        uncertainty=_back(unsure, frame, field),
        mean_uncertainty=float(unsure[grid_mask].mean()) if grid_mask.any() else 1.0,
        network_uncertainty=alone,
        shape=shape,
        scale=frame.scale,
        plausible=plausible,
        reasons=reasons,
    )


def _shape(mask: NDArray[np.bool_], inside: NDArray[np.bool_]) -> Shape | None:
    try:
        return shape_of(mask, inside)
    except NotMeasurable:
        return None


def _probability(network: "VesselNet", green: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vessel probability (h, w), mean over looks."""
    import torch

    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=_bf16()):
        whole = torch.from_numpy(padded(green))[None, None]
        looks = torch.cat([whole.flip(axes) if axes else whole for axes in MIRRORS])
        found = network(looks.contiguous(memory_format=torch.channels_last)).float().sigmoid()
        back = [one[None].flip(axes) if axes else one[None] for one, axes in zip(found, MIRRORS, strict=True)]
        mean = torch.cat(back).mean(0)[0, : green.shape[0], : green.shape[1]]
    return np.asarray(mean.numpy(), np.float32)


def _bf16() -> bool:
    """Half precision only where the processor computes in it; elsewhere it is slower than float32."""
    import torch

    return bool(torch.cpu._is_avx512_bf16_supported()) if hasattr(torch.cpu, "_is_avx512_bf16_supported") else False


def _cleaned(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Without pieces too small to be told from speckle."""
    from scipy import ndimage

    labels, _ = ndimage.label(mask, np.ones((3, 3), int))
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    kept: NDArray[np.bool_] = sizes[labels] >= MIN_PIECE
    return kept


def _kept(mask: NDArray[np.bool_], mean: NDArray[np.float32]) -> NDArray[np.bool_]:
    """The mask, and the less probable pixels around it that give its border a place between pixels when enlarged."""
    return mask | (mean <= 0.5)


def _back(values: NDArray[np.float32], frame: Frame, field: Field) -> NDArray[np.float32]:
    """A map of the standard grid on the photograph, zero outside the frame."""
    whole = np.zeros(field.mask.shape, np.float32)
    part = resampled(values, (frame.rows, frame.columns))
    whole[frame.top : frame.top + frame.rows, frame.left : frame.left + frame.columns] = part
    return whole


def _entropy(probability: NDArray[np.float32]) -> NDArray[np.float32]:
    """Binary entropy, 0 sure to 1 even."""
    p = np.clip(probability, 1e-7, 1 - 1e-7)
    return np.asarray(-(p * np.log(p) + (1 - p) * np.log(1 - p)) / math.log(2), np.float32)
