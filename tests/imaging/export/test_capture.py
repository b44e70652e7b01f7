"""Secondary captures keep the picture, and carry identity only when their source is DICOM."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest

from secondread.imaging.export.capture import write_secondary_capture
from secondread.schema.errors import InputError


@pytest.mark.parametrize("shape", [(40, 30), (31, 77), (1, 1)])
def test_the_picture_comes_back_and_the_object_is_valid(
    film: Path, tmp_path: Path, errors_of: Callable[[Path], list[str]], shape: tuple[int, int]
) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (*shape, 3), np.uint8)
    for source in (film, film.with_name("chest.png"), None):
        written = write_secondary_capture(picture, tmp_path / "sc.dcm", source=source)
        assert not errors_of(written.path)
        assert (pydicom.dcmread(written.path).pixel_array == picture).all()


def test_identity_comes_from_a_dicom_source_alone(film: Path, tmp_path: Path) -> None:
    from PIL import Image

    picture = Image.new("L", (8, 6), 90)
    mine = pydicom.dcmread(write_secondary_capture(picture, tmp_path / "a.dcm", source=film).path)
    source = pydicom.dcmread(film)
    assert (mine.PatientID, mine.StudyInstanceUID) == (source.PatientID, source.StudyInstanceUID)
    bare = pydicom.dcmread(
        write_secondary_capture(picture, tmp_path / "b.dcm", source=film.with_name("chest.png")).path
    )
    assert (str(bare.PatientName), bare.PatientID) == ("Anonymous^", "Anonymous")
    assert bare.StudyInstanceUID != source.StudyInstanceUID
    assert not any(bare.get(keyword) for keyword in ("PatientBirthDate", "AccessionNumber", "StudyDate", "StudyID"))


def test_a_picture_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="8-bit RGB"):
        write_secondary_capture(np.zeros((4, 4), np.uint8), tmp_path / "sc.dcm")
    assert not list(tmp_path.iterdir())
