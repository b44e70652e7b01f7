"""Damaged files: a typed error that names the file, or an image; never a crash, a hang, or more memory than they need.

The files are made here, one per transfer syntax, and broken by seeded bytes and by wrong headers. What runs native
decoders on broken streams does so in a process of its own with a memory limit, so that a crash is a failed test.
"""

import io
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from secondread.imaging.dicom.file import open_dicom
from secondread.imaging.load import load
from secondread.schema.errors import SecondReadError

Build = Callable[..., bytes]
SYNTAXES = {
    "plain": None, "RLE": "1.2.840.10008.1.2.5", "JPEG-LS": "1.2.840.10008.1.2.4.80",
    "JPEG 2000": "1.2.840.10008.1.2.4.90", "JPEG": "1.2.840.10008.1.2.4.50", "deflated": "1.2.840.10008.1.2.1.99",
}  # fmt: skip

BREAKER = """
import random, resource, sys, time
from pathlib import Path
from secondread.imaging.dicom.file import open_dicom
from secondread.schema.errors import SecondReadError

path, rounds, start = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
data = path.read_bytes()
open_dicom(data).load(0)
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
outcomes = {"image": 0, "error": 0}
slowest = 0.0
for seed in range(rounds):
    r = random.Random(seed)
    broken, first = bytearray(data), start
    kind = r.randrange(6)
    at = r.randrange(first, len(broken))
    if kind == 0:
        for _ in range(r.randrange(1, 8)):
            broken[r.randrange(first, len(broken))] ^= 1 << r.randrange(8)
    elif kind == 1:
        for _ in range(r.randrange(1, 6)):
            broken[r.randrange(first, min(first + 160, len(broken)))] = r.randrange(256)
    elif kind == 2:
        broken = broken[:at]
    elif kind == 3:
        broken[at : at + 40] = bytes(r.randrange(256) for _ in range(40))
    elif kind == 4:
        del broken[at : at + r.randrange(1, 60)]
    else:
        broken[at : at + 2] = r.choice([b"\\xff\\xff", b"\\0\\0", b"\\x7f\\xff", b"\\xff\\xd9"])
    began = time.monotonic()
    try:
        file = open_dicom(bytes(broken), "broken.dcm")
        for frame in range(min(file.frames, 2)):
            file.load(frame)
        outcomes["image"] += 1
    except SecondReadError as error:
        assert "broken.dcm" in error.message and "\\n" not in error.message, error.message
        outcomes["error"] += 1
    slowest = max(slowest, time.monotonic() - began)
assert slowest < 20, slowest
# not ru_maxrss, which a child takes over from a large parent
peak = next(int(l.split()[1]) >> 10 for l in open("/proc/self/status") if l.startswith("VmHWM"))
assert peak < 600, peak
print(outcomes["image"], outcomes["error"])
"""


@pytest.fixture
def sample(build: Build) -> Callable[[str], bytes]:
    """A function that makes a small file of two frames in one of the syntaxes."""

    def make(kind: str) -> bytes:
        random = np.random.default_rng(11)
        pixels = (random.normal(0, 20, (2, 48, 56)) + np.linspace(0, 200, 56)).clip(0, 255).astype(np.uint8)
        if kind == "JPEG":
            return encapsulated_jpeg(build, pixels)
        header: dict[str, Any] = {"WindowCenter": 100, "WindowWidth": 200, "RescaleSlope": 1, "RescaleIntercept": -5}
        if kind in ("plain", "deflated"):
            return build(pixels, **({"syntax": SYNTAXES[kind]} if SYNTAXES[kind] else {}), **header)
        return build(pixels.astype(np.uint16) * 9, bits=12, compress=SYNTAXES[kind], **header)

    return make


def encapsulated_jpeg(build: Build, pixels: Any) -> bytes:
    import pydicom
    from PIL import Image
    from pydicom.encaps import encapsulate
    from pydicom.uid import UID

    ds = pydicom.dcmread(io.BytesIO(build(pixels)))
    streams = []
    for frame in pixels:
        stream = io.BytesIO()
        Image.fromarray(frame).save(stream, "JPEG")
        streams.append(stream.getvalue())
    ds.file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.4.50")
    ds.PixelData = encapsulate(streams)
    ds["PixelData"].is_undefined_length = True
    out = io.BytesIO()
    ds.save_as(out)
    return out.getvalue()


