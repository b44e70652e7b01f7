"""What loading an image gives, and what a caller may state about it."""

from dataclasses import dataclass, field
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.identity.vault import Identity
from secondread.schema.errors import UsageError
from secondread.schema.image import ImageInfo, View


@dataclass(frozen=True)
class LoadedImage:
    """One image, decoded."""

    info: ImageInfo
    grey: NDArray[np.float32] = field(repr=False)
    """Display grey, shape (rows, columns), 0 black to 1 white, air dark; read-only."""
    identity: Identity | None = field(default=None, repr=False)
    """Set for DICOM sources; goes into a `Vault` and nowhere else."""


def read_only(grey: NDArray[Any]) -> NDArray[np.float32]:
    """The array as contiguous float32 in [0, 1] that nobody can write to."""
    result = np.ascontiguousarray(grey, dtype=np.float32)
    if result.base is not None or not result.flags.writeable:
        result = result.copy()
    np.clip(result, 0.0, 1.0, out=result)
    result.flags.writeable = False
    return result


def with_statement(info: ImageInfo, view: str | None, age: float | None) -> ImageInfo:
    """The info with what the caller states in place of what the header says.

    Args:
        info: As read from the source.
        view: One of `schema.image.View`, any case, or None to leave the header's.
        age: Years, 0 to 130, or None to leave the header's.

    Raises:
        UsageError: Another view, or an age out of range.
    """
    changes: dict[str, Any] = {}
    if view is not None:
        wanted = str(view).strip().upper()
        if wanted not in get_args(View):
            raise UsageError("The view stated is not known.", hint=f"Use one of {', '.join(get_args(View))}.")
        changes |= {"view": wanted, "view_source": "unknown" if wanted == "UNKNOWN" else "stated"}
    if age is not None:
        if isinstance(age, bool) or not isinstance(age, int | float) or not 0 <= age <= 130:
            raise UsageError("The age stated is not a number of years from 0 to 130.")
        changes |= {"age_years": float(age), "age_source": "stated"}
    return info.model_copy(update=changes) if changes else info
