"""Outlines that the caller gives: label maps and pictures to masks on the grid of an image."""

import os
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.store import ImageStore
from secondread.kg.graph import Graph
from secondread.schema.errors import InputError, UsageError
from secondread.schema.image import ImageInfo
from secondread.schema.region import MaskRef


def given_masks(
    store: ImageStore, info: ImageInfo, masks: Mapping[str, Any], graph: Graph
) -> tuple[dict[str, MaskRef], tuple[str, ...]]:
    """Put given outlines onto the grid of an image or volume.

    Args:
        store: Holds the image.
        info: The image or volume that they belong to.
        masks: Name of the structure -> an array, a path, or (path, label value). Any label above 0 counts when no value
            is named.
        graph: Turns names into concept ids; a name it does not know becomes `marked_region`.

    Returns:
        Masks by concept id, and what should be said of how they were placed.

    Raises:
        InputError: A file that cannot be read, another grid that cannot be placed, or no pixel of that label.
        UsageError: Two outlines of one structure.
    """
    found: dict[str, MaskRef] = {}
    notes: list[str] = []
    for name, source in masks.items():
        concept = concept_of(name, graph)
        if concept in found:
            raise UsageError(f"Two outlines were given for {concept.replace('_', ' ')}.")
        origin, value = source if isinstance(source, tuple) else (source, None)
        labels, told = _labels(store, info, origin)
        mask = labels == value if value is not None else labels > 0
        if not mask.any():
            what = f"label {value}" if value is not None else "outline"
            raise InputError(f"The {what} given for {concept.replace('_', ' ')} is empty.")
        found[concept] = store.put_mask(info.ref.id, concept, np.ascontiguousarray(mask))
        notes += told
    return found, tuple(dict.fromkeys(notes))


def concept_of(name: str, graph: Graph) -> str:
    """Concept id of a structure's name; `marked_region` when the graph knows no structure of that name.

    The outline of a `mass` says where to measure. That there is a mass the caller has said and no tool has shown, so it
    is measured as a region and not told as a finding.
    """
    word = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    known = [graph.concept(word)] if graph.has(word) else graph.lookup(word.replace("_", " "))
    return known[0].id if len(known) == 1 and known[0].kind == "anatomy" else "marked_region"


def _labels(store: ImageStore, info: ImageInfo, source: Any) -> tuple[NDArray[Any], list[str]]:
    """Label values on the grid of the image, and caveats."""
    _, shape = store.grid(info.ref.id)
    if isinstance(source, str | os.PathLike):
        path = os.fsdecode(source)
        if len(shape) == 3:
            from secondread.imaging.volume.onto import mask_on
            from secondread.imaging.volume.open import open_volume

            labels, caveats = mask_on(open_volume(path), store.volume(info.ref.id))
            return labels, list(caveats)
        from PIL import Image, UnidentifiedImageError

        try:
            with Image.open(path) as picture:
                labels = np.asarray(picture if picture.mode in ("L", "I", "I;16", "P", "1") else picture.convert("L"))
        except (OSError, UnidentifiedImageError):
            raise InputError(f"{path} is not a mask picture.", hint="Give a PNG or TIFF with label values.") from None
    else:
        labels = np.asarray(source)
    if labels.shape != shape:
        raise InputError(
            f"A mask of shape {labels.shape} does not lie on the grid of shape {shape}.",
            hint="Give it at the size of the image.",
        )
    return labels, []
