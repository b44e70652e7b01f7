"""When a second look at a crop of the image is worth its cost."""

from collections.abc import Iterator, Mapping, Sequence

from secondread.agent.judging.judgement import Judgement
from secondread.agent.planners.base import Critique, Proposition
from secondread.agent.run import Run
from secondread.agent.state import LoopState
from secondread.schema.evidence import DerivedImage, Evidence, Regions
from secondread.schema.image import ImageInfo
from secondread.schema.region import Box

SMALL_CHEST = 0.60
"""Below this share of the image's width or height the chest is read with too few of the network's input pixels:
at 256 of them across the image, one pixel is then more than 0.6 % of the thorax."""
MARGIN = 0.12
"""Border kept around the chest, as a share of its size: the network was trained on films with surroundings."""
NO_GAIN = 0.80
"""A crop that keeps more than this share of the image's area shows nothing closer."""
CROP_LONG_SIDE = 768
"""Derived images are enlarged to about this long side in pixels."""


def chest_box(regions: Regions) -> Box | None:
    """Bounding box of lungs and heart, or None when nothing was found."""
    boxes = [m.box for m in regions.masks.values() if m.box is not None]
    if not boxes:
        return None
    return Box(
        grid=boxes[0].grid,
        x0=min(b.x0 for b in boxes),
        y0=min(b.y0 for b in boxes),
        x1=max(b.x1 for b in boxes),
        y1=max(b.y1 for b in boxes),
        name="chest",
    )


def with_margin(box: Box, rows: int, columns: int) -> Box:
    """The box widened by `MARGIN` on each side, within the image."""
    dx, dy = MARGIN * (box.x1 - box.x0), MARGIN * (box.y1 - box.y0)
    return box.model_copy(
        update={
            "x0": max(-0.5, box.x0 - dx),
            "y0": max(-0.5, box.y0 - dy),
            "x1": min(columns - 0.5, box.x1 + dx),
            "y1": min(rows - 0.5, box.y1 + dy),
        }
    )


def look_wanted(info: ImageInfo, ledger: Mapping[str, Evidence]) -> tuple[Evidence, Box, str] | None:
    """The outline that asks for a closer look at an image, the part to look at, and why; None when it is close enough.

    The first outline of the chest counts: what is asked for may not depend on what else was tried.
    """
    item = next(
        (
            e
            for e in ledger.values()
            if e.tool == "chest_anatomy" and e.image == info.ref.id and isinstance(e.result, Regions)
        ),
        None,
    )
    if item is None or not isinstance(item.result, Regions):
        return None
    box = chest_box(item.result)
    if box is None:
        return None
    ref = info.ref
    share = min((box.x1 - box.x0) / ref.columns, (box.y1 - box.y0) / ref.rows)
    crop = with_margin(box, ref.rows, ref.columns)
    if (crop.x1 - crop.x0) * (crop.y1 - crop.y0) > NO_GAIN * ref.rows * ref.columns:
        return None
    if share < SMALL_CHEST:
        return item, crop, f"the chest fills only {share:.0%} of the image"
    return None if item.result.plausible else (item, crop, "heart and lungs were not found plausibly")


def closer_looks(info: ImageInfo, ledger: Mapping[str, Evidence]) -> tuple[str, ...]:
    """Ids of an image and of the crop that the program asks for, when it was made.

    No other crop takes the place of the whole image: whoever chooses the crop could choose the number.
    """
    wanted = look_wanted(info, ledger)
    if wanted is None:
        return (info.ref.id,)
    for item in ledger.values():
        made = item.result
        if (
            item.tool == "crop"
            and item.image == info.ref.id
            and isinstance(made, DerivedImage)
            and _same(made, wanted[1])
        ):
            return info.ref.id, made.image
    return (info.ref.id,)


def _same(made: DerivedImage, wanted: Box) -> bool:
    """Whether a crop shows this part, up to the rounding of its edges."""
    edges = ("x0", "y0", "x1", "y1")
    return made.box is not None and all(abs(getattr(made.box, e) - getattr(wanted, e)) <= 1.0 for e in edges)


def wanted_looks(
    props: Sequence[Proposition],
    judged: dict[str, Judgement],
    state: LoopState,
    ledger: dict[str, Evidence],
    run: Run,
) -> Iterator[tuple[str, Critique]]:
    """Images whose chest should be cropped and measured again, each at most once, with the reason."""
    if "crop" not in run.executor.catalogue:
        return
    resting = [p for p in props if judged[p.id].measurement is not None]
    if not resting:
        return
    for image in state["images"]:
        if image in state.get("looked", []):
            continue
        wanted = look_wanted(run.infos[image], ledger)
        if wanted is None:
            continue
        item, crop, why = wanted
        yield (
            image,
            Critique(
                kind="closer_look",
                text=f"{why}: crop to it and measure again",
                propositions=tuple(p.id for p in resting),
                evidence=(item.id,),
                tools=("crop",),
                region=crop,
            ),
        )


def crop_scale(box: Box) -> float:
    """Enlargement that brings the crop's long side to about `CROP_LONG_SIDE`; at least 1."""
    return max(1.0, CROP_LONG_SIDE / max(box.x1 - box.x0, box.y1 - box.y0))
