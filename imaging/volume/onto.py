"""A volume on the grid of another one of the same patient, by position in mm and never by index."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.volume.regridded import require_oriented
from secondread.imaging.volume.volume import Volume
from secondread.schema.errors import InputError

MOVED = "The mask lies on another grid than its image; it was brought onto it by position, to the nearest voxel."


def mask_on(mask: Volume, image: Volume) -> tuple[NDArray[Any], tuple[str, ...]]:
    """A label map on the grid of an image.

    Args:
        mask: Integers as stored.
        image: The image that it belongs to.

    Returns:
        Labels, shape of `image`, and caveats: voxels of one grid are taken as they are; those of another are looked up
        by their place, 0 outside.

    Raises:
        InputError: Not integers; or another grid, and one of the two is not oriented or they do not overlap.
    """
    if mask.dtype.kind == "f":
        whole = mask.stored
        if not np.isfinite(whole).all() or (whole != np.rint(whole)).any() or np.abs(whole).max() >= 2**31:
            raise InputError("A mask holds whole numbers; this volume does not.")
        labels: NDArray[Any] = whole.astype(np.int32)
    else:
        labels = mask.stored
    if mask.same_grid(image) and mask.oriented == image.oriented:
        return labels, ()
    return _looked_up(labels, mask, image, 0, 0), (MOVED,)


def onto(volume: Volume, image: Volume) -> Volume:
    """The values of a volume on the grid of another, by linear interpolation (PET on CT, one MR sequence on another).

    Returns:
        float32 voxels in the unit of `volume`; NaN where it has none. Nothing is registered: both have to share the
        patient's coordinates. A coarser grid takes samples, it does not average.

    Raises:
        InputError: One of the two is not oriented, or they do not overlap.
    """
    values = _looked_up(volume.values(), volume, image, 1, np.nan)
    caveat = "Values were interpolated onto the grid of another volume."
    return Volume.from_array(
        values, image.affine, unit=volume.header.unit, modality=volume.header.modality,
        body_part=volume.header.body_part, source_format=volume.header.source_format, window=volume.window,
        place=volume.header.place, photometric=volume.header.photometric,
        caveats=(*volume.header.caveats, caveat),
    )  # fmt: skip


def overlap(volume: Volume, image: Volume) -> float:
    """Share of the voxels of `image` on a coarse lattice that lie inside `volume`, 0 to 1."""
    lattice = [np.linspace(-0.5, n - 0.5, 9) for n in image.shape]
    places = np.stack(np.meshgrid(*lattice, indexing="ij"), axis=-1).reshape(-1, 3)
    found = volume.to_index(image.to_mm(places))
    inside = ((found >= -0.5) & (found <= np.array(volume.shape) - 0.5)).all(axis=1)
    return float(inside.mean())


def _looked_up(array: NDArray[Any], source: Volume, target: Volume, order: int, fill: float) -> NDArray[Any]:
    """`array` on the grid of `source` at the voxel centres of `target`; order 0 nearest, 1 linear."""
    from scipy.ndimage import affine_transform

    require_oriented(source, target)
    # The nearest slice of a thin target may miss the coarse lattice of the other: both ways are looked at.
    if overlap(source, target) == 0 and overlap(target, source) == 0:
        raise InputError(
            "The two volumes do not overlap in the patient.",
            hint="They belong to different scans.",
        )
    step = np.linalg.solve(source.affine, target.affine)
    step[np.abs(step) < 1e-9] = 0.0
    found = affine_transform(
        array, step[:3, :3], step[:3, 3], output_shape=target.shape, order=order, mode="constant", cval=fill,
        prefilter=False,
    )  # fmt: skip
    return np.asarray(found, array.dtype)
