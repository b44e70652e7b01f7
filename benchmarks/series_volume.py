"""A CT series of 512 x 512 x 600 as a volume: time against a bare pydicom loop, and memory against its int16 size.

python benchmarks/series_volume.py [--slices 600] [--folder DIR] [--compressed] [--json FILE]

Memory is the growth of the peak of a fresh process from before the pixels are read, as a multiple of the voxels at two
bytes each; the promise is 1.3. Each line is measured in a process of its own, the bare loop in one of them.
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROWS = 512
PROMISE = 1.3
FULL = 256 << 20
"""Bytes from which on the promise is checked; buffers of decoders, about 15 MB, show in smaller volumes."""


def generate(folder: Path, count: int, *, compressed: bool) -> None:
    """Write a body-like CT of noise and one ellipse, slices numbered against their order in space."""
    import numpy as np
    from folder_scan import template
    from pydicom.uid import JPEG2000Lossless

    chance = np.random.default_rng(0)
    y, x = np.mgrid[:ROWS, :ROWS]
    for k in range(count):
        ds = template()
        ds.SeriesInstanceUID = "1.2.826.0.1.3680043.8.498.9"
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"1.2.826.0.1.3680043.8.498.9.{k}"
        ds.InstanceNumber, ds.ImagePositionPatient = str(count - k), [-175, -175, float(k)]
        body = ((x - 256) / 200) ** 2 + ((y - 256) / 130) ** 2 < 1
        pixels = np.where(body, 1060, 24) + chance.normal(0, 12, (ROWS, ROWS))
        ds.PixelData = pixels.clip(0, 4095).astype("<u2").tobytes()
        ds["PixelData"].VR = "OW"
        if compressed:
            ds.compress(JPEG2000Lossless)
        ds.save_as(folder / f"IM{k:04d}", enforce_file_format=True)


def worker(folder: Path, what: str) -> dict[str, float]:
    """Measure one way of reading in this process."""
    import numpy as np
    import pydicom

    from secondread.imaging.dicom.file import open_dicom
    from secondread.imaging.study.scan import open_studies

    paths = sorted(folder.iterdir())
    # one slice decoded beforehand, so that imports and decoders count in neither time nor memory
    open_dicom(str(paths[0])).values()
    pydicom.dcmread(paths[0]).pixel_array  # noqa: B018 - decodes
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    if what == "bare":
        found = sorted((pydicom.dcmread(path) for path in paths), key=lambda ds: float(ds.ImagePositionPatient[2]))
        size = np.stack([ds.pixel_array for ds in found]).nbytes
    elif what == "slice":
        volume = open_studies(folder)[0].series[0].volume()
        volume.slice("axial", len(paths) // 2)
        size = volume.nbytes
    else:
        volume = open_studies(folder)[0].series[0].volume()
        size = volume.stored.nbytes if what == "all" else len(volume.info.id) and volume.nbytes
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": seconds, "size": float(size), "memory": (peak - before) * 1024 / size}


def main() -> None:
    """Generate, measure, print; exit 1 when the promise on memory is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slices", type=int, default=600)
    parser.add_argument("--folder", type=Path, help="where the generated files go (default: a temporary folder)")
    parser.add_argument("--compressed", action="store_true", help="JPEG 2000 lossless instead of plain pixels")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker is not None:
        print(json.dumps(worker(options.folder, options.worker)))
        return
    folder = options.folder or Path(tempfile.mkdtemp(prefix="secondread-series-"))
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.iterdir()):
        generate(folder, options.slices, compressed=options.compressed)
    found: dict[str, dict[str, float]] = {}
    for what in ("bare", "slice", "all", "info"):
        command = [sys.executable, __file__, "--worker", what, "--folder", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stderr)
        found[what] = json.loads(done.stdout)
    size = found["all"]["size"]
    print(f"{len(list(folder.iterdir()))} slices, {size / 2**20:.0f} MiB as int16")
    print(f"{'':52}{'seconds':>9}{'of bare':>9}{'memory':>9}")
    told = {
        "bare": "pydicom loop: read all, sort, stack",
        "slice": "open_studies, volume, one slice",
        "all": "open_studies, volume, all voxels",
        "info": "open_studies, volume, id and window",
    }
    for what, words in told.items():
        row = found[what]
        print(f"{words:52}{row['seconds']:9.2f}{row['seconds'] / found['bare']['seconds']:9.2f}{row['memory']:8.2f}x")
    if options.json:
        options.json.write_text(json.dumps(found))
    if options.folder is None:
        shutil.rmtree(folder)
    if size >= FULL and max(found[what]["memory"] for what in ("slice", "all", "info")) > PROMISE:
        raise SystemExit(f"more than {PROMISE} times the size of the voxels")


if __name__ == "__main__":
    main()
