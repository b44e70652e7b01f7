"""Does a generated film lie nearer to a training film than training films lie to each other?"""

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from secondread.evals.phantom import Grey, Model, generate
from secondread.training.phantom.data import Films, stretched
from secondread.training.phantom.fit import nearest_squared

SIDE = 64


@dataclass(frozen=True)
class Distances:
    """Distances between 64-pixel films of zero mean and unit spread (root mean square difference of their grey).

    Attributes:
        films: Generated films.
        between_training: Smallest and 5th percentile distance of a training film to its nearest training film.
        to_training: Smallest and 5th percentile distance of a generated film to its nearest training film.
        between_generated: Smallest distance between two generated films.
    """

    films: int
    between_training: tuple[float, float]
    to_training: tuple[float, float]
    between_generated: float

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


def small(grey: Grey) -> NDArray[np.float32]:
    """A film at 64 x 64 pixels, stretched, of zero mean and unit spread, as one row."""
    factor = grey.shape[0] / SIDE
    blurred = ndimage.gaussian_filter(stretched(grey), factor / 2)
    axis = (np.arange(SIDE) + 0.5) * factor - 0.5
    picked = ndimage.map_coordinates(blurred, np.meshgrid(axis, axis, indexing="ij"), order=1)
    row: NDArray[np.float32] = ((picked - picked.mean()) / (picked.std() + 1e-6)).astype(np.float32).ravel()
    return row


def distances(films: Films, model: Model, count: int) -> Distances:
    """Measure `count` films of the seeds 0, 1, .. against the training films."""
    training = np.stack([small(grey) for grey in films.grey])
    drawn = np.stack([small(generate(seed, model=model, size=256).grey) for seed in range(count)])
    return Distances(
        count,
        _low(np.sqrt(nearest_squared(training) / SIDE**2)),
        _low(nearest_to(drawn, training)),
        float(np.sqrt(nearest_squared(drawn).min() / SIDE**2)),
    )


def nearest_to(rows: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float64]:
    """Root mean square difference of each row to its nearest one of `others`."""
    return np.array([np.sqrt(((others - row) ** 2).mean(1).min()) for row in rows])


def _low(values: NDArray[np.float64]) -> tuple[float, float]:
    return float(values.min()), float(np.percentile(values, 5))
