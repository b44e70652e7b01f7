"""What the vessel expert says of pictures that are no fundus photographs: which share it refuses."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from secondread.schema.errors import NotApplicable
from secondread.tools.segment.vessels.inference import segment
from secondread.training.vessels.data import Eye

if TYPE_CHECKING:
    from secondread.tools.segment.vessels.network import VesselNet

SETS = {
    "chest films": "cxr/images",
    "blood cells": "cells_bccd/images",
    "nuclei": "nuclei_dsb2018/images",
    "ultrasound": "ultrasound_usgra/images",
}
PER_SET = 60
RETINA = np.array([165.0, 70.0, 22.0])
"""Mean colour of a retina, for pictures that are dressed up as one."""
Pixels = NDArray[np.generic]


def tried(data: Path, eyes: Sequence[Eye], networks: "Mapping[int, VesselNet]") -> list[str]:
    """One line per kind of picture: how many were refused before the networks looked, how many after.

    Args:
        data: The folder that holds the other image sets.
        eyes: The photographs of the set; each altered one is read by the one network that has not seen it.
        networks: As shipped.
    """
    counts: dict[str, list[int]] = {}
    for kind, pixels, members in _pictures(data, eyes):
        n = counts.setdefault(kind, [0, 0, 0])
        n[0] += 1
        try:
            n[2] += not segment(pixels, networks, members).plausible
        except NotApplicable:
            n[1] += 1
    return [
        f"  {kind}: n = {n}, refused by field or colour {before}, by the vessels {after}, read {n - before - after}"
        for kind, (n, before, after) in counts.items()
    ]


def _pictures(data: Path, eyes: Sequence[Eye]) -> Iterator[tuple[str, Pixels, list[int] | None]]:
    from PIL import Image

    dressed: list[Pixels] = []
    for kind, folder in SETS.items():
        files = sorted(p for p in (data / folder).rglob("*") if p.suffix.lower() in {".png", ".jpg", ".jpeg"})
        for path in files[:: max(1, len(files) // PER_SET)][:PER_SET]:
            with Image.open(path) as picture:
                pixels = np.asarray(picture.convert("RGB"))
            yield kind, pixels, None
            if len(dressed) < (10 if kind == "chest films" else 40):
                dressed.append(pixels)
    for pixels in _natural():
        yield "natural photographs", pixels, None
        dressed.append(pixels)
    for pixels in dressed:
        yield "other pictures in the colours of a retina behind a round aperture", _aperture(pixels), None
    rng = np.random.default_rng(0)
    for _ in range(5):
        yield "aperture, noise", _aperture(rng.random((300, 300, 3)) * 255), None
        yield "aperture, even", _aperture(np.full((300, 300, 3), 128 + 20 * rng.random())), None
    for eye in eyes[::4]:
        whole = eye.rgb.astype(np.float32)
        yield "fundus as it is", eye.rgb, [eye.fold]
        yield "fundus at half size", eye.rgb[::2, ::2], [eye.fold]
        yield "fundus at a third of the brightness", whole / 3, [eye.fold]
        yield "fundus, grey", np.repeat(whole.mean(2, keepdims=True), 3, 2), [eye.fold]
        yield "fundus, red and blue exchanged", eye.rgb[..., ::-1], [eye.fold]
        yield "fundus, cut to its middle", eye.rgb[300:700, 300:700], [eye.fold]
        yield "fundus, negative", _negative(eye), [eye.fold]
        yield "fundus, out of focus", _blurred(whole, 12.0), [eye.fold]


def _natural() -> Iterator[Pixels]:
    """The two photographs that come with scikit-learn, whole and in parts."""
    from sklearn.datasets import load_sample_image

    for name in ("china.jpg", "flower.jpg"):
        picture = load_sample_image(name)
        yield picture
        for row, column in ((0, 0), (0, 240), (120, 0), (120, 240)):
            yield picture[row : row + 300, column : column + 400]


def _aperture(pixels: Pixels, side: int = 700) -> Pixels:
    """Any picture as brightness of a retina-coloured disc on black, uint8 (side, side, 3)."""
    from PIL import Image

    grey = Image.fromarray(np.asarray(pixels, np.float32).mean(2).astype(np.uint8)).resize((side, side))
    light = 0.4 + 0.9 * np.asarray(grey, np.float32) / 255
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    disc = np.hypot(x, y) < 0.48 * side
    pixels = np.clip(light[..., None] * RETINA * disc[..., None], 0, 255)
    return np.asarray(pixels, np.uint8)


def _negative(eye: Eye) -> Pixels:
    """Light vessels on a dark ground inside the field."""
    whole = eye.rgb.astype(np.float32)
    inside = whole.max(2) > 30
    turned = whole.copy()
    for channel in range(3):
        middle = float(np.median(whole[inside, channel]))
        turned[inside, channel] = np.clip(2 * middle - whole[inside, channel], 31, 255)
    return turned


def _blurred(whole: NDArray[np.float32], width: float) -> Pixels:
    from scipy import ndimage

    blurred: NDArray[np.float32] = ndimage.gaussian_filter(whole, (width, width, 0))
    return blurred
