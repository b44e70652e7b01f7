"""Slice access of an opened volume against reading the file for every slice, and peak memory against the int16 size.

python benchmarks/volume_slices.py [--slices 600] [--runs 40] [--json FILE]

A drawn CT of 512 x 512 x SLICES int16 is written as .nii and .nii.gz. Times are medians of one process; memory is the
growth of the peak resident set (VmHWM) of a fresh process over what its imports take, mapped pages of the file
included, for opening the file, its id and window, slices of all planes, and the whole array.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

MEASURED = """
import sys
import numpy, nibabel, scipy
from secondread.imaging.volume.open import open_volume
import secondread.imaging.volume.nifti
def peak():
    lines = open("/proc/self/status").read().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
before = peak()
volume = open_volume(sys.argv[1], unit="HU", modality="CT")
opened = peak()
middle = volume.slice("axial", volume.count("axial") // 2)
first = peak()
volume.info
for plane in ("axial", "coronal", "sagittal"):
    for index0 in range(0, volume.count(plane), 7):
        volume.grey(plane, index0)
assert volume.stored.sum(dtype=int) != 0
print(opened - before, first - before, peak() - before, volume.nbytes)
"""


def write(folder: Path, slices: int) -> dict[str, Path]:
    """The drawn CT in both forms."""
    import gzip

    import nibabel as nib

    rng = np.random.default_rng(0)
    y, x = np.mgrid[-1:1:512j, -1:1:512j]
    body = np.where(x**2 + y**2 < 0.7, 40, -1000)
    volume = np.empty((512, 512, slices), np.int16, order="F")
    for k in range(slices):
        volume[:, :, k] = body + rng.integers(-15, 16, body.shape)
    plain, zipped = folder / "ct.nii", folder / "ct.nii.gz"
    nib.save(nib.Nifti1Image(volume, np.diag([-0.7, -0.7, 1.0, 1.0])), plain)
    with plain.open("rb") as source, gzip.open(zipped, "wb", compresslevel=1) as target:
        while piece := source.read(1 << 22):
            target.write(piece)
    return {"nii": plain, "nii.gz": zipped}


def seconds(work: Callable[[int], object], indices: list[int]) -> float:
    """Median time of one call."""
    taken = []
    for index in indices:
        started = time.perf_counter()
        work(index)
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def access(path: Path, runs: int) -> dict[str, float]:
    """Seconds per slice: of an opened volume by plane, and of reading the file each time."""
    import nibabel as nib

    from secondread.imaging.volume.open import open_volume

    def again(k: int) -> object:
        return np.asarray(np.asanyarray(nib.load(path, mmap=False).dataobj)[:, :, k], np.float32)

    volume = open_volume(path, unit="HU", modality="CT")
    count = volume.count("axial")
    rng = np.random.default_rng(1)
    indices = [int(k) for k in rng.integers(0, count, runs)]
    started = time.perf_counter()
    volume.slice("axial", 0)
    found = {"first slice": time.perf_counter() - started}
    found["opened, axial slice"] = seconds(lambda k: volume.slice("axial", k), indices)
    found["opened, axial grey"] = seconds(lambda k: volume.grey("axial", k), indices)
    for plane in ("coronal", "sagittal"):
        others = [int(k) for k in rng.integers(0, volume.count(plane), runs)]
        found[f"opened, {plane} slice"] = seconds(lambda k, plane=plane: volume.slice(plane, k), others)
    found["file read for the slice"] = seconds(again, indices[:3])
    return found


def memory(path: Path) -> dict[str, float]:
    """Growth of the peak resident set of a fresh process, as a multiple of the int16 size."""
    done = subprocess.run([sys.executable, "-c", MEASURED, str(path)], capture_output=True, text=True, check=True)
    opened, first, everything, size = (int(word) for word in done.stdout.split())
    return {"opened": opened / size, "one slice": first / size, "everything": everything / size}


def main() -> None:
    """Print seconds, the ratios and the memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slices", type=int, default=600)
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    report: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for kind, path in write(Path(folder), args.slices).items():
            taken = access(path, args.runs)
            for name, value in taken.items():
                print(f"{kind:<7} {name:<26} {value * 1000:10.2f} ms")
            ratio = taken["file read for the slice"] / taken["opened, axial slice"]
            held = memory(path)
            print(f"{kind:<7} file read for the slice / axial slice of an opened volume {ratio:8.0f}x")
            for name, value in held.items():
                print(f"{kind:<7} peak memory, {name:<12} {value:5.2f} x int16 size")
            report[kind] = {**taken, "ratio": ratio, **{f"memory, {name}": value for name, value in held.items()}}
    if args.json:
        args.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
