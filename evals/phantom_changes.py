"""Changes to a generated film that a test can plant: a new film whose masks and ratio follow the pixels."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from secondread.evals.phantom import Film, Mask, with_pixels
from secondread.schema.errors import InputError

Side = Literal["right", "left"]


def add_border(film: Film, share: float = 0.08, grey: float = 0.0) -> Film:
    """A frame of one grey around the film, `share` of each side wide; the film itself keeps its pixels."""
    rows, columns = film.grey.shape
    pad = ((round(rows * share),) * 2, (round(columns * share),) * 2)
    return with_pixels(
        film,
        np.pad(film.grey, pad, constant_values=grey),
        {name: np.pad(mask, pad) for name, mask in film.masks.items()},
    )


def add_marker_text(film: Film, text: str = "R", at: tuple[float, float] = (0.06, 0.10), height: float = 0.04) -> Film:
    """White letters on a black box, as printed on films.

    Args:
        film: What to print on.
        text: What to print.
        at: Row and column of the box's upper left corner, shares of the film. The default lies on the patient's right.
        height: Height of the letters, share of the film's rows.
    """
    from PIL import Image, ImageDraw, ImageFont

    rows, columns = film.grey.shape
    font = ImageFont.load_default(size=max(8.0, height * rows))
    left, top, right, bottom = (int(v) for v in font.getbbox(text))
    margin = max(2, round(0.008 * rows))
    box = Image.new("L", (right - left + 2 * margin, bottom - top + 2 * margin), 0)
    ImageDraw.Draw(box).text((margin - left, margin - top), text, fill=255, font=font)
    stamp = np.asarray(box, dtype=np.float32) / 255
    row, column = round(at[0] * rows), round(at[1] * columns)
    if row + stamp.shape[0] > rows or column + stamp.shape[1] > columns or min(row, column) < 0:
        raise InputError("The marker does not fit on the film there.", hint="Give another place or a smaller height.")
    grey = film.grey.copy()
    grey[row : row + stamp.shape[0], column : column + stamp.shape[1]] = stamp
    return with_pixels(film, grey)


def add_opacity(film: Film, side: Side, *, strength: float = 0.3, share: float = 0.35, level: float = 0.75) -> Film:
    """A soft white shadow in one lung; the masks stay, as the anatomy under it stays.

    Args:
        film: What to change.
        side: The patient's side.
        strength: Grey added at its centre, towards white.
        share: Its height, share of the lung's height.
        level: Height of its centre in the lung, 0 at the apex, 1 at the base.
    """
    lung = film.masks[f"{side}_lung"]
    occupied = np.flatnonzero(lung.any(axis=1))
    top, tall = int(occupied[0]), int(occupied[-1] - occupied[0] + 1)
    row = top + round(level * (tall - 1))
    column = float(np.median(np.flatnonzero(lung[row])))
    y, x = np.indices(film.grey.shape)
    reach = share * tall / 2
    cloud = np.exp(-(((y - row) / reach) ** 2 + ((x - column) / (1.3 * reach)) ** 2))
    uneven = ndimage.gaussian_filter(np.random.default_rng(film.seed).standard_normal(film.grey.shape), reach / 6)
    cloud *= np.clip(1 + 0.25 * uneven / max(float(uneven.std()), 1e-9), 0, 2)
    cloud *= ndimage.gaussian_filter(lung.astype(np.float32), reach / 12)
    return with_pixels(film, film.grey + np.clip(strength * cloud, 0, 1) * (1 - film.grey))


def blur(film: Film, sigma: float = 2.0) -> Film:
    """A Gaussian blur of `sigma` pixels."""
    return with_pixels(film, ndimage.gaussian_filter(film.grey, sigma))


def noise(film: Film, strength: float = 0.05) -> Film:
    """White noise of a standard deviation of `strength`, drawn from the film's seed."""
    drawn = np.random.default_rng(film.seed + 1).standard_normal(film.grey.shape)
    return with_pixels(film, np.clip(film.grey + strength * drawn, 0.0, 1.0))


def underexpose(film: Film, strength: float = 0.6) -> Film:
    """A film too light to read: grey drawn towards `0.95`, and its grain with it.

    Args:
        film: What to change.
        strength: 0 leaves the film as it is, 1 leaves nothing.
    """
    return with_pixels(film, film.grey + strength * (0.95 - film.grey))


def rotate(film: Film, degrees: float) -> Film:
    """The film turned about its middle, clockwise for positive angles; what comes in from outside is black."""
    return _moved(film, lambda plane, order: ndimage.rotate(plane, -degrees, reshape=False, order=order))


def squeeze(film: Film, rows: float = 1.0, columns: float = 1.0) -> Film:
    """The film scaled by a factor per axis: its aspect ratio is lost."""
    return _moved(film, lambda plane, order: ndimage.zoom(plane, (rows, columns), order=order))


def crop(film: Film, top: float = 0.0, bottom: float = 0.0, image_left: float = 0.0, image_right: float = 0.0) -> Film:
    """The film without a share of its rows or columns at each side.

    Raises:
        InputError: Nothing of a structure would be left.
    """
    rows, columns = film.grey.shape
    kept = (
        slice(round(top * rows), rows - round(bottom * rows)),
        slice(round(image_left * columns), columns - round(image_right * columns)),
    )
    return _with_all(film, film.grey[kept].copy(), {name: mask[kept].copy() for name, mask in film.masks.items()})


def flip(film: Film) -> Film:
    """The film mirrored left to right: the masks keep their names, so the right lung now lies on the image right."""
    return _with_all(film, film.grey[:, ::-1].copy(), {name: mask[:, ::-1].copy() for name, mask in film.masks.items()})


def invert(film: Film) -> Film:
    """Black for white."""
    return with_pixels(film, 1.0 - film.grey)


def _moved(film: Film, move: Callable[[NDArray[Any], int], NDArray[Any]]) -> Film:
    grey = np.clip(move(film.grey, 1), 0.0, 1.0)
    return _with_all(film, grey, {name: move(mask.astype(np.float32), 1) > 0.5 for name, mask in film.masks.items()})


def _with_all(film: Film, grey: NDArray[Any], masks: Mapping[str, Mask]) -> Film:
    if not all(mask.any() for mask in masks.values()):
        raise InputError("Nothing of a structure would be left on the film.", hint="Cut less.")
    return with_pixels(film, grey, masks)
