"""What the hippocampus expert says of volumes that are no crop around a hippocampus: which share it refuses."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from secondread.schema.errors import NotApplicable
from secondread.tools.segment.hippocampus.grid import resampled
from secondread.tools.segment.hippocampus.inference import segment
from secondread.training.guards.volume import read_nifti
from secondread.training.hippocampus.data import Case

if TYPE_CHECKING:
    from secondread.tools.segment.hippocampus.network import HippocampusNet

SIDES = (36, 50, 36)
"""Of the crops that are cut, in mm: the mean crop of the set."""
PER_VOLUME = 12
ELSEWHERE = {
    "brain MR": "pyradiomics/brain1_image.nii.gz",
    "breast MR": "pyradiomics/breast1_image.nii.gz",
    "torso MR": "totalsegmentator/mr_small_3mm.nii.gz",
    "torso CT": "totalsegmentator/ct_torso_3mm.nii.gz",
    "abdomen CT": "msd_spleen2/ct.nii.gz",
}
"""Volumes of `volumes_ct_mr` without, or mostly without, a hippocampus."""
Floats = NDArray[np.float32]
Kind = tuple[str, Floats, NDArray[np.float64]]


def tried(data: Path, cases: Sequence[Case], networks: "Mapping[int, HippocampusNet]") -> list[str]:
    """One line per kind of input: how many were refused before the networks looked, how many after.

    Args:
        data: The folder that holds `volumes_ct_mr`.
        cases: The crops of the set; each altered one is read by the one network that has not seen it.
        networks: As shipped.
    """
    counts: dict[str, list[int]] = {}
    for kind, values, affine in _whole(data):
        _count(counts, kind, values, affine, networks, None)
    for kind, values, affine in _cut(data):
        _count(counts, kind, values, affine, networks, None)
    for case in cases[::4]:
        for kind, values, affine in _altered(case):
            _count(counts, kind, values, affine, networks, [case.fold])
    return [
        f"  {kind}: n = {n}, refused by size or values {before}, by the masks {after}, read {n - before - after}"
        for kind, (n, before, after) in counts.items()
    ]


def _count(
    counts: dict[str, list[int]], kind: str, values: Floats, affine: NDArray[np.float64],
    networks: "Mapping[int, HippocampusNet]", members: Sequence[int] | None,
) -> None:  # fmt: skip
    n = counts.setdefault(kind, [0, 0, 0])
    n[0] += 1
    try:
        n[2] += not segment(values, affine, networks, members).plausible
    except NotApplicable:
        n[1] += 1


def _volume(path: Path) -> tuple[Floats, tuple[float, ...]]:
    """Voxels in RAS order and their sides in mm."""
    import gzip

    header = np.frombuffer(gzip.decompress(path.read_bytes())[280:328], "<f4").reshape(3, 4)[:, :3]
    sides = [float(np.linalg.norm(header[:, int(np.abs(header[axis]).argmax())])) for axis in range(3)]
    return read_nifti(path), tuple(sides)


def _whole(data: Path) -> Iterator[Kind]:
    for name, file in ELSEWHERE.items():
        values, sides = _volume(data / "volumes_ct_mr" / file)
        yield f"whole volume, {name}", values, np.diag([*sides, 1.0])


def _cut(data: Path) -> Iterator[Kind]:
    """Crops of the usual size at random places of those volumes, brought to 1 mm; places without contrast left out."""
    rng = np.random.default_rng(0)
    for name, file in ELSEWHERE.items():
        values, sides = _volume(data / "volumes_ct_mr" / file)
        shape = [max(1, round(mm / side)) for mm, side in zip(SIDES, sides, strict=True)]
        found = tries = 0
        while found < PER_VOLUME and tries < 400:
            tries += 1
            if any(n < m for n, m in zip(values.shape, shape, strict=True)):
                break
            corner = [int(rng.integers(0, n - m + 1)) for n, m in zip(values.shape, shape, strict=True)]
            crop = values[tuple(slice(c, c + m) for c, m in zip(corner, shape, strict=True))]
            low, high = np.percentile(crop, [10, 90])
            if high - low < 0.05 * np.ptp(values):
                continue
            found += 1
            yield f"crop of {name}", resampled(np.ascontiguousarray(crop), SIDES), np.eye(4)


def _altered(case: Case) -> Iterator[Kind]:
    from scipy import ndimage

    rng = np.random.default_rng(int(case.name[-3:]))
    v, eye = case.values, np.eye(4)
    yield "crop as it is", v, eye
    yield "mirrored (right and left exchanged)", np.ascontiguousarray(v[::-1]), eye
    yield "upside down", np.ascontiguousarray(v[:, :, ::-1]), eye
    yield "back to front", np.ascontiguousarray(v[:, ::-1]), eye
    yield "right-left and foot-head exchanged", np.ascontiguousarray(v.transpose(2, 1, 0)), eye
    yield "contrast inverted", v.max() - v, eye
    yield "voxels shuffled", rng.permutation(v.ravel()).reshape(v.shape), eye
    yield "noise", rng.normal(size=v.shape).astype(np.float32), eye
    yield "smooth noise", ndimage.gaussian_filter(rng.normal(size=v.shape), 3).astype(np.float32), eye
    yield "back half twice, front missing", np.concatenate([v[:, : v.shape[1] // 2]] * 2, 1), eye
    yield "voxels of half the size", v, np.diag([0.5, 0.5, 0.5, 1.0])
    yield "voxels of three times the size", v, np.diag([3.0, 3.0, 3.0, 1.0])
