"""Neighbour-aware filtering: which images to keep so that every concept stays covered.

Published formula (MedMKG, appendix D.5): score(m) = sum over (r, c) in T_m of log(M / |N(r, c)|), M images, N(r, c)
those with relation r to concept c; images are taken by falling score until the taken ones cover all concepts. It sums
over edges and so favours long reports; the variants divide by |T_m|, or take only images that add a concept.
"""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Variant = Literal["published", "mean", "gain"]


class Kept(NamedTuple):
    """A filtering."""

    images: NDArray[np.int64]
    """Rows of the images that are kept, in the order they were taken."""
    scores: NDArray[np.float64]
    """Of every image."""


def scores(
    images: NDArray[np.int64], relations: NDArray[np.int64], concepts: NDArray[np.int64], count: int
) -> NDArray[np.float64]:
    """The published score of every image.

    Args:
        images: int64[n], the image of each edge, 0 to count - 1; an edge that occurs twice counts once.
        relations: int64[n], its relation.
        concepts: int64[n], its concept.
        count: Number of images.

    Returns:
        float64[count]; 0 for an image without edges.
    """
    image, kind, kinds = _distinct(images, relations, concepts)
    weight = np.log(count / np.bincount(kind, minlength=kinds))
    return np.bincount(image, weight[kind], minlength=count).astype(np.float64)


def _distinct(
    images: NDArray[np.int64], relations: NDArray[np.int64], concepts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """Image and (relation, concept) pair, as a number, of every distinct edge, and how many pairs there are."""
    if not len(images):
        return images, images, 0
    pairs, pair = np.unique(relations * (concepts.max() + 1) + concepts, return_inverse=True)
    edges = np.unique(images * np.int64(len(pairs)) + pair.ravel())
    image, kind = np.divmod(edges, np.int64(len(pairs)))
    return image, kind, len(pairs)


def neighbour_aware(
    images: NDArray[np.int64],
    relations: NDArray[np.int64],
    concepts: NDArray[np.int64],
    count: int,
    variant: Variant = "published",
) -> Kept:
    """Images to keep; equal scores go by row.

    Args:
        images: int64[n], the image of each edge.
        relations: int64[n], its relation.
        concepts: int64[n], its concept, 0 or more.
        count: Number of images.
        variant: `published`; `mean` divides a score by the number of the image's edges; `gain` leaves out images that
            add no concept.
    """
    score = scores(images, relations, concepts, count)
    if variant == "mean":
        own, _, _ = _distinct(images, relations, concepts)
        score = score / np.maximum(1, np.bincount(own, minlength=count))
    order = np.lexsort((np.arange(count), -score))
    # First place in the order at which each concept is met: an image is needed up to the last of them.
    place = np.empty(count, np.int64)
    place[order] = np.arange(count)
    if not len(images):
        return Kept(np.zeros(0, np.int64), score)
    firsts = np.full(int(concepts.max()) + 1, count, np.int64)
    np.minimum.at(firsts, concepts, place[images])
    firsts = firsts[firsts < count]
    if variant == "gain":
        return Kept(order[np.unique(firsts)], score)
    return Kept(order[: int(firsts.max()) + 1], score)
