"""NIfTI-1 and NIfTI-2 in one file, plain or gzipped, through nibabel's headers.

Which affine: the sform when its code is set, else the qform when its code is set; the info names the one used and says
when the two disagree. With neither, the standard gives voxel sizes and no orientation ("method 1"), and the volume says
that sides are unknown; no flip is guessed.

Source: nifti1.h of the NIfTI Data Format Working Group (fields, methods 1 to 3, units, scl_slope); NIfTI-2 header.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.volume.content import Content, check_voxels
from secondread.imaging.volume.grid import as_affine, spacing_of
from secondread.imaging.volume.orientation import affine_fault
from secondread.imaging.volume.volume import Volume
from secondread.imaging.volume.voxels import HeldVoxels, MappedVoxels, VoxelSource
from secondread.schema.errors import UnreadableImage, UnsupportedImage, UsageError
from secondread.schema.study import VolumeInfo

HEAD = 544
"""Bytes that hold either header and the extension flag."""

_TYPES = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8",
}  # fmt: skip
_REFUSED = {
    0: "unknown", 1: "single bits", 32: "complex numbers", 128: "RGB colours", 1536: "128-bit floats",
    1792: "complex numbers", 2048: "complex numbers", 2304: "RGBA colours",
}  # fmt: skip
_MILLIMETRES = {1: 1000.0, 2: 1.0, 3: 0.001}
"""xyzt_units & 7 -> mm."""
_CODES = {
    1: "scanner", 2: "aligned to another scan", 3: "Talairach atlas", 4: "MNI 152 template", 5: "another template",
}  # fmt: skip


@dataclass(frozen=True)
class _Placement:
    affine: NDArray[np.float64]
    oriented: bool
    caveats: tuple[str, ...]


def kind_of(head: bytes) -> str | None:
    """`single`, `pair` (header of a detached .img), `analyze` (7.5, no orientation), or None."""
    if len(head) < 8:
        return None
    if head[:4] in (b"\x1c\x02\x00\x00", b"\x00\x00\x02\x1c"):
        return {b"n+2\x00": "single", b"ni2\x00": "pair"}.get(head[4:8])
    if head[:4] not in (b"\x5c\x01\x00\x00", b"\x00\x00\x01\x5c") or len(head) < 348:
        return None
    return {b"n+1\x00": "single", b"ni1\x00": "pair"}.get(head[344:348], "analyze")


def read_nifti(
    content: Content, *, frame: int = 0, unit: Literal["HU", "stored"] | None = None, modality: str | None = None
) -> Volume:
    """Open a NIfTI file; its header is read now, voxels when asked for.

    Args:
        content: The file.
        frame: Which volume of a 4D file, from 0.
        unit: `HU` when the caller knows that the values are Hounsfield units; the format cannot say.
        modality: Stated by the caller.

    Raises:
        UnreadableImage: Damaged, truncated, or without an affine that places voxels.
        UnsupportedImage: A detached pair, Analyze 7.5, more than four dimensions, colour, complex numbers, or
            too large.
        UsageError: No such frame.
    """
    name, head = content.name, content.head(HEAD)
    kind = kind_of(head)
    if kind == "pair":
        raise UnsupportedImage(
            f"{name} is the header of a two-file NIfTI; its voxels lie in another file.",
            hint="Convert it to one .nii file.",
        )
    if kind == "analyze":
        raise UnsupportedImage(
            f"{name} is an Analyze 7.5 file, which does not say how it lies in the patient.",
            hint="Convert it to .nii with its orientation.",
        )
    header = _header(head, name) if kind else None
    if header is None:
        raise UnreadableImage(f"{name} is not a NIfTI file, or its header is damaged.")
    shape, frames = _shape(header, name)
    if not 0 <= frame < frames:
        raise UsageError(f"{name} has no frame {frame + 1}; it holds {frames}.")
    dtype = _dtype(header, name)
    check_voxels(name, shape, dtype)
    size = math.prod(shape) * dtype.itemsize
    offset = _offset(header, name)
    # Half a slice may follow the voxels (padding of some writers); more means that a dimension is wrong.
    slack = max(512, min(shape[0] * shape[1] * dtype.itemsize // 2, 1 << 16))
    content.check_room(offset, size * frames, slack)
    placed = _placement(header, shape, name)
    caveats = list(placed.caveats)
    if int(header["bitpix"]) != 8 * dtype.itemsize:
        caveats.append("The header names another number of bits than its data type has; the type was followed.")
    if frames > 1:
        caveats.append(f"The file holds {frames} frames; this is frame {frame + 1}.")
    if unit is None and modality in (None, "CT"):
        caveats.append("NIfTI does not say what its values measure; they are taken as stored.")
    start = offset + frame * size
    voxels: VoxelSource
    if content.gzipped:
        after = (frames - 1 - frame) * size
        voxels = HeldVoxels(
            lambda: content.inflated(start, shape, dtype, after=after, slack=slack), shape, dtype
        )  # fmt: skip
    else:
        voxels = MappedVoxels(lambda: content.mapped(start, shape, dtype), shape, dtype)
    info = VolumeInfo(
        id="",
        shape=shape,
        frames=frames,
        frame=frame,
        affine=as_affine(placed.affine),
        spacing_mm=spacing_of(placed.affine),
        oriented=placed.oriented,
        unit=unit or "stored",
        modality=modality,
        source_format="nifti",
        bits_stored=8 * dtype.itemsize,
        window=_window(header),
        caveats=tuple(caveats),
    )
    return Volume(info, voxels, scale=_scale(header, name))


def _header(head: bytes, name: str) -> Any:
    """Header of nibabel over the bytes, in their byte order; its own checks would repair what is refused here."""
    from nibabel.nifti1 import Nifti1Header
    from nibabel.nifti2 import Nifti2Header

    cls = Nifti2Header if head[4:6] == b"n+" else Nifti1Header
    length = cls.template_dtype.itemsize
    if len(head) < length:
        raise UnreadableImage(f"{name} is truncated: it ends in its NIfTI header.")
    return cls(head[:length], endianness="<" if head[0] else ">", check=False)


def _shape(header: Any, name: str) -> tuple[tuple[int, int, int], int]:
    """Voxels along i, j, k, and frames."""
    dims = [int(v) for v in header["dim"]]
    rank = dims[0]
    if not 1 <= rank <= 7:
        raise UnreadableImage(f"{name} has a damaged NIfTI header: {rank} dimensions.")
    used = [*dims[1 : 1 + rank], 1, 1, 1][: max(rank, 3)]
    if min(used) < 1:
        raise UnreadableImage(f"{name} has a damaged NIfTI header: a dimension of {min(used)}.")
    if any(n > 1 for n in used[4:]):
        raise UnsupportedImage(
            f"{name} has more than four dimensions ({' x '.join(map(str, used))}).",
            hint="Vector fields and the like are not read; give one component.",
        )
    return (used[0], used[1], used[2]), used[3] if len(used) > 3 else 1


def _dtype(header: Any, name: str) -> np.dtype[Any]:
    code = int(header["datatype"])
    if code in _TYPES:
        return np.dtype(f"{header.endianness}{_TYPES[code]}")
    if code in _REFUSED and code:
        raise UnsupportedImage(f"{name} holds {_REFUSED[code]}, which are not read.", hint="Give real numbers.")
    raise UnreadableImage(f"{name} has a damaged NIfTI header: data type {code} does not exist.")


def _offset(header: Any, name: str) -> int:
    least = int(header["sizeof_hdr"]) + 4
    value = float(header["vox_offset"])
    if value == 0:
        return least
    if not math.isfinite(value) or value < least or value != int(value):
        raise UnreadableImage(f"{name} has a damaged NIfTI header: voxels cannot start at byte {value:g}.")
    return int(value)


def _scale(header: Any, name: str) -> tuple[float, float] | None:
    """Slope and intercept; None when the slope is 0 or NaN, which stand for "not scaled"."""
    slope, inter = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0 or math.isnan(slope):
        return None
    if not math.isfinite(slope) or not math.isfinite(inter):
        raise UnreadableImage(f"{name} has a damaged NIfTI header: its scale is not finite.")
    return slope, inter


def _window(header: Any) -> tuple[float, float] | None:
    """Centre and width of cal_min to cal_max, when they are set."""
    low, high = float(header["cal_min"]), float(header["cal_max"])
    if math.isfinite(low) and math.isfinite(high) and high > low:
        return (low + high) / 2, high - low
    return None


def _placement(header: Any, shape: tuple[int, int, int], name: str) -> _Placement:
    """The affine in mm, whether it says how the grid lies in the patient, and what to say of it."""
    caveats: list[str] = []
    unit = int(header["xyzt_units"]) & 7
    if unit not in _MILLIMETRES:
        caveats.append("The header does not name its unit of length; mm are assumed.")
    scale = np.diag([*[_MILLIMETRES.get(unit, 1.0)] * 3, 1.0])
    codes = {"sform": int(header["sform_code"]), "qform": int(header["qform_code"])}
    found = {"sform": scale @ header.get_sform(), "qform": _qform(header, scale)}
    chosen = next((method for method in ("sform", "qform") if codes[method] > 0), None)
    if chosen is None:
        sides = np.abs(header["pixdim"][1:4].astype(np.float64)) * scale[0, 0]
        affine = np.diag([*sides, 1.0])
        caveats.append("Neither sform nor qform is set: the file does not say which side is the patient's right.")
    else:
        affine = found[chosen]
        code = codes[chosen]
        caveats.append(f"Orientation from the {chosen}, code {code} ({_CODES.get(code, 'not of the standard')}).")
        if code > 2:
            caveats.append("Positions are those of a template, not of the patient.")
    fault = affine_fault(affine)
    if chosen == "qform" and (header["pixdim"][1:4] < 0).any():
        fault = "a voxel side is negative"
    elif chosen == "qform" and not np.isfinite(affine).all():
        fault = "its quaternion or voxel sides are damaged"
    if fault:
        raise UnreadableImage(f"{name} cannot be placed: {fault}.")
    if chosen == "sform" and codes["qform"] > 0:
        caveats += _disagreement(affine, found["qform"], shape)
    elif chosen == "sform":
        pixdim = np.abs(header["pixdim"][1:4].astype(np.float64)) * scale[0, 0]
        if not np.allclose(pixdim, spacing_of(affine), rtol=0.01):
            caveats.append("Voxel sizes of the header differ from those of its sform; the sform was followed.")
    return _Placement(affine, chosen is not None, tuple(caveats))


def _qform(header: Any, scale: NDArray[np.float64]) -> NDArray[np.float64]:
    """The qform in mm; NaN where the header does not hold one."""
    from nibabel.spatialimages import HeaderDataError

    # The standard reads a pixdim[0] of 0 as 1; nibabel does so only when it repairs headers.
    header["pixdim"][0] = -1 if header["pixdim"][0] < 0 else 1
    try:
        return np.asarray(scale @ header.get_qform(), np.float64)
    except (HeaderDataError, ValueError, FloatingPointError):
        return np.full((4, 4), np.nan)


def _disagreement(sform: NDArray[np.float64], qform: NDArray[np.float64], shape: tuple[int, int, int]) -> list[str]:
    """A caveat when a corner of the grid lies more than half a voxel apart in the two."""
    if affine_fault(qform):
        return ["The qform is damaged; the sform was followed."]
    corners = np.array(np.meshgrid(*((0, n - 1) for n in shape), [1], indexing="ij"), np.float64).reshape(4, -1)
    apart = float(np.linalg.norm((sform - qform) @ corners, axis=0).max())
    if apart <= min(spacing_of(sform)) / 2:
        return []
    return [f"sform and qform disagree by up to {apart:.1f} mm; the sform was followed."]
