"""A 2048 x 2048 DICOM file to display grey and to a model input, as ratios to bare pydicom in the same run.

python benchmarks/dicom_decode.py [--runs 15] [--side 2048] [--json FILE]

Every file is a drawn 12-bit film in 16-bit cells, MONOCHROME1 with a window. `bare` is
`pydicom.dcmread(path).pixel_array`. `grey` adds all that `load` does: the id of the content, what the header says, and
grey scale by the standard. `model input` adds the fit into 512 x 512. The calls take turns, so that a slow spell of the
machine hits all alike; the ratios are of the fastest calls and of the medians.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

SYNTAXES = {
    "uncompressed": "1.2.840.10008.1.2.1",
    "RLE": "1.2.840.10008.1.2.5",
    "JPEG-LS": "1.2.840.10008.1.2.4.80",
    "JPEG 2000": "1.2.840.10008.1.2.4.90",
}
MODEL_SIDE = 512


def write_film(path: Path, side: int, syntax: str) -> None:
    """A smooth film with noise of a few grey levels, which compresses about as a radiograph does."""
    import pydicom
    from pydicom.uid import UID

    rows, columns = np.mgrid[0:side, 0:side] / side
    film = 2000 + 1200 * np.sin(7 * columns) * np.cos(5 * rows) + np.random.default_rng(0).normal(0, 8, (side, side))
    ds = pydicom.Dataset()
    ds.file_meta = pydicom.dataset.FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.1")
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.1.1")
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = UID("1.2.3.4")
    ds.Modality, ds.PhotometricInterpretation, ds.PresentationLUTShape = "DX", "MONOCHROME1", "INVERSE"
    ds.Rows = ds.Columns = side
    ds.SamplesPerPixel, ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 1, 16, 12, 11, 0
    ds.WindowCenter, ds.WindowWidth = 2048, 3000
    ds.PixelData = np.clip(film, 0, 4095).astype("<u2").tobytes()
    ds["PixelData"].VR = "OW"
    if syntax != ds.file_meta.TransferSyntaxUID:
        ds.compress(UID(syntax))
    ds.save_as(path, enforce_file_format=True)


def calls(path: Path, side: int) -> dict[str, Callable[[], object]]:
    """What is timed for one file."""
    import pydicom

    from secondread.imaging.letterbox import fit
    from secondread.imaging.load import load

    box = fit(side, side, MODEL_SIDE, MODEL_SIDE)
    return {
        "bare": lambda: pydicom.dcmread(path).pixel_array,
        "grey": lambda: load(path).grey,
        "model input": lambda: box.pixels(load(path).grey),
    }


def timed(work: dict[str, Callable[[], object]], runs: int) -> dict[str, list[float]]:
    """Seconds of each call, in turns after one call each that is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for run in range(runs + 1):
        for name, call in work.items():
            started = time.perf_counter()
            call()
            if run:
                seconds[name].append(time.perf_counter() - started)
    return seconds


def decodes_of(path: Path, readers: int) -> int:
    """How often the image store decodes a file that many readers ask for."""
    from secondread.imaging.store import ImageStore

    store = ImageStore()
    for _ in range(readers):
        store.pixels(store.add(path).ref.id)
    return store.decodes


def main() -> None:
    """Print seconds and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--side", type=int, default=2048)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    found: dict[str, dict[str, dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, syntax in SYNTAXES.items():
            path = Path(folder) / f"{syntax}.dcm"
            write_film(path, args.side, syntax)
            seconds = timed(calls(path, args.side), args.runs)
            best = {call: min(values) for call, values in seconds.items()}
            middle = {call: statistics.median(values) for call, values in seconds.items()}
            found[name] = {
                call: {
                    "seconds": best[call],
                    "ratio of the fastest": best[call] / best["bare"],
                    "ratio of the medians": middle[call] / middle["bare"],
                }
                for call in seconds
            }
            for call, figures in found[name].items():
                print(
                    f"{name:<13} {call:<12} {figures['seconds'] * 1000:7.1f} ms  "
                    f"{figures['ratio of the fastest']:5.2f} x bare (fastest)  "
                    f"{figures['ratio of the medians']:5.2f} x (medians)"
                )
        readers = 8
        print(f"decodes for {readers} readers of one file: {decodes_of(path, readers)}")
    if args.json:
        args.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