@pytest.mark.parametrize("kind", SYNTAXES)
@pytest.mark.parametrize("part", ["pixels", "header"])
def test_broken_bytes_are_an_error_or_an_image_in_bounded_time_and_memory(
    sample: Callable[[str], bytes], tmp_path: Path, kind: str, part: str
) -> None:
    data = sample(kind)
    path = tmp_path / "whole.dcm"
    path.write_bytes(data)
    pixels = data.rindex(b"\xe0\x7f\x10\x00") + 12 if kind != "deflated" else 400
    done = subprocess.run(
        [sys.executable, "-c", BREAKER, str(path), "150", str(pixels if part == "pixels" else 132)],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.returncode == 0
    images, errors = (int(word) for word in done.stdout.split())
    assert images + errors == 150
    assert errors > 5


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_behind_a_dicom_head_are_one_typed_error(data: bytes) -> None:
    for head in (b"\0" * 128 + b"DICM", b"\x08\0\x05\0"):
        try:
            load(head + data)
        except SecondReadError as error:
            assert "\n" not in error.message


VALUES = st.one_of(
    st.sampled_from([0, 1, 2, 7, 8, 12, 16, 24, 32, 64, 255, 65535]),
    st.sampled_from(["MONOCHROME1", "RGB", "PALETTE COLOR", "YBR_FULL_422", "", "SMITH\\JONES", "NaN", "1e400", "-3"]),
)
KEYWORDS = [
    "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "SamplesPerPixel",
    "PlanarConfiguration", "PhotometricInterpretation", "NumberOfFrames", "RescaleSlope", "RescaleIntercept",
    "WindowCenter", "WindowWidth", "PixelPaddingValue", "VOILUTFunction", "PresentationLUTShape", "PixelSpacing",
    "ImagePositionPatient", "ImageOrientationPatient", "Modality", "LossyImageCompression", "FrameTime",
]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYWORDS), st.one_of(st.none(), VALUES), min_size=1, max_size=5), st.booleans())
def test_headers_of_wrong_and_missing_values_are_an_error_or_an_image(changes: dict[str, Any], as_text: bool) -> None:
    data = rewritten(changes, as_text)
    try:
        file = open_dicom(data, "wrong.dcm")
        frames = file.frames
        info, grey = file.load(0)
    except SecondReadError as error:
        assert "wrong.dcm" in error.message
        assert "SMITH" not in error.message
        return
    assert frames >= 1
    assert grey.shape == (info.ref.rows, info.ref.columns) == (file.rows, file.columns)
    assert np.isfinite(grey).all()
    assert grey.min() >= 0
    assert grey.max() <= 1
    assert not any("SMITH" in caveat for caveat in info.caveats)
    assert file.geometry(0) is None or np.isfinite(list(file.geometry(0).origin)).all()  # type: ignore[union-attr]
    if file.stored().ndim == 2 and "PALETTE" not in str(changes.get("PhotometricInterpretation")):
        assert np.isfinite(file.values()).all()


def rewritten(changes: dict[str, Any], as_text: bool) -> bytes:
    """A small CT whose elements are removed (None), or hold the value in their own type, or as text of type LO."""
    import pydicom
    from pydicom.datadict import dictionary_VR
    from pydicom.dataelem import RawDataElement
    from pydicom.tag import Tag

    ds = pydicom.Dataset()
    ds.file_meta = pydicom.dataset.FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    ds.Modality, ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PhotometricInterpretation = "CT", 6, 8, 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.RescaleSlope, ds.RescaleIntercept, ds.WindowCenter, ds.WindowWidth = 1, -1024, 40, 400
    ds.PixelData = np.arange(600, 648, dtype="<u2").tobytes()
    ds["PixelData"].VR = "OW"
    for keyword, value in changes.items():
        if value is None:
            ds.pop(keyword, None)
            continue
        tag = Tag(keyword)
        vr = "LO" if as_text else dictionary_VR(tag).split(" ")[0]
        number = isinstance(value, int) and vr in ("US", "SS")
        raw = struct.pack("<H", value) if number else str(value).encode()
        ds[tag] = RawDataElement(tag, vr, len(raw) + len(raw) % 2, raw + b" " * (len(raw) % 2), 0, False, True)
    stream = io.BytesIO()
    try:
        ds.save_as(stream, implicit_vr=False, little_endian=True)
    except (ValueError, TypeError, OverflowError):  # what cannot be written cannot be read either
        reject()
    return stream.getvalue()
