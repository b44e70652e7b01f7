"""A volume at the orientation and spacing that a model wants, through MONAI, and its masks back on the original grid.

MONAI's import costs many seconds and much memory, so only `resampled` touches it; `reoriented` swaps axes without it
and `onto` looks values up by position.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.volume.content import check_voxels
from secondread.imaging.volume.regridded import Regridded, axes_of, reoriented, require_oriented
from secondread.imaging.volume.volume import Volume
from secondread.schema.errors import ToolUnavailable, UsageError


def resampled(
    volume: Volume, spacing_mm: Sequence[float] | None = None, codes: str = "RAS", *, nearest: bool = False
) -> Regridded:
    """A volume reoriented and brought to a spacing; without a change of spacing nothing is interpolated.

    MONAI's Orientation, then its Spacing (the first voxel keeps its centre, linear, edges repeated); a coarser grid
    takes samples, it does not average.

    Args:
        volume: Oriented.
        spacing_mm: Along the new i, j, k; None keeps the volume's own.
        codes: Where growing i, j and k shall move to.
        nearest: Take the nearest voxel, for label maps.

    Returns:
        The volume on its new grid (float32 in its unit; stored dtype for `nearest`), with the way back for masks:
        MONAI's own inverse, by the nearest voxel, on exactly the original shape and affine.

    Raises:
        UsageError: Codes that name no orientation, or a spacing that is not one.
        InputError: The volume does not say how it lies in the patient.
        UnsupportedImage: The new grid would hold more than 4 GiB.
        ToolUnavailable: MONAI is not installed.
    """
    axes_of(codes)
    require_oriented(volume)
    turned = reoriented(volume, codes)
    wanted = tuple(float(v) for v in (spacing_mm if spacing_mm is not None else turned.volume.spacing_mm))
    if len(wanted) != 3 or not all(math.isfinite(v) and 0.01 <= v <= 100 for v in wanted):
        raise UsageError("A spacing is three numbers of mm, from 0.01 to 100.")
    if np.allclose(wanted, turned.volume.spacing_mm, rtol=1e-6):
        return turned
    held = zip(turned.volume.shape, turned.volume.spacing_mm, wanted, strict=True)
    check_voxels("The resampled volume", tuple(math.ceil(n * s / w) for n, s, w in held), np.dtype(np.float32))
    return _by_monai(volume, wanted, codes, nearest)


def _by_monai(volume: Volume, spacing_mm: tuple[float, ...], codes: str, nearest: bool) -> Regridded:
    torch, monai = _monai()
    values = np.asarray(volume.stored, np.float32) if nearest else volume.values()
    image = monai["MetaTensor"](
        torch.from_numpy(np.ascontiguousarray(values))[None], affine=torch.from_numpy(volume.affine.copy())
    )
    turn = monai["Orientation"](axcodes=codes.upper(), labels=(("L", "R"), ("P", "A"), ("I", "S")))
    scale = monai["Spacing"](
        pixdim=spacing_mm, mode="nearest" if nearest else "bilinear", padding_mode="border", dtype=torch.float64
    )
    made = scale(turn(image))
    array: NDArray[Any] = made.numpy()[0]
    affine = np.asarray(made.affine, np.float64)
    operations = monai["convert_applied_interp_mode"](made.applied_operations, mode="nearest")
    header = volume.header
    out = Volume.from_array(
        array.astype(volume.dtype) if nearest else array,
        affine,
        unit=header.unit,
        modality=header.modality,
        scale=volume.scale(0) if nearest else None,
        body_part=header.body_part,
        source_format=header.source_format,
        window=header.window,
        photometric=header.photometric,
        place=header.place,
        caveats=(*header.caveats, f"Resampled to {' x '.join(f'{v:g}' for v in spacing_mm)} mm."),
    )

    def back(mask: NDArray[Any]) -> NDArray[Any]:
        labels = monai["MetaTensor"](
            torch.from_numpy(mask.astype(np.float32))[None], affine=made.affine, applied_operations=list(operations)
        )
        found: NDArray[Any] = turn.inverse(scale.inverse(labels)).numpy()[0]
        return np.asarray(np.rint(found))

    return Regridded(out, volume, back)


def _monai() -> tuple[Any, dict[str, Any]]:
    """torch, and what is used of MONAI, by name."""
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import torch
            from monai.data import MetaTensor
            from monai.transforms import Orientation, Spacing
            from monai.transforms.utils import convert_applied_interp_mode
    except ImportError:
        raise ToolUnavailable(
            "Resampling needs MONAI.", hint='Install it with pip install "secondread[train]".'
        ) from None
    names = (MetaTensor, Orientation, Spacing, convert_applied_interp_mode)
    return torch, {item.__name__: item for item in names}
