"""One DICOM series taken apart into what it really holds: stacks, clips, localizers and single images.

A series is what the scanner filed under one number. It is split, in this order, by

1. kind of object (an image, a screen shot, something derived) and localizers by Image Type;
2. files that are clips: several frames without a position;
3. orientation, pixel spacing, matrix size, frame of reference;
4. whatever tells images at one position apart: echo, time, diffusion weight, image type, kernel, acquisition. The first
   attribute that does it for at least half of the positions in every part wins, so a value that merely changes from
   slice to slice splits nothing.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.study import tags
from secondread.imaging.study.stack import ANGLE_DEGREES
from secondread.imaging.study.units import Unit

LOCALIZER_TYPES = frozenset(("LOCALIZER", "SCOUT", "TOPOGRAM", "SCANOGRAM", "SURVIEW"))
"""Values of Image Type. Source: DICOM PS3.3 C.8.2.1.1.1 (CT: LOCALIZER); the others are words of makers."""
CROSSING_DEGREES = 45.0
FEW = 3
"""A localizer by geometry has at most this many slices, and the stack that it crosses four times as many."""
THREE_PLANE = 5
"""A series of crossing planes with at most this many images in each is a localizer: no stack is that thin."""


@dataclass(slots=True)
class Part:
    """Images that become one series."""

    units: list[Unit]
    localizer: bool = False
    clip: bool = False
    problems: list[str] = field(default_factory=list)


def split(units: list[Unit]) -> list[Part]:
    """Parts of one series of one kind of object, the largest first among those of one origin.

    Args:
        units: Not empty; all of one SeriesInstanceUID and one kind of object.
    """
    parts: list[Part] = []
    scouts = [unit for unit in units if _said_localizer(unit)]
    rest = [unit for unit in units if not _said_localizer(unit)]
    clips = _groups((u for u in rest if u.header.frames > 1 and u.geometry is None), lambda u: id(u.header))
    parts += [Part(clip, clip=True) for clip in clips]
    rest = [unit for unit in rest if unit.header.frames == 1 or unit.geometry is not None]
    loose = [unit for unit in rest if unit.geometry is None]
    if loose:
        parts.append(Part(loose))
    grids = _by_grid([unit for unit in rest if unit.geometry is not None])
    crossing = _localizers(grids)
    for index, grid in enumerate(grids):
        if crossing[index]:
            note = "Taken for a localizer: its plane crosses that of the other images of the series."
            parts.append(Part(grid, localizer=True, problems=[note]))
        else:
            parts += [Part(stack, problems=notes) for stack, notes in _by_position(grid)]
    if scouts:
        parts.append(Part(scouts, localizer=True))
    real = [part for part in parts if not part.localizer and not part.clip]
    if len(real) > 1:
        note = f"One of {len(real)} parts of one series of the scanner: {_why(real)}."
        for part in real:
            part.problems.append(note)
    return parts


def _said_localizer(unit: Unit) -> bool:
    return not LOCALIZER_TYPES.isdisjoint(unit.header.words(tags.IMAGE_TYPE))


def _groups(units: Iterable[Unit], key: Callable[[Unit], Hashable]) -> list[list[Unit]]:
    found: dict[Hashable, list[Unit]] = defaultdict(list)
    for unit in units:
        found[key(unit)].append(unit)
    return list(found.values())


def _by_grid(units: list[Unit]) -> list[list[Unit]]:
    """Images that share size, frame of reference, pixel spacing and orientation, the largest group first."""
    result: list[list[Unit]] = []
    for group in _groups(units, lambda u: (u.header.rows, u.header.columns, u.header.text(tags.FRAME_OF_REFERENCE))):
        steps = _steps(group)
        left = np.arange(len(group))
        while len(left):
            same = _alike(steps[left], steps[left[0]])
            result.append([group[i] for i in left[same]])
            left = left[~same]
    return sorted(result, key=len, reverse=True)


def _steps(units: list[Unit]) -> NDArray[np.float64]:
    """Steps along columns and rows in mm, shape (images, 2, 3)."""
    return np.array([(u.geometry.per_column, u.geometry.per_row) for u in units if u.geometry is not None])


def _alike(steps: NDArray[np.float64], first: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which steps agree with the first in direction (0.1 degree) and length (0.1 %)."""
    lengths = np.linalg.norm(steps, axis=2)
    length = np.linalg.norm(first, axis=1)
    cosines = (steps * first).sum(axis=2) / (lengths * length)
    return np.asarray(
        ((np.abs(lengths / length - 1) <= 1e-3) & (cosines >= np.cos(np.radians(ANGLE_DEGREES)))).all(axis=1)
    )


