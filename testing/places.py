"""Checks of coordinates: regions lie in the grid they name, and follow the content of the image."""

from collections.abc import Iterator
from typing import Any

from secondread.schema.errors import SecondReadError
from secondread.schema.evidence import Counted
from secondread.schema.region import Box, MaskRef, Point, Polygon
from secondread.testing.report import Fault, Skip
from secondread.testing.subject import Subject
from secondread.tools.runtime.check import checked, parts

PAD = 24
"""Pixels of black around the image in the checks of shift and crop."""
STEP = (5, 9)
"""Rows and columns by which the content is moved."""
CUT = 11


def inside(subject: Subject) -> None:
    """Do all regions, masks and counted objects lie inside the image that they name?"""
    if not subject.answers:
        raise Skip("no image gave a result")
    for case, found in subject.answers:
        try:
            checked(subject.tool, found, subject.runtime.store, case.image)
        except SecondReadError as error:
            raise Fault(error.message) from None


def corners(result: Any) -> Iterator[tuple[float, float]]:
    """Places (x, y) of every region of a result, in order."""
    for part in parts(result):
        if isinstance(part, Point):
            yield part.x, part.y
        elif isinstance(part, Box):
            yield part.x0, part.y0
            yield part.x1, part.y1
        elif isinstance(part, Polygon):
            yield from part.points
        elif isinstance(part, Counted):
            yield from part.points
            for box in part.boxes:
                yield box[0], box[1]
                yield box[2], box[3]
        elif isinstance(part, MaskRef) and part.box is None and part.pixels:
            raise Fault(f"the mask of {part.name} has pixels and no box")


def shift(subject: Subject) -> None:
    """Do the regions move with the content of the image?"""
    import numpy as np

    grey = _picture(subject, "shift")
    dy, dx = STEP
    there = np.pad(grey, PAD)
    moved = np.pad(grey, ((PAD + dy, PAD - dy), (PAD + dx, PAD - dx)))
    store = subject.runtime.store
    before, after = (_corners(subject, store.add(image).ref.id) for image in (there, moved))
    _follow(subject, [(x + dx, y + dy) for x, y in before], after, "the content was moved")


def crop(subject: Subject) -> None:
    """Do the regions stay on the content when the image is cut down around it?"""
    import numpy as np

    grey = _picture(subject, "crop")
    store = subject.runtime.store
    whole = store.add(np.pad(grey, PAD))
    rows, columns = whole.ref.rows, whole.ref.columns
    box = Box(grid=whole.ref.grid, x0=CUT - 0.5, y0=CUT - 0.5, x1=columns - CUT - 0.5, y1=rows - CUT - 0.5)
    part = store.derive(whole.ref.id, box).id
    before, after = _corners(subject, whole.ref.id), _corners(subject, part)
    _follow(subject, [(x - CUT, y - CUT) for x, y in before], after, "the image was cut down")


def _picture(subject: Subject, declared: Any) -> Any:
    if declared not in subject.tool.card.equivariant:
        raise Skip(f"its card does not declare {declared}")
    for case, found in subject.answers:
        if case.image is not None and subject.runtime.store.info(case.image).dimension == 2 and list(corners(found)):
            return subject.runtime.store.pixels(case.image)
    raise Fault(f"its card declares {declared}, and no result has a region to follow")


def _corners(subject: Subject, image: str) -> list[tuple[float, float]]:
    [found] = subject.call(subject.case(image, subject.args[0]))
    if isinstance(found, SecondReadError):
        raise Fault(f"on the padded image: {found.message}")
    return list(corners(found))


def _follow(subject: Subject, wanted: list[tuple[float, float]], got: list[tuple[float, float]], what: str) -> None:
    if len(wanted) != len(got):
        raise Fault(f"{what}, and {len(wanted) // 2} regions became {len(got) // 2}")
    off = max((max(abs(x - u), abs(y - v)) for (x, y), (u, v) in zip(wanted, got, strict=True)), default=0.0)
    if off > subject.tool.card.tolerance_px:
        raise Fault(f"{what}, and a region is {off:.1f} px off; its card allows {subject.tool.card.tolerance_px:g} px")
