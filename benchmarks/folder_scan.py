"""Scan of a folder of DICOM files against a bare loop of pydicom over the same files, in one run.

python benchmarks/folder_scan.py [--files 10000] [--folder DIR] [--json FILE]

The files are generated: CT slices of 512 x 512 pixels with a header of about 120 elements, sequences and 20 kB of
private data before the pixels, 200 to a series. Pixels are holes in sparse files, so 10,000 take little disk; a reader
that touched them would show in the bytes read. Bytes are those of read system calls (`/proc/self/io`).
"""

import argparse
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PER_SERIES = 200
ROWS = 512


def template() -> Any:
    """Header of a CT slice with what scanners put into it."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = CTImageStorage
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL", "CT_SOM5 SPI"]
    for keyword in ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate", "InstanceCreationDate"):
        setattr(ds, keyword, "20200102")
    for keyword in ("StudyTime", "SeriesTime", "AcquisitionTime", "ContentTime", "InstanceCreationTime"):
        setattr(ds, keyword, "101112.123456")
    ds.Modality, ds.Manufacturer, ds.BodyPartExamined = "CT", "NOBODY", "CHEST"
    for keyword in ("InstitutionName", "StationName", "StudyDescription", "SeriesDescription", "ManufacturerModelName",
                    "ProtocolName", "AccessionNumber", "PatientComments", "ImageComments", "StudyID"):  # fmt: skip
        setattr(ds, keyword, "generated")
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = "Nobody^Generated", "GEN-1", "19700101", "O"
    for sequence in ("ReferencedStudySequence", "ReferencedImageSequence", "SourceImageSequence"):
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = CTImageStorage, "1.2.3.4.5.6.7.8"
        setattr(ds, sequence, [item, item])
    for keyword, value in {
        "SliceThickness": "1.0", "KVP": "120", "DataCollectionDiameter": "500", "ReconstructionDiameter": "350",
        "DistanceSourceToDetector": "1040", "DistanceSourceToPatient": "570", "GantryDetectorTilt": "0",
        "TableHeight": "150", "ExposureTime": "500", "XRayTubeCurrent": "200", "Exposure": "100",
        "GeneratorPower": "30", "FocalSpots": "1.2", "SeriesNumber": "2", "AcquisitionNumber": "1",
        "RescaleIntercept": "-1024", "RescaleSlope": "1", "WindowCenter": ["40", "300"], "WindowWidth": ["300", "1500"],
    }.items():  # fmt: skip
        setattr(ds, keyword, value)
    ds.RotationDirection, ds.FilterType, ds.ConvolutionKernel, ds.PatientPosition = "CW", "0", ["Br40d", "3"], "HFS"
    ds.StudyInstanceUID, ds.FrameOfReferenceUID = "1.2.826.0.1.3680043.8.498.1", "1.2.826.0.1.3680043.8.498.2"
    ds.ImageOrientationPatient, ds.PixelSpacing = [1, 0, 0, 0, 1, 0], [0.6835937, 0.6835937]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows = ds.Columns = ROWS
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    for number in range(40):
        block = ds.private_block(0x0019, "NOBODY HEADER", create=True)
        block.add_new(number, "LO", f"private value {number}")
    block = ds.private_block(0x0029, "NOBODY CSA", create=True)
    block.add_new(0x10, "OB", bytes(20_000))
    return ds


def generate(folder: Path, count: int) -> None:
    """Write the files; slices are numbered against their order in space."""
    ds = template()
    for number in range(count):
        series, k = divmod(number, PER_SERIES)
        ds.SeriesInstanceUID = f"1.2.826.0.1.3680043.8.498.3.{series}"
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"1.2.826.0.1.3680043.8.498.4.{number}"
        ds.SeriesNumber, ds.InstanceNumber = str(series + 1), str(PER_SERIES - k)
        ds.ImagePositionPatient, ds.SliceLocation = [-175, -175, float(k)], float(k)
        path = folder / f"series{series:03d}" / f"IM{(k * 7919) % PER_SERIES:04d}"
        path.parent.mkdir(exist_ok=True)
        ds.save_as(path, enforce_file_format=True)
        with path.open("ab") as file:
            size = ROWS * ROWS * 2
            file.write(b"\xe0\x7f\x10\x00OW\0\0" + size.to_bytes(4, "little"))
            file.truncate(file.tell() + size)


def bytes_read() -> int:
    """Bytes of read system calls of this process so far; 0 where the system does not count them."""
    try:
        return int(Path("/proc/self/io").read_text().split()[1])
    except OSError:
        return 0


def measured(work: Callable[[], object], runs: int) -> dict[str, float]:
    """Median seconds of some runs, and bytes read by the last."""
    seconds = []
    read = 0
    for _ in range(runs):
        before, started = bytes_read(), time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
        read = bytes_read() - before
    return {"seconds": statistics.median(seconds), "bytes": float(read)}


def ours(source: Path, images: int, runs: int) -> dict[str, float]:
    """Measure `open_studies` in this process, which should have loaded nothing else."""
    from secondread.imaging.study.scan import open_studies

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = open_studies(source)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    regular = all(one.stack is not None and one.stack.regular for study in found for one in study.series)
    if sum(study.images for study in found) != images or not regular:
        raise SystemExit(f"{sum(study.images for study in found)} images found in {images} files")
    del found
    result = measured(lambda: open_studies(source), runs)
    return result | {"memory_kb": float(peak - before), "pydicom": float("pydicom" in sys.modules)}


def in_fresh_process(source: Path, images: int, runs: int) -> dict[str, float]:
    """`ours` where no import and no garbage of this process counts."""
    command = [sys.executable, __file__, "--worker", str(source), "--files", str(images), "--runs", str(runs)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return dict(json.loads(done.stdout))


def main() -> None:
    """Generate, scan, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--folder", type=Path, help="where the generated files go (default: a temporary folder)")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker is not None:
        print(json.dumps(ours(options.worker, options.files, options.runs)))
        return
    folder = options.folder or Path(tempfile.mkdtemp(prefix="secondread-scan-"))
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.iterdir()):
        generate(folder, options.files)
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    count, size = len(paths), paths[0].stat().st_size
    scan = in_fresh_process(folder, count, options.runs)

    import pydicom

    def bare() -> None:
        for path in paths:
            pydicom.dcmread(path, stop_before_pixels=True)

    loop = measured(bare, options.runs)
    rows = [
        ("seconds", f"{scan['seconds']:.2f}", f"{loop['seconds']:.2f}"),
        ("files per second", f"{count / scan['seconds']:.0f}", f"{count / loop['seconds']:.0f}"),
        ("bytes read per file", f"{scan['bytes'] / count:.0f}", f"{loop['bytes'] / count:.0f}"),
    ]
    print(f"{count} files of {size} bytes each")
    print(f"{'':22}{'open_studies':>18}{'bare dcmread loop':>20}")
    for name, first, second in rows:
        print(f"{name:22}{first:>18}{second:>20}")
    print(f"time ratio: {scan['seconds'] / loop['seconds']:.2f} (the loop neither groups nor sorts)")
    print(f"memory of the studies at their peak: {scan['memory_kb'] / 1024:.0f} MB")
    print(f"pydicom imported by the scan: {'yes' if scan['pydicom'] else 'no'}")
    if options.json:
        options.json.write_text(json.dumps({"open_studies": scan, "bare": loop, "files": count, "file_size": size}))
    if options.folder is None:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
