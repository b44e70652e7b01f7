"""An MR crop around one hippocampus to masks of its anterior and posterior part, with volumes of single looks.

Each network looks at the crop four times: plain, mirrored, and at two places of its grid, once mirrored. The mean of
all looks is the answer. The spread of a volume over the looks of one network tells how the network bears such changes.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from secondread.schema.errors import ToolUnavailable
from secondread.tools.segment.hippocampus.grid import Turn, from_grid, to_grid
from secondread.tools.segment.hippocampus.network import STEP
from secondread.tools.segment.hippocampus.plausible import judge
from secondread.tools.segment.hippocampus.valid import check

if TYPE_CHECKING:
    import torch

    from secondread.tools.segment.hippocampus.network import HippocampusNet

STRUCTURES = ("anterior_hippocampus", "posterior_hippocampus")
"""Classes 1 and 2 of the network."""
ROOM = 4
"""Voxels of repeated border along each axis, at least: the room for looks at other places of the grid."""


@dataclass(frozen=True)
class Look:
    """How a network is shown the crop.

    Attributes:
        name: Shown in the sample's source.
        mirrored: Right and left exchanged.
        place: Where the crop lies in the room of the padded grid: 0 at its low end, 1 at its high end.
    """

    name: str
    mirrored: bool = False
    place: float = 0.5


LOOKS = (Look("plain"), Look("mirrored", True), Look("low", False, 0.0), Look("high, mirrored", True, 1.0))


@dataclass(frozen=True)
class Sample:
    """What one look of one network makes of the volumes.

    Attributes:
        member: Number of the network.
        look: Name of the look.
        volumes_mm3: Of each structure.
    """

    member: int
    look: str
    volumes_mm3: dict[str, float]


@dataclass(frozen=True)
class HippocampusResult:
    """What was found in one crop.

    Attributes:
        masks: `anterior_hippocampus` and `posterior_hippocampus`, bool (i, j, k) on the grid of the crop, apart.
        voxel_mm3: Volume of one voxel of the crop.
        uncertainty: float32 (i, j, k): entropy of the mean class probability, 0 sure to 1.
        mean_uncertainty: Its mean inside both masks, 1.0 when nothing was found.
        network_uncertainty: The same of each network by itself, averaged over the networks; error models use it.
        samples: One per network and look.
        plausible: Whether size, place and shape are those of a hippocampus in such a crop.
        reasons: Why not.
    """

    masks: dict[str, NDArray[np.bool_]]
    voxel_mm3: float
    uncertainty: NDArray[np.float32]
    mean_uncertainty: float
    network_uncertainty: float
    samples: list[Sample]
    plausible: bool
    reasons: tuple[str, ...]


def segment(
    values: NDArray[np.float32],
    affine: NDArray[np.float64],
    networks: "Mapping[int, HippocampusNet]",
    members: Sequence[int] | None = None,
    looks: Sequence[Look] = LOOKS,
) -> HippocampusResult:
    """Segment one crop.

    Args:
        values: Shape (i, j, k), MR values in any unit.
        affine: Shape (4, 4), voxel index to RAS mm.
        networks: From `load_networks`.
        members: Which of them to use; None: all. A crop of the training set must be given to the one network that has
            not seen it.
        looks: How each network is shown the crop.

    Returns:
        Masks on the grid of `values`, and what they rest on.

    Raises:
        NotApplicable: The volume is no crop around one hippocampus, as far as its size and values tell.
        ToolUnavailable: A member was asked for that is not among `networks`, or there is none.
    """
    import torch

    used = sorted(networks) if members is None else sorted(set(members))
    missing = [m for m in used if m not in networks]
    if missing or not used:
        raise ToolUnavailable(f"No hippocampus network {missing or ''} is loaded.".replace("  ", " "))
    affine = np.asarray(affine, np.float64)
    turn = check(values, affine)
    crop = torch.from_numpy(to_grid(np.asarray(values, np.float32), turn))
    with torch.inference_mode():
        every = torch.stack([_looked(networks[m], crop, looks) for m in used])
    return _finish(every, turn, abs(float(np.linalg.det(affine[:3, :3]))), used, looks)


def _looked(network: "HippocampusNet", crop: "torch.Tensor", looks: Sequence[Look]) -> "torch.Tensor":
    """Class probabilities (looks, 3, x, y, z) of one network on the crop's own grid."""
    import torch
    from torch.nn import functional

    sides = [-(-(n + ROOM) // STEP) * STEP for n in crop.shape]
    shown, places = [], []
    for look in looks:
        before = [round((s - n) * look.place) for s, n in zip(sides, crop.shape, strict=True)]
        pads = [pad for s, n, b in zip(sides, crop.shape, before, strict=True) for pad in (s - n - b, b)]
        one = functional.pad(crop[None, None], pads[::-1], mode="replicate")
        shown.append(one.flip(2) if look.mirrored else one)
        places.append(before)
    with torch.autocast("cpu", torch.bfloat16, enabled=_bf16()):
        logits = network(torch.cat(shown))
    found = logits.float().softmax(1)
    back = []
    for one, look, before in zip(found, looks, places, strict=True):
        one = one.flip(1) if look.mirrored else one
        x, y, z = (slice(b, b + n) for b, n in zip(before, crop.shape, strict=True))
        back.append(one[:, x, y, z])
    return torch.stack(back)


def _bf16() -> bool:
    """Half precision only where the processor computes in it; elsewhere it is slower than float32."""
    import torch

    return bool(torch.cpu._is_avx512_bf16_supported()) if hasattr(torch.cpu, "_is_avx512_bf16_supported") else False


def _finish(
    every: "torch.Tensor", turn: Turn, voxel_mm3: float, used: Sequence[int], looks: Sequence[Look]
) -> HippocampusResult:
    """Masks, samples and uncertainty on the grid of the crop from probabilities (networks, looks, 3, x, y, z)."""
    mean = every.mean((0, 1)).numpy()
    masks = _masks(mean, turn)
    inside = masks[STRUCTURES[0]] | masks[STRUCTURES[1]]
    uncertainty = from_grid(_entropy(mean)[None], turn)[0]
    alone = np.stack([_entropy(one.mean(0).numpy()) for one in every]).mean(0)
    samples = [
        Sample(member, look.name, {k: float(m.sum()) * voxel_mm3 for k, m in _masks(one.numpy(), turn).items()})
        for member, by_look in zip(used, every, strict=True)
        for look, one in zip(looks, by_look, strict=True)
    ]
    unsure = float(uncertainty[inside].mean()) if inside.any() else 1.0
    unsure_alone = float(from_grid(alone[None], turn)[0][inside].mean()) if inside.any() else 1.0
    plausible, reasons = judge(masks, turn, voxel_mm3, unsure_alone)
    return HippocampusResult(masks, voxel_mm3, uncertainty, unsure, unsure_alone, samples, plausible, reasons)


def _masks(probabilities: NDArray[np.float32], turn: Turn) -> dict[str, NDArray[np.bool_]]:
    """Most probable class per voxel of the crop; only the largest connected piece of the two parts together."""
    from scipy import ndimage

    classes = from_grid(probabilities, turn).argmax(0)
    labels, count = ndimage.label(classes > 0)
    if count > 1:
        sizes = np.bincount(labels.ravel())
        sizes[0] = 0
        classes = np.where(labels == sizes.argmax(), classes, 0)
    return {name: classes == k for k, name in enumerate(STRUCTURES, 1)}


def _entropy(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Entropy over the classes of (3, x, y, z), 0 sure to 1 all equally probable."""
    scaled = -(probabilities * np.log(np.maximum(probabilities, 1e-7))).sum(0) / math.log(len(probabilities))
    return np.asarray(scaled, np.float32)
