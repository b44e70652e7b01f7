"""The picture of one piece of evidence: masks, landmarks with their lines, boxes and the number."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from secondread.schema.errors import StoreError
from secondread.schema.evidence import DerivedImage, Evidence, Findings, Measurement, Measurements, Regions
from secondread.schema.region import Box, Point

if TYPE_CHECKING:
    from secondread.imaging.draw.render import Sides
    from secondread.imaging.store import ImageStore
    from secondread.imaging.volume.volume import Volume

PAIRS = ("image_left", "image_right")
"""Suffixes of the two landmarks that end a horizontal distance."""

SHOWN_AS_MADE = ("zoom", "window", "contrast", "mark")
"""Actions whose picture is the image they made, not where it lies in its parent."""


def paint(evidence: Evidence, ledger: Sequence[Evidence], store: "ImageStore") -> Any:
    """Draw evidence on its image.

    Args:
        evidence: What to show.
        ledger: All evidence of the run: a measurement is shown on the masks that it was taken from.
        store: Holds pixels and masks.

    Returns:
        A `PIL.Image.Image`.

    Raises:
        StoreError: The evidence is about no image, or its pixels have left the store.
    """
    from secondread.imaging.draw.render import overlay

    if evidence.image is None:
        raise StoreError(f"Evidence {evidence.id} ({evidence.tool}) is about no image.")
    anatomy = next((e.result for e in ledger if e.image == evidence.image and isinstance(e.result, Regions)), None)
    masks: dict[str, Any] = {}
    points: list[Point] = []
    boxes: list[Any] = []
    lines: list[tuple[Point, Point, str]] = []
    result = evidence.result
    if isinstance(result, Regions | Measurements) and anatomy is not None:
        masks = {name: store.mask(ref) for name, ref in anatomy.masks.items()}
    if isinstance(result, Measurements):
        masks |= {name: store.mask(ref) for name, ref in result.outlined.items()}
        boxes = [
            Box(grid=one.grid, x0=x0, y0=y0, x1=x1, y1=y1)
            for one in result.counted
            if not result.outlined
            for x0, y0, x1, y1 in one.boxes
        ]
        lines = distances(result.items)
        seen = {(p.x, p.y): p for m in result.items for p in m.landmarks}
        points = [p.model_copy(update={"name": ""}) if p.name.endswith(PAIRS) else p for p in seen.values()]
    elif isinstance(result, Findings):
        boxes = [f.region for f in result.items if f.region is not None]
    elif isinstance(result, DerivedImage) and evidence.tool in SHOWN_AS_MADE:
        return overlay(
            store.pixels(result.image),
            caption=f"{evidence.id}: {evidence.summary}",
            spacing=store.info(result.image).spacing,
        )
    elif isinstance(result, DerivedImage) and result.box is not None:
        boxes = [result.box]
    info = store.info(evidence.image)
    caption = f"{evidence.id}: {evidence.summary}" + (f" ({evidence.place})" if evidence.place else "")
    if info.dimension == 3:
        return _volume(store.volume(evidence.image), masks, caption)
    if not masks and not boxes and info.ref.parent is not None and info.ref.transform is not None:
        return _in_whole(evidence.image, caption, store)
    doubtful = anatomy is not None and anatomy.heart_side == "image_left"
    film = anatomy is not None or info.view in ("PA", "AP") or info.geometry is not None
    sides: Sides = "image" if doubtful else "patient" if film else "none"
    return overlay(
        store.pixels(evidence.image),
        masks=masks,
        points=points,
        boxes=boxes,
        lines=lines,
        caption=caption,
        spacing=info.spacing,
        sides=sides,
        geometry=info.geometry,
    )


def _volume(volume: "Volume", masks: dict[str, Any], caption: str) -> Any:
    """Slices of a volume, those through its outlines when there are any."""
    from secondread.imaging.draw.slices import montage

    first = last = None
    held = [i for i in range(volume.count("axial")) if any(volume.shown(m, "axial", i).any() for m in masks.values())]
    if held:
        first, last = held[0], held[-1]
    return montage(volume, "axial", first=first, last=last, masks=masks, caption=caption)


def _in_whole(image: str, caption: str, store: "ImageStore") -> Any:
    """The image a region was marked on, with the region as a box."""
    from secondread.imaging.coordinates import up
    from secondread.imaging.draw.render import overlay

    ref = store.info(image).ref
    assert ref.parent is not None and ref.transform is not None
    whole = store.info(ref.parent)
    box = up(
        Box(grid=ref.grid, x0=-0.5, y0=-0.5, x1=ref.columns - 0.5, y1=ref.rows - 0.5), ref.transform, whole.ref.grid
    )
    assert isinstance(box, Box)
    return overlay(
        store.pixels(ref.parent), boxes=[box], caption=caption, spacing=whole.spacing, geometry=whole.geometry
    )


def distances(items: Sequence[Measurement]) -> list[tuple[Point, Point, str]]:
    """Horizontal distances between landmarks `<name>_image_left` and `<name>_image_right`, with their number."""
    found: dict[str, tuple[Point, Point, str]] = {}
    for item in items:
        by_name = {p.name: p for p in item.landmarks}
        for name, left in by_name.items():
            if not name.endswith(PAIRS[0]):
                continue
            stem = name.removesuffix(f"_{PAIRS[0]}")
            right = by_name.get(f"{stem}_{PAIRS[1]}")
            own = next((m for m in items if m.name == f"{stem}_width" and m.value is not None), None)
            if right is not None:
                label = f"{stem} {own.value:.0f} {own.unit}" if own is not None else stem
                level = left.model_copy(update={"y": right.y})
                found[stem] = (level, right, label)
    return list(found.values())
