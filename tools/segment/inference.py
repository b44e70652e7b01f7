"""A chest film to masks of both lungs and heart, with samples that show how sure they are.

Every network of the ensemble looks at the film several times, each time turned, sized and exposed a little
differently. The mean of all looks is the answer; each look by itself is a sample. The spread of a measurement over the
samples of one network tells how it bears such changes; between networks, how it depends on the training films.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from secondread.schema.errors import NotApplicable, ToolUnavailable
from secondread.tools.segment.enlarge import enlarge, enlarge_classes
from secondread.tools.segment.grid import GRID, to_grid
from secondread.tools.segment.plausible import HeartSide, judge
from secondread.tools.segment.postprocess import STRUCTURES, clean, masks_of

if TYPE_CHECKING:
    import torch

    from secondread.tools.segment.network import ChestAnatomyNet

SAMPLE_SIDE = 512
"""Samples, and what is judged of the masks of larger films, have this long side, which bounds their cost."""
Probabilities = NDArray[np.float32]
"""Of background, right lung, left lung and heart, shape (4, 256, 256)."""

CLASS_WEIGHTS = (1.0, 1.25, 1.25, 0.6)
"""Factors on the probabilities of background, right lung, left lung and heart before the most probable class is taken.
The overlap term of the training loss makes the networks call the heart too wide and the lungs too narrow; on the
out-of-fold train films these factors bring the mean width error of the heart from 2.5 to about 0 px (of 512) and of
the thorax from -3.2 to -2.6 px without loss of overlap."""


@dataclass(frozen=True)
class Look:
    """How a network is shown the film.

    Attributes:
        name: Shown in the sample's source.
        degrees: Rotation, positive turns the film counter-clockwise on the screen.
        scale: Above 1 the chest appears larger.
        shift_x: To the image right, in shares of the width.
        shift_y: Downwards, in shares of the height.
        gamma: Exponent on the stretched grey value.
    """

    name: str
    degrees: float = 0.0
    scale: float = 1.0
    shift_x: float = 0.0
    shift_y: float = 0.0
    gamma: float = 1.0


LOOKS = (
    Look("plain"),
    Look("smaller", degrees=3.0, scale=0.92, shift_x=0.012, shift_y=-0.01, gamma=0.8),
    Look("larger", degrees=-3.0, scale=1.04, shift_x=-0.012, shift_y=0.01, gamma=1.25),
)


@dataclass(frozen=True)
class Sample:
    """The masks of one look of one network.

    Attributes:
        member: Number of the network.
        look: Name of the look.
        classes: uint8 over the whole film, of its shape or of a long side of `SAMPLE_SIDE`: 0 background, k for
            `STRUCTURES[k - 1]`.
    """

    member: int
    look: str
    classes: NDArray[np.uint8]

    @property
    def bits(self) -> NDArray[np.uint8]:
        """The classes with bit k - 1 set for class k."""
        found: NDArray[np.uint8] = (np.uint8(1) << self.classes) >> np.uint8(1)
        return found

    @property
    def masks(self) -> dict[str, NDArray[np.bool_]]:
        """Structure name to bool mask, of the shape of `classes`."""
        return masks_of(self.classes)


@dataclass(frozen=True)
class AnatomyResult:
    """What was found on one film.

    Attributes:
        masks: `right_lung` (image left), `left_lung` (image right) and `heart`, bool, on the grid of the film; they do
            not overlap, the lungs leave the heart out.
        uncertainty: float32 over the whole film, of its shape or of a long side of `GRID`, as fine as the networks saw
            it: entropy of the mean class probability, 0 sure to 1 (all classes equally probable).
        mean_uncertainty: Its mean inside the three masks, 1.0 when nothing was found.
        network_uncertainty: The same of each network by itself, averaged over the networks.
        samples: One per network and look.
        plausible: Whether size, place and shape of the masks are those of a frontal chest film.
        reasons: Why not, or what a reader should know.
        heart_side: Side of the image on which most of the heart lies, from the middle between the lungs.
    """

    masks: dict[str, NDArray[np.bool_]]
    uncertainty: NDArray[np.float32]
    mean_uncertainty: float
    network_uncertainty: float
    samples: list[Sample]
    plausible: bool
    reasons: tuple[str, ...]
    heart_side: HeartSide


def segment(
    pixels: NDArray[np.float32],
    networks: "Mapping[int, ChestAnatomyNet]",
    members: Sequence[int] | None = None,
    looks: Sequence[Look] = LOOKS,
) -> AnatomyResult:
    """Segment one film; see `segment_batch`."""
    return segment_batch([pixels], networks, members, looks)[0]


def segment_batch(
    films: Sequence[NDArray[np.float32]],
    networks: "Mapping[int, ChestAnatomyNet]",
    members: Sequence[int] | None = None,
    looks: Sequence[Look] = LOOKS,
) -> list[AnatomyResult]:
    """Segment films of any sizes.

    Args:
        films: Display grey in 0..1 (air dark), each of shape (rows, columns).
        networks: From `load_networks`.
        members: Which of them to use; None: all. A film of the training set must be given to the one network that
            has not seen it.
        looks: How each network is shown each film.

    Returns:
        One result per film, in order; each equals what `segment` gives for the film alone.

    Raises:
        ToolUnavailable: A member was asked for that is not among `networks`, or there is none.
        NotApplicable: A film is not two-dimensional, smaller than 32 pixels on a side or more than four times as
            long as wide, so it cannot be a frontal chest film.
    """
    import torch

    used = sorted(networks) if members is None else sorted(set(members))
    missing = [m for m in used if m not in networks]
    if missing or not used:
        raise ToolUnavailable(f"No chest anatomy network {missing or ''} is loaded.".replace("  ", " "))
    for film in films:
        _check(film)
    results = []
    with torch.inference_mode():
        grids = torch.stack([torch.from_numpy(to_grid(film)) for film in films])[:, None] if films else None
        for i, film in enumerate(films):
            assert grids is not None
            shown = torch.cat([_show(grids[i : i + 1], look) for look in looks])
            maps = ((m, _each(_run(networks[m], shown), looks)) for m in used)
            results.append(_finish(film.shape[0], film.shape[1], maps))
    return results


def _check(film: NDArray[np.float32]) -> None:
    if film.ndim != 2:
        raise NotApplicable(f"A chest film has rows and columns; this array has {film.ndim} dimensions.")
    rows, columns = film.shape
    if min(rows, columns) < 32:
        raise NotApplicable(f"The image has only {rows} x {columns} pixels; lungs and heart need at least 32 a side.")
    if max(rows, columns) > 4 * min(rows, columns):
        raise NotApplicable(f"An image of {rows} x {columns} pixels is too long and narrow for a frontal chest film.")


def _run(network: "ChestAnatomyNet", shown: "torch.Tensor") -> "torch.Tensor":
    """Class logits (looks, 4, 256, 256) on the processor; the network computes where it lies."""
    import torch

    device = next((p.device for p in network.parameters()), shown.device)
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cpu" and _bf16()):
        logits: torch.Tensor = network(shown.to(device).contiguous(memory_format=torch.channels_last))
    return logits.cpu()


def _bf16() -> bool:
    """Half precision only where the processor computes in it; elsewhere it is slower than float32."""
    import torch

    return bool(torch.cpu._is_avx512_bf16_supported()) if hasattr(torch.cpu, "_is_avx512_bf16_supported") else False


def _matrix(look: Look, *, inverse: bool) -> list[list[float]]:
    """Affine map of sampling positions (x, y in -1..1): output position to input position."""
    c, s = math.cos(math.radians(look.degrees)), math.sin(math.radians(look.degrees))
    tx, ty = 2 * look.shift_x, 2 * look.shift_y
    if inverse:
        return [[c * look.scale, s * look.scale, tx], [-s * look.scale, c * look.scale, ty]]
    a, b, d, e = c / look.scale, -s / look.scale, s / look.scale, c / look.scale
    return [[a, b, -(a * tx + b * ty)], [d, e, -(d * tx + e * ty)]]


@lru_cache(maxsize=32)
def _positions(look: Look, inverse: bool) -> "torch.Tensor":
    """Sampling positions of a look, shape (1, 256, 256, 2)."""
    import torch
    from torch.nn import functional

    theta = torch.tensor([_matrix(look, inverse=inverse)], dtype=torch.float32)
    return functional.affine_grid(theta, [1, 1, GRID, GRID], align_corners=False)


def _warp(maps: "torch.Tensor", look: Look, *, inverse: bool, padding: str) -> "torch.Tensor":
    from torch.nn import functional

    positions = _positions(look, inverse)
    return functional.grid_sample(maps, positions, mode="bilinear", padding_mode=padding, align_corners=False)


def _show(film: "torch.Tensor", look: Look) -> "torch.Tensor":
    """The film (1, 1, 256, 256) as the look shows it."""
    if look == Look(look.name):
        return film
    return _warp(film, look, inverse=False, padding="zeros").clamp(0, 1) ** look.gamma


def _each(logits: "torch.Tensor", looks: Sequence[Look]) -> Iterator[tuple[Look, Probabilities]]:
    """Each look with its probabilities on the plain grid; what it has pushed out of view repeats its border.

    An array is valid until the next one is asked for.
    """
    import torch

    maps = torch.empty((1, *logits.shape[1:]))
    found: Probabilities = maps[0].numpy()
    for i, look in enumerate(looks):
        maps[0] = logits[i]
        found -= found.max(0)
        np.exp(found, out=found)
        found /= found.sum(0)
        plain = look == Look(look.name)
        yield look, found if plain else _warp(maps, look, inverse=True, padding="border")[0].numpy()


def _finish(rows: int, columns: int, maps: Iterable[tuple[int, Iterable[tuple[Look, Probabilities]]]]) -> AnatomyResult:
    """Clean masks, samples and uncertainty from the probabilities of each network and look, which are overwritten.

    Map by map as they come, and in numpy: memory is used again while it is in the processor's cache, and many short
    operations on all threads would cost more in waiting for each other than they gain.
    """
    weights = np.array(CLASS_WEIGHTS, np.float32)[:, None, None]
    small = _at_most(rows, columns, SAMPLE_SIDE)
    samples: list[Sample] = []
    mean, alone = np.zeros((len(CLASS_WEIGHTS), GRID, GRID), np.float32), np.zeros((GRID, GRID), np.float32)
    together, networks = np.empty_like(mean), 0
    for member, looked in maps:
        together[:] = 0.0
        before = len(samples)
        for look, found in looked:
            found *= weights
            found /= found.sum(0)
            together += found
            samples.append(Sample(member, look.name, enlarge_classes(*clean(found), *small)))
        mean += together
        together /= np.float32(len(samples) - before)
        alone += _entropy(together)
        networks += 1
    mean /= np.float32(len(samples))
    alone /= np.float32(networks)
    whole = clean(mean)
    classes = enlarge_classes(*whole, *small)
    inside = np.flatnonzero(classes != 0)
    entropy = _entropy(mean)
    unsure, unsure_alone = (
        float(enlarge(values, *small).ravel()[inside].mean()) if inside.size else 1.0 for values in (entropy, alone)
    )
    plausible, reasons, side = judge(masks_of(classes), unsure)
    masks = masks_of(classes if small == (rows, columns) else enlarge_classes(*whole, rows, columns))
    uncertainty = enlarge(entropy, *_at_most(rows, columns, GRID))
    return AnatomyResult(masks, uncertainty, unsure, unsure_alone, samples, plausible, reasons, side)


def _at_most(rows: int, columns: int, side: int) -> tuple[int, int]:
    """The shape of a film, shrunk to a long side of `side` when it is larger."""
    shrink = min(1.0, side / max(rows, columns))
    return max(1, round(rows * shrink)), max(1, round(columns * shrink))


def _entropy(probabilities: Probabilities) -> NDArray[np.float32]:
    """Entropy over the classes of (4, rows, columns), 0 sure to 1 all equally probable."""
    terms = np.log(np.maximum(probabilities, np.float32(1e-7)))
    terms *= probabilities
    scaled: NDArray[np.float32] = terms.sum(0) / np.float32(-math.log(len(probabilities)))
    return scaled


__all__ = ["LOOKS", "STRUCTURES", "AnatomyResult", "Look", "Sample", "segment", "segment_batch"]
