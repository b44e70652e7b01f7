"""The image router's model: which kind of picture, and how far from everything it knows."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

KINDS = (
    "chest_radiograph_image",
    "fundus_photograph",
    "blood_smear_image",
    "fluorescence_micrograph",
    "stained_micrograph",
    "ultrasound_image",
    "hippocampal_mr_crop",
    "mr_slice",
    "ct_slice",
)
"""Kinds that are told apart; a hippocampal crop is an MR slice as well."""

OTHER = "other_image"

CLIP = 6.0
"""Standardised features beyond this count as this."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class RouterModel:
    """Linear classifier and one Gaussian per kind, over standardised features.

    Attributes:
        mean: Shape (n,), of the features over training views of all kinds, each kind weighing the same.
        scale: Shape (n,), their standard deviations.
        weight: Shape (len(KINDS) + 1, n) of the multinomial logistic regression; the last row is `OTHER`.
        bias: Shape (len(KINDS) + 1,).
        axes: Shape (n, k): principal axes of the standardised features.
        centres: Shape (len(KINDS), k + 1): mean of each kind along the axes, and of what the axes leave over.
        whiten: Shape (len(KINDS), k + 1, k + 1): maps a difference from a centre to one of unit covariance.
        distances: Shape (len(KINDS), q): evenly spaced quantiles, 0 to 1, of the distance of pictures of a kind from
            the Gaussian of their kind, out of fold.
    """

    mean: Floats
    scale: Floats
    weight: Floats
    bias: Floats
    axes: Floats
    centres: Floats
    whiten: Floats
    distances: Floats

    @property
    def nbytes(self) -> int:
        """Memory of all arrays."""
        return sum(getattr(self, f.name).nbytes for f in fields(self))

    def standard(self, features: Floats) -> Floats:
        """Standardised features, shape (rows, n)."""
        return np.asarray(np.clip((features - self.mean) / self.scale, -CLIP, CLIP), np.float32)

    def probabilities(self, features: Floats) -> Floats:
        """Share of each kind and of `OTHER`, shape (rows, len(KINDS) + 1), rows sum to 1."""
        return softmax(self.standard(features) @ self.weight.T + self.bias)

    def far(self, features: Floats) -> Floats:
        """Mahalanobis distance to each kind per root of the number of dimensions, shape (rows, len(KINDS))."""
        difference = project(self.standard(features), self.axes)[:, None, :] - self.centres[None]
        white = np.einsum("rki,kij->rkj", difference, self.whiten)
        return np.asarray(np.sqrt((white**2).mean(-1)), np.float32)

    def typical(self, features: Floats) -> Floats:
        """Share of out-of-fold pictures of each kind that lie at least as far, shape (rows, len(KINDS)).

        Small: unlike all pictures of that kind. It is a conformal p-value with interpolated ranks.

        Source:
            Bates et al., Annals of Statistics 2023;51:149-178.
        """
        far = self.far(features)
        rank = np.linspace(0, 1, self.distances.shape[1])
        columns = [np.interp(far[:, k], self.distances[k], rank, right=1.0) for k in range(len(KINDS))]
        return (1 - np.stack(columns, axis=1)).astype(np.float32)


def project(standard: Floats, axes: Floats) -> Floats:
    """Coordinates along the axes, and the root mean square of what they leave over, shape (rows, k + 1)."""
    along = standard @ axes
    rest = standard - along @ axes.T
    return np.concatenate([along, np.sqrt((rest**2).mean(-1, keepdims=True))], axis=1).astype(np.float32)


def softmax(scores: Floats) -> Floats:
    """Along the last axis."""
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    return np.asarray(powers / powers.sum(-1, keepdims=True), np.float32)
