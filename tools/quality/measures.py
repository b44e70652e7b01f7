"""Image quality in numbers: each function takes a film on the common grid and returns one number.

Grey levels are the stored, displayed ones (0 black, 1 white, air dark). Display processing stands between the detector
and these levels, so `exposure` tells how the stored film looks, not which dose made it: in the words of film, an
underexposed radiograph is too bright (white) and an overexposed one too dark.
"""

import numpy as np

from secondread.tools.quality.grid import Grey, centre, stretched

BLACK, WHITE = 0.004, 0.996
"""Grey values beyond these are clipped (one step of 8 bits)."""
REBLUR = 9
"""Pixels of the averaging filter of the blur measure."""
HAT = 7
"""Side, in pixels, of the opening that burned-in letters do not survive; odd, 5 to 8."""
HAT_STEP = 0.5
"""Letters stand out by at least this share of the grey range."""


def exposure(film: Grey) -> float:
    """Median grey of the middle of the film."""
    return float(np.median(centre(film)))


def contrast(film: Grey) -> float:
    """Grey range of the middle of the film: 98th minus 2nd percentile."""
    low, high = np.percentile(centre(film), [2.0, 98.0])
    return float(high - low)


def clipping(film: Grey) -> float:
    """Share of the middle of the film that is fully black or fully white."""
    body = centre(film)
    return float(np.mean((body <= BLACK) | (body >= WHITE)))


def sharpness(film: Grey) -> float:
    """How much neighbouring grey differences shrink when the film is blurred once more: 0 blurred, 1 sharp.

    Source:
        Crete, Dolmiere, Ladret and Nicolas, "The blur effect: perception and estimation with a new no-reference
        perceptual blur metric", Proc SPIE 6492, 2007 (one minus their measure, less sharp direction).
    """
    from scipy import ndimage

    body = centre(film).astype(np.float64)
    scores = []
    for axis in (0, 1):
        again = ndimage.uniform_filter1d(body, REBLUR, axis=axis, mode="nearest")
        before = np.abs(np.diff(body, axis=axis))
        lost = np.maximum(before - np.abs(np.diff(again, axis=axis)), 0.0)
        total = before.sum()
        scores.append(lost.sum() / total if total > 0 else 0.0)
    return float(min(scores))


def noise(film: Grey, reach: float | None = None) -> float:
    """Standard deviation of the noise as a share of the grey range, from the median absolute Laplacian difference.

    Args:
        film: On the common grid.
        reach: Its `contrast`, when that is known.

    Source:
        Immerkaer, "Fast noise variance estimation", Computer Vision and Image Understanding 64, 1996 (the operator);
        the median makes it robust to edges.
    """
    body = centre(film).astype(np.float64)
    reach = contrast(film) if reach is None else reach
    if min(body.shape) < 3 or reach <= 0:
        return 0.0
    rows = body[:-2] - 2 * body[1:-1] + body[2:]
    both = rows[:, :-2] - 2 * rows[:, 1:-1] + rows[:, 2:]
    inner = body[1:-1, 1:-1]
    live = (inner > BLACK) & (inner < WHITE)
    if np.count_nonzero(live) < 16:
        return 0.0
    return float(np.median(np.abs(both[live]))) / (6.0 * 0.6745) / reach


def text_burden(film: Grey) -> float:
    """Share of the film covered by small bright marks: burned-in letters, markers, wires."""
    grey = stretched(film)
    return float(np.mean(grey - opened(grey) > HAT_STEP))


def opened(grey: Grey) -> Grey:
    """Grey-value opening with a square of `HAT` pixels, cut at the border of the film."""
    return _swept(_swept(grey, np.minimum, np.inf), np.maximum, -np.inf)


def _swept(grey: Grey, better: np.ufunc, beyond: float) -> Grey:
    """Minimum or maximum over the square of `HAT` pixels around each pixel, from windows of 2 and 4 along each axis."""
    found = np.pad(grey, HAT // 2, constant_values=beyond)
    for _ in range(2):
        two = better(found[:-1], found[1:])
        four = better(two[:-2], two[2:])
        found = better(four[: 4 - HAT], four[HAT - 4 :]).T
    return found