def _localizers(grids: list[list[Unit]]) -> list[bool]:
    """Which groups are scouts by their geometry."""
    normals = []
    for grid in grids:
        normal = np.cross(*_steps(grid[:1])[0])
        normals.append(normal / np.linalg.norm(normal))
    angles = np.degrees(np.arccos(np.clip(np.abs(np.array(normals) @ np.array(normals).T), 0, 1))) if grids else []
    crossed = [[k for k in range(len(grids)) if angles[n][k] > CROSSING_DEGREES] for n in range(len(grids))]
    sizes = [len(grid) for grid in grids]
    if len(grids) > 1 and all(crossed) and max(sizes) <= THREE_PLANE:
        return [True] * len(grids)
    return [
        sizes[n] <= FEW and any(sizes[k] >= 4 * sizes[n] and sizes[k] > FEW for k in crossed[n])
        for n in range(len(grids))
    ]


def _by_position(grid: list[Unit]) -> list[tuple[list[Unit], list[str]]]:
    """Stacks in which every position occurs once, as far as the headers tell images at one position apart."""
    places = _places(grid)
    many = _repeats(places)
    if many == 1:
        return [(grid, [])]
    if many == len(grid):
        return [(grid, ["All images lie at one position: a series in time, or several weightings."])]
    of_frames = (label for unit in grid for label in unit.marks if label != "file")
    beside = _beside(grid)
    for label in dict.fromkeys(["place in the plane", *of_frames, *_LABELS, "file"]):
        tag = _LABELS.get(label, 0)
        groups: dict[str, list[int]] = defaultdict(list)
        for index, unit in enumerate(grid):
            groups[beside[index] if label == "place in the plane" else unit.mark(label, tag)].append(index)
        if not 1 < len(groups) <= many * 2:
            continue
        inside = [places[members] for members in groups.values()]
        whole = len(np.unique(places))
        if all(2 * len(np.unique(part)) >= whole for part in inside) and max(map(_repeats, inside)) < many:
            found: list[tuple[list[Unit], list[str]]] = []
            for members in groups.values():
                found += [
                    (part, notes or [f"told apart by {label}"])
                    for part, notes in _by_position([grid[i] for i in members])
                ]
            return found
    counts = np.bincount(places)
    if (counts == many).all() and len(counts) > 1:
        return [([grid[i] for i in members], ["not told apart by the header; taken in the order of instance numbers"])
                for members in _rounds(grid, places, many)]  # fmt: skip
    return [(grid, [])]


_LABELS = {label: tag for tag, label in tags.SPLITTING}


def _places(grid: list[Unit]) -> NDArray[np.intp]:
    """Number of the position of each image; origins within 0.01 mm (or a tenth of a pixel) are one."""
    origins = np.array([u.geometry.origin for u in grid if u.geometry is not None])
    limit = min(0.01, 0.1 * float(np.linalg.norm(_steps(grid[:1])[0], axis=1).min()))
    normal = np.cross(*_steps(grid[:1])[0])
    along = origins @ (normal / np.linalg.norm(normal))
    order = np.argsort(along, kind="stable")
    numbers = np.empty(len(grid), dtype=np.intp)
    numbers[order] = np.concatenate(([0], np.cumsum(np.diff(along[order]) > limit)))
    return numbers


def _beside(grid: list[Unit]) -> list[str]:
    """Where in their common plane the images begin, to the millimetre: stacks side by side share positions."""
    steps = _steps(grid[:1])[0]
    directions = steps / np.linalg.norm(steps, axis=1, keepdims=True)
    origins = np.array([u.geometry.origin for u in grid if u.geometry is not None])
    return [f"{x:.0f} {y:.0f}" for x, y in np.round(origins @ directions.T) + 0.0]


def _repeats(places: NDArray[np.intp]) -> int:
    """How many images lie at the position that has most."""
    return int(np.unique(places, return_counts=True)[1].max())


def _rounds(grid: list[Unit], places: NDArray[np.intp], many: int) -> list[list[int]]:
    """The first image of each position, the second, and so on."""
    seen: dict[int, int] = defaultdict(int)
    rounds: list[list[int]] = [[] for _ in range(many)]
    for index in sorted(range(len(grid)), key=lambda i: (grid[i].header.whole(tags.INSTANCE_NUMBER) or 0, i)):
        place = int(places[index])
        rounds[seen[place]].append(index)
        seen[place] += 1
    return rounds


def _why(parts: list[Part]) -> str:
    """How parts of one series differ, in words."""
    told = [note for part in parts for note in part.problems if note.startswith(("told apart", "not told apart"))]
    for part in parts:
        part.problems[:] = [note for note in part.problems if note not in told]
    if told:
        return told[0]
    sizes = {(unit.header.rows, unit.header.columns) for part in parts for unit in part.units[:1]}
    return (
        "they differ in matrix size" if len(sizes) > 1 else "they differ in orientation, spacing or frame of reference"
    )
