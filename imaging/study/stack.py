"""Slices as a stack: their order along the normal, what is missing or double, and the affine of the regular part.

Tolerances, all on positions and never on numbers the scanner counts with:

| what | limit | reason |
|---|---|---|
| one orientation | 0.1 degree | turns the corner of a 400 mm slice by half a millimetre, under its pixel |
| one position | 0.01 mm, or a tenth of a pixel | positions have two decimals or more, no scanner steps less |
| regular spacing | a tenth of the distance off the grid | rounding to 0.1 mm is 8 % of 0.6 mm; more bends a length |
| straight stack | a quarter of a pixel from the line through the origins | a mask stays on its pixels |
| gap | a step above 1.5 times the median | rounding explains less than half a slice |
| tilt | origins drift by more than half a pixel over the stack | less does not move a voxel |
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.study.words import counted
from secondread.schema.study import Affine, Plane, PlaneGeometry

ANGLE_DEGREES = 0.1
SAME_MM, SAME_PIXELS = 0.01, 0.1
OFF_GRID = 0.1
OFF_LINE_PIXELS = 0.25
GAP = 1.5
DRIFT_PIXELS = 0.5
TILT_DEGREES = 1.0
"""A gantry tilt in the header may differ by this much from that of the positions: it is written as a whole number."""

PLANES: tuple[Plane, Plane, Plane] = ("sagittal", "coronal", "axial")
"""By the RAS axis along which their slices are counted."""


@dataclass(frozen=True, slots=True)
class Slice:
    """One image of a stack, as its header has it."""

    geometry: PlaneGeometry | None
    location: float | None = None
    """Slice Location, used only when a position is missing."""
    number: int | None = None
    """Instance Number, used only when position and location are missing."""
    thickness_mm: float | None = None
    tilt_degrees: float | None = None
    """Gantry or Detector Tilt."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Slices that are missing between two neighbours."""

    after: int
    """Place in `Stack.order` of the slice before it, from 0."""
    missing: int
    """How many slices would fit."""
    mm: float
    """Distance of the two neighbours."""


@dataclass(frozen=True, slots=True)
class Stack:
    """Slices in order, and where they lie."""

    order: tuple[int, ...]
    """Indices into the slices given, from the low RAS end of the plane's axis to its high end; duplicates left out."""
    affine: Affine | None = None
    """(i column, j row, k slice, 1) -> RAS mm for the slices `run` of `order`; None without positions and spacing. It
    holds the true direction of stacking, so a tilted stack has a sheared affine. That of a single slice takes its
    thickness for the distance to a next one."""
    spacing_mm: tuple[float, float, float] | None = None
    """Between columns, between rows, and between slice planes along their normal."""
    plane: Plane | None = None
    """Plane nearest to the slices."""
    oblique_degrees: float = 0.0
    """Between the normal of the slices and the axis of `plane`."""
    positions_mm: tuple[float, ...] = ()
    """Of the slices in `order`, along their normal."""
    run: tuple[int, int] = (0, 0)
    """First and one past the last of the longest regular part, as places in `order`."""
    regular: bool = False
    """The regular part is the whole stack."""
    gaps: tuple[Gap, ...] = ()
    duplicates: tuple[int, ...] = ()
    """Indices of slices left out because another lies at the same position."""
    tilt_degrees: float = 0.0
    """Between the normal and the direction of stacking."""
    problems: tuple[str, ...] = ()


def stack(slices: Sequence[Slice]) -> Stack:
    """Sort slices and find their grid.

    Args:
        slices: At least one, in any order; their pixel grids have one size.

    Returns:
        The order, and the affine of the longest regular part when orientation, position and pixel spacing are known of
        every slice. Whatever is not as it should be is said in `problems`.
    """
    placed = [item.geometry for item in slices if item.geometry is not None]
    if len(placed) < len(slices):
        return _by_number(slices, some=bool(placed))
    columns, rows = (
        np.array([getattr(g, side) for g in placed], dtype=np.float64) for side in ("per_column", "per_row")
    )
    origins = np.array([g.origin for g in placed], dtype=np.float64)
    normals = np.cross(columns, rows)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    if mixed(columns, rows):
        return Stack(
            tuple(range(len(slices))),
            problems=("The slices do not share one orientation and pixel spacing: they are no stack.",),
        )
    axis = int(np.argmax(np.round(np.abs(normals[0]), 6)))
    normal = normals[0] * np.sign(normals[0][axis])
    pixel = float(min(np.linalg.norm(columns[0]), np.linalg.norm(rows[0])))
    along = origins @ normal
    sorted_order = np.argsort(along, kind="stable")
    order, duplicates = _without_duplicates(sorted_order, along, min(SAME_MM, SAME_PIXELS * pixel))
    problems: list[str] = []
    if duplicates:
        problems.append(
            f"{counted(len(duplicates), 'slice')} at a position that another slice has: the first of each is kept."
        )
    found = _grid(origins[order], normal, pixel, problems)
    step = found.step
    thickness = _common([item.thickness_mm for item in slices])
    if step is None and thickness is not None and thickness > 0:
        step = normal * thickness
    tilt = _tilt(step, normal, found.run, pixel, problems)
    if slices[0].tilt_degrees is not None and abs(abs(slices[0].tilt_degrees) - tilt) > TILT_DEGREES and len(order) > 1:
        problems.append(
            f"The header says a gantry tilt of {slices[0].tilt_degrees:g} degrees, the positions say {tilt:.1f}; "
            "the positions are used."
        )
    distance = None if step is None else float(abs(step @ normal))
    if distance is not None and thickness is not None and len(order) > 1:
        _overlap(thickness, distance, problems)
    oblique = float(np.degrees(np.arccos(min(1.0, abs(float(normal[axis]))))))
    spacing = (float(np.linalg.norm(columns[0])), float(np.linalg.norm(rows[0])))
    return Stack(
        order=tuple(int(index) for index in order),
        affine=None if step is None else _affine(columns[0], rows[0], step, found.start),
        spacing_mm=None if distance is None else (*spacing, distance),
        plane=PLANES[axis],
        oblique_degrees=oblique if oblique > ANGLE_DEGREES else 0.0,
        positions_mm=tuple(float(value) for value in along[order]),
        run=found.run,
        regular=found.run == (0, len(order)),
        gaps=found.gaps,
        duplicates=tuple(duplicates),
        tilt_degrees=tilt,
        problems=tuple(problems),
    )


