"""An ultrasound image of a limb to its nerve and vessel areas, piece by piece.

Valid for: B-mode images of peripheral nerves and vessels from a high-frequency linear probe, as used in regional
anaesthesia (the development images come from one machine and one examiner). The classes were inferred from appearance:
the source prints no table of its mask values; 1 is bright and honeycombed (nerve), 2 round and black (vessel). Areas
are in pixels and in shares of the image; square millimetres only when a pixel spacing is given. On anything else
`plausible` is meant to be False, with reasons.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from secondread.schema.errors import InputError, ToolUnavailable
from secondread.tools.segment.nerves.plausible import judge
from secondread.tools.segment.nerves.scan import as_grey, to_input
from secondread.tools.weights_file import FOLDER, WeightsFile

if TYPE_CHECKING:
    from pathlib import Path

    from secondread.tools.segment.unet_network import UNet

WEIGHTS = WeightsFile("nerves", "secondread.training.nerves")
AREA_RECORD = "nerve_vessel_area"
STRUCTURES = ("nerve", "vessel")

SMALLEST = 0.0004
"""Pieces below this share of the image are crumbs; the smallest drawn pieces of the development images are near it."""

FLIPS: tuple[tuple[int, ...], ...] = ((), (2,))
"""The image and its mirror image: top and bottom of an ultrasound image are never exchanged."""


@dataclass(frozen=True)
class Piece:
    """One connected piece of a structure.

    Attributes:
        structure: `nerve` or `vessel`.
        x: Column of its centroid, pixel-centre coordinates.
        y: Row of its centroid.
        area_px: Pixels of the original image.
        box: Left, top, right, bottom: outer edges in pixel-centre coordinates.
        probability: That it overlaps a drawn piece by IoU >= 0.5, calibrated out of fold on its mean class probability.
    """

    structure: str
    x: float
    y: float
    area_px: int
    box: tuple[float, float, float, float]
    probability: float


@dataclass(frozen=True)
class Area:
    """Total area of one structure.

    Attributes:
        structure: `nerve` or `vessel`.
        pixels: Pixels of the original image; 0 when none was found.
        low_px: Lower end of its interval; None when none was found.
        high_px: Upper end; None when none was found.
        level: Probability with which the interval is meant to hold an annotator's area.
        share: Of the whole image, surround included.
        mm2: Square millimetres; None without a pixel spacing.
    """

    structure: str
    pixels: int
    low_px: float | None
    high_px: float | None
    level: float
    share: float
    mm2: float | None


@dataclass(frozen=True)
class NervesResult:
    """What was found on one image.

    Attributes:
        masks: `nerve` and `vessel`, bool on the grid of the image; they do not overlap.
        areas: Total per structure, nerve first.
        pieces: By structure, then by falling area.
        uncertainty: Mean entropy inside the masks over log 3, 0 sure to 1; 1.0 when nothing was found.
        plausible: Whether image and areas look like such an image.
        reasons: Why not.
    """

    masks: dict[str, NDArray[np.bool_]]
    areas: tuple[Area, ...]
    pieces: tuple[Piece, ...]
    uncertainty: float
    plausible: bool
    reasons: tuple[str, ...]


def load_networks(folder: "Path" = FOLDER) -> "list[UNet]":
    """The member networks; number k has not seen the images of fold k.

    Raises:
        ToolUnavailable: The weights are missing, damaged or untrained.
    """
    from secondread.tools.segment.nerves.network import build

    return WEIGHTS.networks(build, folder)


def segment(
    pixels: NDArray[np.generic],
    networks: "Sequence[UNet]",
    members: Sequence[int] | None = None,
    spacing_mm: tuple[float, float] | None = None,
    area_model: Mapping[str, Any] | None = None,
) -> NervesResult:
    """Outline nerves and vessels of one image.

    Args:
        pixels: Grey (rows, columns) or colour (rows, columns, 3 or 4), any range.
        networks: From `load_networks`.
        members: Which of them to use; None: all. A development image must be given to the one that has not seen it.
        spacing_mm: Calibrated distance of rows and of columns in mm; None when unknown.
        area_model: Parameters of the record `nerve_vessel_area`; None: the shipped ones.

    Raises:
        NotApplicable: The array cannot be such an image.
        InputError: The spacing is not positive and finite.
        ToolUnavailable: There is no such network, or no record of the area error.
    """
    if spacing_mm is not None and not all(math.isfinite(s) and s > 0 for s in spacing_mm):
        raise InputError("The pixel spacing must be positive.", hint="Leave it out when it is unknown.")
    grey = as_grey(pixels)
    shown = to_input(grey)
    maps = probabilities(shown, grey.shape, networks, members)
    model = area_model if area_model is not None else WEIGHTS.record(AREA_RECORD).parameters
    masks = masks_of(maps)
    pieces = [piece for name in STRUCTURES for piece in list_pieces(masks[name], maps, name, model)]
    areas = tuple(_area(name, masks[name], spacing_mm, model) for name in STRUCTURES)
    inside = masks["nerve"] | masks["vessel"]
    unsure = (
        float((-(maps * np.log(np.clip(maps, 1e-7, 1))).sum(0) / math.log(3))[inside].mean()) if inside.any() else 1.0
    )
    plausible, reasons = judge(shown, masks, unsure, chroma(pixels))
    return NervesResult(masks, areas, tuple(pieces), unsure, plausible, reasons)


def chroma(pixels: NDArray[np.generic]) -> float:
    """Mean difference of the largest and smallest colour channel over the range of the image; 0 for grey."""
    image = np.asarray(pixels, dtype=np.float32)
    if image.ndim == 2:
        return 0.0
    image = image[..., :3]
    return float(np.mean(image.max(2) - image.min(2))) / max(float(image.max() - image.min()), 1e-6)


def probabilities(
    shown: NDArray[np.float32], shape: tuple[int, ...], networks: "Sequence[UNet]", members: Sequence[int] | None = None
) -> NDArray[np.float32]:
    """Mean class probabilities over networks and mirror images on the grid of the original, shape (3, rows, columns).

    Args:
        shown: From `to_input`, shape (h, w).
        shape: Rows and columns of the original.
        networks: From `load_networks`.
        members: Which of them; None: all.

    Raises:
        ToolUnavailable: A member was asked for that is not there, or there is none.
    """
    import torch
    from torch.nn import functional

    from secondread.tools.segment.tiles import logits

    wanted = range(len(networks)) if members is None else members
    if not wanted or any(not 0 <= m < len(networks) for m in wanted):
        raise ToolUnavailable("A nerve network was asked for that is not loaded.", hint=f"There are {len(networks)}.")
    total = torch.stack([logits(networks[m], shown[None], FLIPS).softmax(0) for m in wanted]).mean(0)
    full = functional.interpolate(total[None], size=tuple(shape[:2]), mode="bilinear", align_corners=False)
    result: NDArray[np.float32] = full[0].numpy()
    return result


def masks_of(maps: NDArray[np.float32]) -> dict[str, NDArray[np.bool_]]:
    """Most probable class per pixel, holes filled, crumbs dropped.

    Args:
        maps: Probabilities of ground, nerve and vessel, shape (3, rows, columns).
    """
    from scipy import ndimage

    winner = maps.argmax(0)
    masks: dict[str, NDArray[np.bool_]] = {}
    for number, name in enumerate(STRUCTURES, 1):
        labels, _ = ndimage.label(winner == number)
        sizes = np.bincount(labels.ravel())
        large = sizes >= max(1.0, SMALLEST * winner.size)
        large[0] = False
        others = winner == 3 - number
        masks[name] = ndimage.binary_fill_holes(large[labels]) & ~others
    return masks


def list_pieces(
    mask: NDArray[np.bool_], maps: NDArray[np.float32], structure: str, model: Mapping[str, Any] | None
) -> list[Piece]:
    """Connected pieces of a mask by falling area; without a model the probability is the raw mean class probability."""
    from scipy import ndimage

    labels, _ = ndimage.label(mask)
    found = []
    for number, where in enumerate(ndimage.find_objects(labels), 1):
        inside = labels[where] == number
        rows, columns = np.nonzero(inside)
        raw = float(maps[STRUCTURES.index(structure) + 1][where][inside].mean())
        box = (where[1].start - 0.5, where[0].start - 0.5, where[1].stop - 0.5, where[0].stop - 0.5)
        found.append(
            Piece(
                structure, float(where[1].start + columns.mean()), float(where[0].start + rows.mean()),
                int(inside.sum()), box, raw if model is None else calibrated(raw, structure, model),
            )
        )  # fmt: skip
    return sorted(found, key=lambda p: -p.area_px)


def calibrated(raw: float, structure: str, model: Mapping[str, Any]) -> float:
    """Probability that a piece overlaps a drawn one, from its mean class probability."""
    slope, intercept = model["scores"][structure]
    p = min(max(raw, 1e-6), 1 - 1e-6)
    return float(1 / (1 + math.exp(-(slope * math.log(p / (1 - p)) + intercept))))


def _area(
    structure: str, mask: NDArray[np.bool_], spacing_mm: tuple[float, float] | None, model: Mapping[str, Any]
) -> Area:
    pixels = int(mask.sum())
    factor = math.exp(float(model["log_error"][structure]))
    return Area(
        structure,
        pixels,
        pixels / factor if pixels else None,
        pixels * factor if pixels else None,
        float(model["level"]),
        pixels / mask.size,
        pixels * spacing_mm[0] * spacing_mm[1] if spacing_mm else None,
    )
