"""183 awkward DICOM files with known answers: each loads or raises one typed error, and the terminal stays silent."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from secondread.imaging.dicom.file import open_dicom
from secondread.imaging.load import load
from secondread.schema.errors import UnreadableImage, UnsupportedImage

pytestmark = pytest.mark.data

REFUSED_HERE = {
    # 12-bit JPEG Extended: the reference used a decoder under the GPL, which is not among the dependencies
    "cornerstone/CT0012.fragmented_no_bot_jpeg_baseline.51.dcm",
    "cornerstone/CTImage.dcm_JPEGProcess2_4TransferSyntax_1.2.840.10008.1.2.4.51.dcm",
    "pydicom_tests/JPGExtended.dcm",
}
LOSSY = ("JPEG Baseline", "JPEG Extended", "Near-Lossless", "JPEG 2000 Image Compression")


@pytest.fixture(scope="module")
def variety(data_dir: Path) -> tuple[Path, dict[str, dict[str, Any]]]:
    folder = data_dir / "dicom_variety"
    return folder, json.loads((folder / "manifest.json").read_text())["files"]


def test_every_file_loads_or_raises_one_typed_error(
    variety: tuple[Path, dict[str, dict[str, Any]]], capfd: pytest.CaptureFixture[str]
) -> None:
    folder, files = variety
    assert len(files) == 183
    refused = set()
    for name, known in files.items():
        try:
            loaded = load(folder / name)
        except (UnreadableImage, UnsupportedImage) as error:
            assert "\n" not in str(error)
            if known["outcome"] == "decodes":
                refused.add(name)
            continue
        assert known["outcome"] != "no-pixels"
        assert loaded.grey.dtype == np.float32
        assert np.isfinite(loaded.grey).all()
        assert loaded.grey.min() >= 0
        assert loaded.grey.max() <= 1
        assert loaded.grey.shape == (int(known["Rows"]), int(known["Columns"]))
    assert refused <= REFUSED_HERE
    assert capfd.readouterr() == ("", "")


def test_lossless_files_decode_to_the_known_pixels_of_all_frames(
    variety: tuple[Path, dict[str, dict[str, Any]]],
) -> None:
    folder, files = variety
    compared, wrong = 0, []
    for name, known in files.items():
        lossy = any(word in (known.get("transfer_syntax_name") or "") for word in LOSSY)
        lossless = "Lossless" in (known.get("transfer_syntax_name") or "")
        if known["outcome"] != "decodes" or (lossy and not lossless):
            continue
        file = open_dicom(folder / name)
        array = np.stack([file.stored(frame) for frame in range(file.frames)]) if file.frames > 1 else file.stored()
        compared += 1
        assert array.dtype.isnative
        if hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest() != known["array_sha256"]:
            wrong.append(name)
    assert compared >= 100
    assert not wrong


def test_one_slice_in_lossless_syntaxes_has_one_grey(variety: tuple[Path, dict[str, dict[str, Any]]]) -> None:
    folder, files = variety
    reference = "cornerstone/CTImage.dcm_LittleEndianExplicitTransferSyntax_1.2.840.10008.1.2.1.dcm"
    expected, known = load(folder / reference), files[reference]
    same = [n for n, k in files.items() if "CTImage" in n and k.get("array_sha256") == known["array_sha256"]]
    assert len(same) >= 8
    for name in same:
        found = load(folder / name)
        np.testing.assert_array_equal(found.grey, expected.grey)
        assert found.info.ref.id == expected.info.ref.id