def mixed(columns: NDArray[np.float64], rows: NDArray[np.float64]) -> bool:
    """Whether steps along columns and rows, each of shape (slices, 3) in mm, differ in direction or in length."""
    for steps in (columns, rows):
        lengths = np.linalg.norm(steps, axis=1)
        cosines = steps @ steps[0] / (lengths * lengths[0])
        if (np.abs(lengths / lengths[0] - 1) > 1e-3).any() or (cosines < np.cos(np.radians(ANGLE_DEGREES))).any():
            return True
    return False


def _without_duplicates(
    order: NDArray[np.intp], along: NDArray[np.float64], limit: float
) -> tuple[NDArray[np.intp], list[int]]:
    """The order without slices that lie at the position of the slice before, and those slices."""
    steps = np.diff(along[order])
    double = np.concatenate(([False], steps <= limit))
    # The earliest given of a group is kept, so that the choice does not depend on rounding.
    kept, dropped, group = [], [], [int(order[0])]
    for place in range(1, len(order) + 1):
        if place < len(order) and double[place]:
            group.append(int(order[place]))
            continue
        group.sort()
        kept.append(group[0])
        dropped += group[1:]
        group = [int(order[place])] if place < len(order) else []
    return np.array(kept, dtype=np.intp), sorted(dropped)


@dataclass(frozen=True, slots=True)
class _Grid:
    run: tuple[int, int]
    start: NDArray[np.float64]
    """Origin of the first slice of the regular part, mm."""
    step: NDArray[np.float64] | None
    """Vector from one slice to the next in the regular part, mm."""
    gaps: tuple[Gap, ...]


def _grid(origins: NDArray[np.float64], normal: NDArray[np.float64], pixel: float, problems: list[str]) -> _Grid:
    """The longest regular part of slices in order, shape (slices, 3), and the gaps between them."""
    count = len(origins)
    if count == 1:
        return _Grid((0, 1), origins[0], None, ())
    along = origins @ normal
    steps = np.diff(along)
    usual = float(np.median(steps))
    wide = [int(k) for k in np.flatnonzero(steps > GAP * usual)]
    run = _longest_run(origins, normal, pixel)
    gaps: tuple[Gap, ...] = ()
    if wide and (len(wide) < 3 or len(wide) < len(steps) / 4):
        gaps = tuple(Gap(k, max(1, round(steps[k] / usual) - 1), float(steps[k])) for k in wide)
        missing = sum(gap.missing for gap in gaps)
        first = gaps[0]
        problems.append(
            f"{counted(missing, 'slice')} missing: {first.mm:.2f} mm instead of {usual:.2f} mm after slice "
            f"{first.after + 1} of {count}" + (f", and {counted(len(gaps) - 1, 'more gap')}." if len(gaps) > 1 else ".")
        )
    elif run != (0, count):
        if steps.max() - steps.min() > 2 * OFF_GRID * usual:
            problems.append(f"The distance of the slices varies from {steps.min():.2f} to {steps.max():.2f} mm.")
        else:
            problems.append("The slices are shifted against each other within their plane.")
    if run != (0, count):
        problems.append(
            f"Only slices {run[0] + 1} to {run[1]} of {count} form a regular grid; a volume is made of these alone."
        )
    start, step, _ = _line(origins[run[0] : run[1]], normal, pixel)
    return _Grid(run, start, step, gaps)


