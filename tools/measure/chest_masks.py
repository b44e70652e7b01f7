"""From recorded chest anatomy to clean masks, with what a reader of any measure on them must know."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, stdev

import numpy as np

from secondread.schema.errors import NotMeasurable
from secondread.schema.evidence import Regions
from secondread.schema.image import ImageInfo
from secondread.schema.region import Point
from secondread.tools.base import Context, ToolRequest
from secondread.tools.measure.geometry import MIN_RUN, Mask, main_part, touches

STRUCTURES = ("right_lung", "left_lung", "heart")
LUNG_PART_SHARE = 0.1
"""A second part of a lung counts from this share of the largest: effusions and devices split lungs, noise does not."""
LABELLED_SIDES = (
    "right and left are labelled by image side (right lung on the image left); a mirrored film is not excluded"
)


class ChestRequest(ToolRequest):
    """A measurement on the chest anatomy of an image."""

    chest_anatomy: str
    """Id of the chest anatomy evidence."""


@dataclass(frozen=True)
class ChestMasks:
    """Clean masks of one film.

    Attributes:
        image: Image id.
        info: What is known of the film.
        regions: The anatomy evidence they come from.
        masks: Concept id -> mask of shape (rows, columns), stray parts removed, never empty.
    """

    image: str
    info: ImageInfo
    regions: Regions
    masks: dict[str, Mask]

    @property
    def row_to_column(self) -> float:
        """Distance between rows over distance between columns; 1.0 when the film gives no spacing."""
        spacing = self.info.spacing
        if spacing is None or spacing.column_mm <= 0 or spacing.row_mm <= 0:
            return 1.0
        return spacing.row_mm / spacing.column_mm

    def point(self, x: float, y: float, name: str) -> Point:
        """A named point in the grid of the film."""
        return Point(grid=self.info.ref.grid, x=x, y=y, name=name)


def clean(name: str, mask: Mask) -> Mask:
    """A mask without stray parts: the heart is one part, a lung may have more."""
    return main_part(mask, 1.0 if name == "heart" else LUNG_PART_SHARE)


def chest_masks(request: ChestRequest, ctx: Context, needed: Iterable[str] = STRUCTURES) -> ChestMasks:
    """The clean masks of the structures in `needed`.

    Raises:
        NotMeasurable: The anatomy is implausible, or a structure was not found.
    """
    if request.image is None:
        raise NotMeasurable("The request names no image.")
    regions = ctx.evidence(request.chest_anatomy).result
    if not isinstance(regions, Regions):
        raise NotMeasurable(f"Evidence {request.chest_anatomy} holds no masks.", hint="Run chest_anatomy first.")
    if not regions.plausible:
        raise NotMeasurable(
            f"The segmented anatomy is implausible: {'; '.join(regions.reasons) or 'no reason given'}.",
            hint="Look at the quality report and at the masks.",
        )
    masks: dict[str, Mask] = {}
    missing: list[str] = []
    for name in needed:
        found = regions.masks.get(name)
        mask = clean(name, ctx.mask(found)) if found is not None and found.pixels >= MIN_RUN else None
        if mask is None or not mask.any():
            missing.append(name)
        else:
            masks[name] = mask
    if missing:
        raise NotMeasurable(
            f"No {' and no '.join(n.replace('_', ' ') for n in missing)} was found.",
            hint="Look at the quality report.",
        )
    return ChestMasks(request.image, ctx.info(request.image), regions, masks)


def border_caveats(masks: Mapping[str, Mask], sides: Sequence[str]) -> list[str]:
    """One `border cut off` caveat for each structure that reaches one of these sides of the image."""
    told = []
    for name, mask in masks.items():
        cut = [side.replace("_", " ") for side in touches(mask) if side in sides]
        if cut:
            told.append(f"border cut off: the {name.replace('_', ' ')} reaches the {' and '.join(cut)} of the image")
    return told


def aspect_caveat(info: ImageInfo) -> str | None:
    """Why heights, areas and angles of this film are uncertain, or None when its aspect ratio is known to be kept."""
    if info.squeezed:
        return "the film has lost its aspect ratio: heights, areas and angles are not true to the body"
    if info.squeezed is None and info.spacing is None:
        return "the film may have lost its aspect ratio: heights, areas and angles would change with it"
    return None


def side_caveat(regions: Regions) -> str:
    """What the side names of this film rest on; says so when most of the heart lies on the image left."""
    if regions.heart_side == "image_left":
        return (
            "most of the heart lies on the image left: mirrored film or dextrocardia, pixels cannot tell; "
            "right and left are named by image side"
        )
    return LABELLED_SIDES


@dataclass(frozen=True)
class Spread:
    """How far a measure moves over the mask samples of one film.

    Attributes:
        within: Root mean square over the groups of the standard deviation within a group.
        between: Standard deviation of the group means; None with fewer than two groups.
        used: Samples that gave a value.
        failed: Samples that gave none.
    """

    within: float | None
    between: float | None
    used: int
    failed: int

    def caveats(self) -> list[str]:
        """What the spread alone does not say."""
        told = []
        if self.between is not None:
            told.append(f"networks differ by {self.between:.3g} (standard deviation of their means)")
        if self.failed:
            told.append(f"{self.failed} of {self.failed + self.used} mask samples gave no value")
        return told


def spread_of(values: Iterable[tuple[str, float]], failed: int = 0) -> Spread:
    """Spread of (group, value) pairs.

    Samples of one group share a network, so the spread within groups is what one network alone would show; an error
    model fitted on one network's out-of-fold samples stays valid for an ensemble.
    """
    groups: dict[str, list[float]] = defaultdict(list)
    for group, value in values:
        groups[group].append(value)
    within = [stdev(g) for g in groups.values() if len(g) >= 2]
    means = [fmean(g) for g in groups.values()]
    return Spread(
        within=sqrt(fmean(s * s for s in within)) if within else None,
        between=stdev(means) if len(means) >= 2 else None,
        used=sum(len(g) for g in groups.values()),
        failed=failed,
    )


def sample_spread(
    regions: Regions,
    ctx: Context,
    measure: Callable[[Mapping[str, Mask]], float],
    needed: Iterable[str] = STRUCTURES,
) -> Spread:
    """Spread of a scale-free measure over the mask samples of a film."""
    return sample_spreads(regions, ctx, (measure,), needed)[0]


def sample_spreads(
    regions: Regions,
    ctx: Context,
    measures: Sequence[Callable[[Mapping[str, Mask]], float]],
    needed: Iterable[str] = STRUCTURES,
) -> list[Spread]:
    """`sample_spread` of several measures, for which the samples are read and cleaned once."""
    wanted = tuple(needed)
    values: list[list[tuple[str, float]]] = [[] for _ in measures]
    failed = [0] * len(measures)
    for sample in regions.samples:
        bits = ctx.bits(sample.bits)
        masks = {n: clean(n, (bits & np.uint8(1 << k)) != 0) for k, n in enumerate(sample.names) if n in wanted}
        for i, measure in enumerate(measures):
            try:
                values[i].append((sample.group, measure(masks)))
            except (NotMeasurable, KeyError):
                failed[i] += 1
    return [spread_of(v, f) for v, f in zip(values, failed, strict=True)]
