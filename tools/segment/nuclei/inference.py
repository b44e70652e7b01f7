"""A micrograph to its nuclei, one by one, and their count with an interval.

Valid for: fluorescence micrographs of nuclei (dark ground, bright nuclei, grey) and bright-field tissue whose nuclei
are stained purple, both with nuclei of about 5 to 90 pixels in diameter. On anything else `plausible` is meant to be
False, with reasons; it is a check of size, shape, contrast and colour and no detector of modalities.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from secondread.schema.errors import ToolUnavailable
from secondread.tools.segment.nuclei.appearance import Appearance, as_rgb, canonical
from secondread.tools.segment.nuclei.instances import separate
from secondread.tools.segment.nuclei.plausible import judge
from secondread.tools.segment.tiles import logits
from secondread.tools.weights_file import FOLDER, WeightsFile

if TYPE_CHECKING:
    from pathlib import Path

    from secondread.tools.segment.unet_network import UNet

WEIGHTS = WeightsFile("nuclei", "secondread.training.nuclei")
COUNT_RECORD = "nucleus_count"

SCALES = (0.25, 0.5, 1.0)
"""Sizes at which an image is tried, smallest first: the networks were trained on nuclei of 9 to 28 pixels."""

READABLE = 14.0
"""Median diameter, in pixels of the resized image, from which on a size is taken and larger ones are not tried.
Chosen on fold 0, like the thresholds of `instances.py`."""


@dataclass(frozen=True)
class Nucleus:
    """One nucleus.

    Attributes:
        label: Its value in the label image.
        x: Column of its centroid, pixel-centre coordinates.
        y: Row of its centroid.
        area_px: Pixels.
        box: Left, top, right, bottom: outer edges in pixel-centre coordinates (first pixel - 0.5, last + 0.5).
    """

    label: int
    x: float
    y: float
    area_px: int
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class NucleiResult:
    """What was found on one micrograph.

    Attributes:
        labels: int32 on the grid of the image, 0 ground, 1..count.
        nuclei: In order of their label.
        count: How many.
        low: Lower end of the count interval.
        high: Upper end.
        level: Probability with which the interval is meant to hold an annotator's count.
        appearance: `fluorescence` or `stained`.
        uncertainty: Mean entropy of the inside probability over the nuclei, 0 sure to 1.
        plausible: Whether size, shape, contrast and colour are those of such micrographs.
        reasons: Why not.
    """

    labels: NDArray[np.int32]
    nuclei: tuple[Nucleus, ...]
    count: int
    low: float
    high: float
    level: float
    appearance: Appearance
    uncertainty: float
    plausible: bool
    reasons: tuple[str, ...]


def load_networks(folder: "Path" = FOLDER) -> "list[UNet]":
    """The member networks; number k has not seen the images of fold k.

    Raises:
        ToolUnavailable: The weights are missing, damaged or untrained.
    """
    from secondread.tools.segment.nuclei.network import build

    return WEIGHTS.networks(build, folder)


def segment(
    pixels: NDArray[np.generic],
    networks: "Sequence[UNet]",
    members: Sequence[int] | None = None,
    count_model: Mapping[str, Any] | None = None,
) -> NucleiResult:
    """Find the nuclei of one micrograph.

    Args:
        pixels: Grey (rows, columns) or colour (rows, columns, 3 or 4), any range. Grey of a stained image works, less
            well than its colour.
        networks: From `load_networks`.
        members: Which of them to use; None: all. A development image must be given to the one that has not seen it.
        count_model: Parameters of the record `nucleus_count`; None: the shipped ones.

    Raises:
        NotApplicable: The array cannot be such an image.
        ToolUnavailable: There is no such network, or no record of the count error.
    """
    rgb = as_rgb(pixels)
    shown, appearance = canonical(rgb)
    maps = probabilities(shown, networks, members)
    labels = separate(maps)
    unsure = _entropy(maps[0][labels > 0])
    plausible, reasons = judge(rgb, shown, labels, unsure, appearance)
    nuclei = list_nuclei(labels)
    model = count_model if count_model is not None else WEIGHTS.record(COUNT_RECORD).parameters
    low, high = count_interval(len(nuclei), appearance, model)
    return NucleiResult(
        labels, nuclei, len(nuclei), low, high, float(model["level"]), appearance, unsure, plausible, reasons
    )


def probabilities(
    shown: NDArray[np.float32], networks: "Sequence[UNet]", members: Sequence[int] | None = None
) -> NDArray[np.float32]:
    """Mean probability of inside, contact and core over networks, shape (3, rows, columns).

    The image is resized first, so that its nuclei have a size that the networks know.

    Args:
        shown: Canonical appearance, shape (rows, columns, 3).
        networks: From `load_networks`.
        members: Which of them; None: all.

    Raises:
        ToolUnavailable: A member was asked for that is not there, or there is none.
    """
    wanted = range(len(networks)) if members is None else members
    if not wanted or any(not 0 <= m < len(networks) for m in wanted):
        raise ToolUnavailable("A nucleus network was asked for that is not loaded.", hint=f"There are {len(networks)}.")
    used = [networks[m] for m in wanted]
    for scale in SCALES[:-1]:
        if min(shown.shape[:2]) * scale < 48:
            continue
        maps = _at_scale(shown, used, scale)
        found = separate(_resized(maps, round(shown.shape[0] * scale), round(shown.shape[1] * scale)))
        areas = np.bincount(found.ravel())[1:]
        if areas.size and float(np.median(np.sqrt(areas * 4 / np.pi))) >= READABLE:
            return maps
    return _at_scale(shown, used, SCALES[-1])


def _at_scale(shown: NDArray[np.float32], networks: "Sequence[UNet]", scale: float) -> NDArray[np.float32]:
    """Mean probabilities of networks that see the image resized by `scale`, on the grid of the image."""
    rows, columns = shown.shape[:2]
    image = _resized(shown.transpose(2, 0, 1), round(rows * scale), round(columns * scale))
    total = np.zeros((3, rows, columns), np.float32)
    for network in networks:
        total += _resized(logits(network, image).sigmoid().numpy(), rows, columns)
    total /= len(networks)
    return total


def _resized(maps: NDArray[np.float32], rows: int, columns: int) -> NDArray[np.float32]:
    """Channels (c, h, w) at another size; averages where it shrinks."""
    import torch
    from torch.nn import functional

    if maps.shape[1:] == (rows, columns):
        return maps
    whole = torch.from_numpy(np.ascontiguousarray(maps))[None]
    size = (rows, columns)
    smaller = rows < maps.shape[1]
    result: NDArray[np.float32] = functional.interpolate(
        whole, size=size, mode="bilinear", antialias=smaller, align_corners=False
    )[0].numpy()
    return result


def list_nuclei(labels: NDArray[np.int32]) -> tuple[Nucleus, ...]:
    """Centroid, area and box of each label 1..n of a label image without gaps."""
    from scipy import ndimage

    areas = np.bincount(labels.ravel())
    found = []
    for number, where in enumerate(ndimage.find_objects(labels), 1):
        rows, columns = np.nonzero(labels[where] == number)
        top, left = where[0].start, where[1].start
        box = (left - 0.5, top - 0.5, where[1].stop - 0.5, where[0].stop - 0.5)
        found.append(Nucleus(number, float(left + columns.mean()), float(top + rows.mean()), int(areas[number]), box))
    return tuple(found)


def count_interval(count: int, appearance: Appearance, model: Mapping[str, Any]) -> tuple[float, float]:
    """Ends of the count interval: count -+ q sqrt(count + 1), not below 0, with one q per appearance.

    Args:
        count: Nuclei found.
        appearance: Of the image.
        model: `{"q": {"fluorescence": .., "stained": ..}, "level": ..}`, fitted on out-of-fold counts.
    """
    reach = float(model["q"][appearance]) * (count + 1) ** 0.5
    return max(0.0, count - reach), count + reach


def _entropy(probability: NDArray[np.float32]) -> float:
    """Mean binary entropy in bits; 1.0 without values."""
    if not probability.size:
        return 1.0
    p = np.clip(probability.astype(np.float64), 1e-7, 1 - 1e-7)
    return float((-(p * np.log2(p) + (1 - p) * np.log2(1 - p))).mean())