def _longest_run(origins: NDArray[np.float64], normal: NDArray[np.float64], pixel: float) -> tuple[int, int]:
    """First and one past the last slice of the longest part that lies on one grid."""
    steps = np.diff(origins @ normal)
    parts: list[tuple[int, int]] = []
    start, total = 0, float(steps[0])
    for k in range(1, len(steps)):
        mean = total / (k - start)
        if abs(steps[k] - mean) > 2 * OFF_GRID * mean:
            parts.append((start, k + 1))
            start, total = k, 0.0
        total += float(steps[k])
    parts.append((start, len(steps) + 1))
    best = (0, 1)
    while parts:
        first, end = max(parts, key=lambda part: part[1] - part[0])
        parts.remove((first, end))
        if end - first <= best[1] - best[0]:
            break
        off = _worst(origins[first:end], normal, pixel)
        if off is None:
            best = (first, end)
        else:
            parts += [(first, first + off), (first + off, end)]
    return best


def _worst(origins: NDArray[np.float64], normal: NDArray[np.float64], pixel: float) -> int | None:
    """Where to cut slices that do not lie on one line at one distance; None when all do."""
    share = _line(origins, normal, pixel)[2]
    worst = int(np.argmax(share))
    return max(1, worst) if share[worst] > 1 else None


def _line(
    origins: NDArray[np.float64], normal: NDArray[np.float64], pixel: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The line that evenly spaced slices lie on.

    Returns:
        Its first point, its step, and how far each slice is off as a share of what is allowed. The line runs through
        the first and last slice when all are near it, so that exact headers give exact steps; else it is the least
        squares fit, which rounding of the ends does not turn.
    """
    count = np.arange(len(origins))[:, None]
    start, step = origins[0], (origins[-1] - origins[0]) / (len(origins) - 1)
    share = _off(origins - start - count * step, step, normal, pixel)
    if share.max() <= 0.5:
        return start, step, share
    centred = count - count.mean()
    step = (centred * origins).sum(axis=0) / (centred**2).sum()
    start = origins.mean(axis=0) - count.mean() * step
    return start, step, _off(origins - start - count * step, step, normal, pixel)


def _off(
    residual: NDArray[np.float64], step: NDArray[np.float64], normal: NDArray[np.float64], pixel: float
) -> NDArray[np.float64]:
    """Distances from a line, along the normal and within the plane, as shares of what is allowed."""
    across = residual @ normal
    within = np.linalg.norm(residual - across[:, None] * normal, axis=1)
    along = np.abs(across) / (OFF_GRID * abs(float(step @ normal)))
    return np.asarray(np.maximum(along, within / (OFF_LINE_PIXELS * pixel)))


def _tilt(
    step: NDArray[np.float64] | None,
    normal: NDArray[np.float64],
    run: tuple[int, int],
    pixel: float,
    problems: list[str],
) -> float:
    """Angle between the normal and the direction of stacking in degrees; 0 when the drift does not move a voxel."""
    if step is None:
        return 0.0
    drift = step - (step @ normal) * normal
    if float(np.linalg.norm(drift)) * (run[1] - run[0] - 1) <= DRIFT_PIXELS * pixel:
        return 0.0
    angle = float(np.degrees(np.arctan2(np.linalg.norm(drift), abs(step @ normal))))
    problems.append(
        f"The stack is tilted: its slices shift by {np.linalg.norm(drift):.2f} mm each ({angle:.1f} degrees); the "
        "affine holds the shear."
    )
    return angle


def _overlap(thickness: float, distance: float, problems: list[str]) -> None:
    """Say when slices overlap or leave tissue between them unseen, by more than 2 % of their distance."""
    if thickness > 1.02 * distance:
        problems.append(f"The slices overlap: {thickness:.2f} mm thick every {distance:.2f} mm.")
    elif thickness < 0.98 * distance:
        problems.append(f"The slices leave gaps unseen: {thickness:.2f} mm thick every {distance:.2f} mm.")


def _affine(
    column: NDArray[np.float64], row: NDArray[np.float64], step: NDArray[np.float64], origin: NDArray[np.float64]
) -> Affine:
    x, y, z = ((float(column[a]), float(row[a]), float(step[a]), float(origin[a])) for a in range(3))
    return (x, y, z, (0.0, 0.0, 0.0, 1.0))


def _by_number(slices: Sequence[Slice], *, some: bool) -> Stack:
    """Slices without orientation, position or pixel spacing: the best order there is, and no millimetre."""
    lacking = "some slices lack" if some else "the slices lack"
    what = f"No grid in mm: {lacking} orientation, position or pixel spacing."
    for values, how in (
        ([item.location for item in slices], "Slice Location"),
        ([item.number for item in slices], "Instance Number"),
    ):
        if all(value is not None for value in values) and len(set(values)) == len(values):
            order = sorted(range(len(slices)), key=lambda index: values[index] or 0)
            return Stack(tuple(order), problems=(f"{what} They are ordered by {how}.",))
    return Stack(tuple(range(len(slices))), problems=(f"{what} They are in the order of the file names.",))


def _common(values: Sequence[float | None]) -> float | None:
    """The value that all share within 1 %, or None."""
    if not values or any(value is None for value in values):
        return None
    known = [value for value in values if value is not None]
    return known[0] if max(known) - min(known) <= 0.01 * abs(known[0]) else None
