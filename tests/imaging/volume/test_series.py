"""DICOM series as volumes: values, dtype, laziness, memory, and the real CT against its labels and another reader."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, PositronEmissionTomographyImageStorage, RLELossless

from secondread.imaging.dicom.file import DicomFile
from secondread.imaging.study.model import Series
from secondread.imaging.study.scan import open_studies
from secondread.schema.errors import SecondReadError, UnreadableImage
from tests.imaging.study.conftest import image, save


def pixels(k: int, rows: int = 4, columns: int = 6) -> np.ndarray[Any, np.dtype[np.uint16]]:
    """Stored values of slice k that tell slice, row and column: 100 k + 10 row + column."""
    y, x = np.mgrid[:rows, :columns]
    return np.asarray(100 * k + 10 * y + x, np.uint16)


def series(folder: Path, count: int, change: Callable[[Dataset, int], None] | None = None, **header: Any) -> Series:
    """A CT of some slices, 2 mm apart, numbered against their heights."""
    for k in range(count):
        ds = image(count - k, SOPInstanceUID=f"1.7.{k}", ImagePositionPatient=[10, 20, 2.0 * k], **header)
        if "PixelData" not in header:
            ds.PixelData = pixels(k, ds.Rows, ds.Columns).tobytes()
        if change is not None:
            change(ds, k)
        save(ds, folder / f"{count - k}")
    [study] = open_studies(folder)
    [found] = study.series
    return found


def test_voxels_are_columns_rows_slices_and_hounsfield_units(tmp_path: Path) -> None:
    volume = series(tmp_path, 5).volume()
    assert volume.shape == (6, 4, 5)
    assert volume.dtype == np.int16 and volume.header.unit == "HU"
    i, j, k = 5, 2, 3
    assert volume.stored[i, j, k] == 100 * k + 10 * j + i - 1024
    assert volume.values()[i, j, k] == volume.stored[i, j, k]
    np.testing.assert_allclose(volume.to_mm((i, j, k)), (-(10 + i), -(20 + j), 2 * k))
    assert volume.header.source_format == "dicom" and volume.header.modality == "CT"
    assert (volume.slice("axial", 1) == pixels(1).astype(np.float32) - 1024).all()


def test_only_the_slices_asked_for_are_read_and_each_is_decoded_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = series(tmp_path, 8).volume()
    decoded: list[str] = []
    real = DicomFile.stored

    def counting(self: DicomFile, frame: int = 0) -> Any:
        decoded.append(self.name)
        return real(self, frame)

    monkeypatch.setattr(DicomFile, "stored", counting)
    volume.slice("axial", 6)
    volume.slice("axial", 6)
    assert [name[-1] for name in decoded] == ["2"]
    volume.slice("coronal", 1)
    assert volume.info.id == volume.id
    assert sorted(name[-1] for name in decoded) == list("12345678")


def test_a_file_that_goes_leaves_the_other_slices(tmp_path: Path) -> None:
    volume = series(tmp_path, 4).volume()
    (tmp_path / "2").unlink()
    assert volume.slice("axial", 1)[0, 0] == 100 - 1024
    assert volume.slice("axial", 3)[0, 0] == 300 - 1024
    with pytest.raises(UnreadableImage, match=r"2 has gone|2 does not exist"):
        volume.slice("axial", 2)
    with pytest.raises(UnreadableImage):
        _ = volume.stored


def test_slices_asked_for_in_turn_survive_a_bad_one_ahead(tmp_path: Path) -> None:
    volume = series(tmp_path, 4).volume()
    (tmp_path / "1").unlink()
    for k in range(3):
        assert volume.slice("axial", k)[0, 0] == 100 * k - 1024
    with pytest.raises(UnreadableImage):
        volume.slice("axial", 3)


def test_voxels_cannot_be_written_to(tmp_path: Path) -> None:
    source = series(tmp_path, 3).volume()
    slab = source._voxels.read_slab(0)
    with pytest.raises(ValueError, match="read-only"):
        slab[0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        source.stored[0, 0, 0] = 1


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless, JPEGLSLossless])
def test_compressed_series_give_the_same_voxels(tmp_path: Path, syntax: Any) -> None:
    plain = series(tmp_path / "plain", 4, rows=64, columns=48).volume()
    packed = series(tmp_path / "packed", 4, lambda ds, k: ds.compress(syntax), rows=64, columns=48).volume()
    assert (packed.stored == plain.stored).all()
    assert packed.id == plain.id


def test_sixteen_bits_with_an_intercept_stay_stored_and_are_scaled(tmp_path: Path) -> None:
    volume = series(tmp_path, 3, BitsStored=16, HighBit=15).volume()
    assert volume.dtype == np.uint16
    assert volume.scale(1) == (1, -1024)
    assert volume.values()[2, 1, 1] == 112 - 1024


def test_signed_pixels_keep_their_sign(tmp_path: Path) -> None:
    def negative(ds: Dataset, k: int) -> None:
        ds.PixelData = (pixels(k).astype(np.int16) - 500).tobytes()

    volume = series(tmp_path, 3, negative, PixelRepresentation=1, RescaleIntercept=0).volume()
    assert volume.dtype == np.int16
    assert volume.values()[0, 0, 0] == -500


def test_a_slope_of_its_own_for_every_slice_is_kept(tmp_path: Path) -> None:
    def slope(ds: Dataset, k: int) -> None:
        ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = 0.5 * (k + 1), 0, "BQML"

    volume = series(
        tmp_path, 3, slope, Modality="PT", SOPClassUID=PositronEmissionTomographyImageStorage
    ).volume()  # fmt: skip
    assert volume.header.unit == "stored"
    assert [volume.values()[1, 0, k] for k in range(3)] == pytest.approx([0.5 * 1, 1.0 * 101, 1.5 * 201])
    assert [volume.scale(k)[0] for k in range(3)] == [0.5, 1.0, 1.5]


def test_whole_slopes_that_differ_are_folded_in(tmp_path: Path) -> None:
    def slope(ds: Dataset, k: int) -> None:
        ds.RescaleSlope = k + 1

    volume = series(tmp_path, 3, slope).volume()
    assert volume.dtype == np.int16 and volume.scale(2) == (1, 0)
    assert [volume.stored[1, 0, k] for k in range(3)] == [1 - 1024, 202 - 1024, 603 - 1024]


def test_a_table_gives_float_values(tmp_path: Path) -> None:
    def table(ds: Dataset, k: int) -> None:
        item = Dataset()
        item.add_new("LUTDescriptor", "US", [4096, 0, 16])
        item.ModalityLUTType = "US"
        item.add_new("LUTData", "OW", (np.arange(4096, dtype=np.uint16) * 3).tobytes())
        ds.ModalityLUTSequence = [item]
        del ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType

    volume = series(tmp_path, 3, table).volume()
    assert volume.dtype == np.float32
    assert volume.values()[2, 1, 1] == 3 * 112


def test_a_slice_with_another_matrix_than_its_header_says_is_refused(tmp_path: Path) -> None:
    found = series(tmp_path, 4)
    volume = found.volume()
    save(image(2, rows=5, SOPInstanceUID="1.7.2"), tmp_path / "2")
    with pytest.raises(SecondReadError):
        volume.slice("axial", 2)


def test_the_tilt_of_a_gantry_is_in_the_affine_and_in_the_caveats(tmp_path: Path) -> None:
    def tilted(ds: Dataset, k: int) -> None:
        ds.ImagePositionPatient = [0, 0.5 * k, 2.0 * k]
        ds.GantryDetectorTilt = 14.0

    volume = series(tmp_path, 6, tilted).volume()
    np.testing.assert_allclose(volume.to_mm((0, 0, 4)), (0, -2, 8))
    assert volume.voxel_mm3 == pytest.approx(2.0)
    assert any("tilted" in said and "14.0 degrees" in said for said in volume.header.caveats)


@pytest.mark.data
def test_the_scan_and_the_file_reader_agree_on_the_rescale_of_every_real_file(data_dir: Path) -> None:
    compared = 0
    for study in open_studies(data_dir / "dicom_variety"):
        for one in study.series:
            for instance in one.instances:
                if instance.scaling is None:
                    continue
                opened = instance.open()
                assert opened.rescale() == (instance.scaling.slope, instance.scaling.intercept), instance.name
                assert (opened.unit() == "HU") == instance.scaling.hounsfield, instance.name
                compared += 1
                try:
                    stored = opened.stored()
                except SecondReadError:
                    continue  # some of these files have no decoder or damaged pixels
                low = -(2 ** (instance.scaling.bits - 1)) if instance.scaling.signed else 0
                assert low <= stored.min() and stored.max() < low + 2**instance.scaling.bits, instance.name
    assert compared > 20


def test_a_series_costs_its_own_size_and_little_more(tmp_path: Path) -> None:
    found = series(tmp_path, 40, rows=128, columns=160)
    found.volume().slice("axial", 0)  # imports are paid for before
    volume = found.volume()
    tracemalloc.start()
    _ = volume.stored
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert volume.nbytes == 40 * 128 * 160 * 2
    assert volume.nbytes <= held <= peak <= 1.3 * volume.nbytes


@pytest.mark.data
def test_the_liver_of_the_real_ct_is_near_89_hu_by_geometry_alone(data_dir: Path) -> None:
    folder = data_dir / "volumes_ct_mr" / "totalsegmentator"
    [study] = open_studies(folder / "ct_dicom_series")
    volume = study.series[0].volume()
    label = nibabel.load(folder / "ct_dicom_series_total.nii.gz")
    where = np.argwhere(np.asarray(label.dataobj) == 5)  # liver, see label_names.json beside the data
    index = volume.to_index(nibabel.affines.apply_affine(label.affine, where))
    np.testing.assert_allclose(index, np.rint(index), atol=1e-3)
    hu = volume.values()[tuple(np.rint(index).astype(int).T)]
    assert hu.mean() == pytest.approx(89, abs=1)
    assert hu.std() == pytest.approx(22, abs=1)
    wrong = volume.values()[tuple(where.T)]
    assert wrong.mean() == pytest.approx(-75, abs=3), "without geometry the label lies upside down"


@pytest.mark.data
@pytest.mark.parametrize("name", ["totalsegmentator/ct_dicom_series", "mr_dicom_hippocrop"])
def test_real_series_agree_voxel_for_voxel_with_simpleitk(data_dir: Path, name: str) -> None:
    import SimpleITK

    folder = data_dir / "volumes_ct_mr" / name
    volume = open_studies(folder)[0].series[0].volume()
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    other = reader.Execute()
    assert (SimpleITK.GetArrayFromImage(other).transpose(2, 1, 0) == volume.stored).all()
    for index in ((0, 0, 0), tuple(n - 1 for n in volume.shape)):
        x, y, z = other.TransformIndexToPhysicalPoint(index)
        np.testing.assert_allclose(volume.to_mm(index), (-x, -y, z), atol=1e-6)
