"""Volumes and mean values of the research data against the figures that came with it."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest

from secondread.imaging.volume.onto import MOVED, mask_on
from secondread.imaging.volume.open import open_volume
from secondread.imaging.volume.regridded import reoriented
from secondread.imaging.volume.volume import Volume

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def folder(data_dir: Path) -> Path:
    found = data_dir / "volumes_ct_mr"
    if not found.is_dir():
        pytest.skip("no volumes_ct_mr in the research data")
    return found


def sizes_and_means(labels: Volume, image: Volume, names: dict[str, str]) -> dict[str, tuple[float, float]]:
    """Volume in mm3 and mean value by organ."""
    array, _ = mask_on(labels, image)
    values = image.values()
    found = {}
    for number, name in names.items():
        inside = array == int(number)
        if inside.any():
            found[name] = (float(inside.sum() * image.voxel_mm3), float(values[inside].mean(dtype=np.float64)))
    return found


@pytest.mark.parametrize("turn", ["RAS", "LPS", "ASL", "IPR"])
def test_organ_volumes_and_mean_hu_equal_the_statistics_beside_the_data(folder: Path, turn: str) -> None:
    data = folder / "totalsegmentator"
    names = json.loads((data / "label_names.json").read_text())["total"]
    reference = json.loads((data / "ct_abdomen_small_3mm_statistics_fast.json").read_text())
    image = open_volume(data / "ct_abdomen_small_3mm.nii.gz", unit="HU", modality="CT")
    labels = reoriented(open_volume(data / "ct_abdomen_small_3mm_total_fast.nii.gz"), turn).volume
    found = sizes_and_means(labels, image, names)
    compared = 0
    for organ, told in reference.items():
        if told["volume"] == 0:
            assert organ not in found
            continue
        volume, mean = found[organ]
        assert volume == pytest.approx(told["volume"], abs=0.01), organ
        assert round(mean, 5) == pytest.approx(told["intensity"], abs=1.1e-5), organ
        compared += 1
    assert compared > 20
    assert found["spleen"] == pytest.approx((260010, 33.059), abs=1e-3)


@pytest.mark.parametrize("case", ["brain1", "breast1"])
def test_lesion_volumes_equal_pyradiomics(folder: Path, case: str) -> None:
    with (folder / "pyradiomics" / "baseline_shape.csv").open() as file:
        rows = {row["featureName"]: row for row in csv.DictReader(file)}
    wanted = float(rows["original_shape_VoxelVolume"][case])
    labels = open_volume(folder / "pyradiomics" / f"{case}_label.nii.gz")
    image = open_volume(folder / "pyradiomics" / f"{case}_image.nii.gz")
    array, caveats = mask_on(labels, image)
    assert caveats == ()
    assert np.count_nonzero(array == 1) * labels.voxel_mm3 == pytest.approx(wanted, rel=1e-6)


def test_hippocampus_volumes_in_mm3_follow_from_the_affines(data_dir: Path) -> None:
    root = data_dir / "mr_hippocampus_msd"
    if not root.is_dir():
        pytest.skip("no mr_hippocampus_msd in the research data")
    with (root / "index.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "dev"][:40]
    for row in rows:
        labels = open_volume(root / row["label_file"])
        told = dict(re.findall(r"(anterior|posterior)_mm3=(\d+)", row["notes"]))
        for number, part in ((1, "anterior"), (2, "posterior")):
            found = np.count_nonzero(labels.stored == number) * labels.voxel_mm3
            assert found == pytest.approx(float(told[part]), abs=1.0), row["file"]


def test_spleen_by_hand_is_soft_tissue_in_its_ct(folder: Path) -> None:
    image = open_volume(folder / "msd_spleen2" / "ct.nii.gz", unit="HU", modality="CT")
    array, _ = mask_on(open_volume(folder / "msd_spleen2" / "spleen_manual.nii.gz"), image)
    assert 50 < float(np.median(image.values()[array == 1])) < 180


def test_a_dicom_series_and_its_nifti_labels_agree_by_position(folder: Path) -> None:
    """The label's rows run against those of the series: by index the liver comes out at -75 HU."""
    from secondread.imaging.study.scan import open_studies

    data = folder / "totalsegmentator"
    series = next(s for study in open_studies(str(data / "ct_dicom_series")) for s in study.series)
    image = series.volume()
    labels = open_volume(data / "ct_dicom_series_total.nii.gz")
    names = json.loads((data / "label_names.json").read_text())["total"]
    liver = next(int(number) for number, name in names.items() if name == "liver")
    array, caveats = mask_on(labels, image)
    inside = image.values()[array == liver]
    assert image.header.unit == "HU" and caveats == (MOVED,)
    assert inside.mean() == pytest.approx(89, abs=1.5) and inside.std() == pytest.approx(22, abs=2)
    by_index = image.values()[labels.stored == liver]
    assert by_index.mean() < -50
    index0 = image.count("axial") // 2
    np.testing.assert_array_equal(image.shown(array, "axial", index0), labels.slice("axial", index0))


def test_a_dicom_series_and_the_nifti_made_of_it_by_another_reader_agree_voxel_for_voxel(
    folder: Path, tmp_path: Path
) -> None:
    import SimpleITK as sitk

    from secondread.imaging.study.scan import open_studies

    data = str(folder / "totalsegmentator" / "ct_dicom_series")
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(data, reader.GetGDCMSeriesIDs(data)[0]))
    turned = sitk.DICOMOrient(reader.Execute(), "SAR")
    sitk.WriteImage(turned, str(tmp_path / "ct.nii.gz"))
    nifti = open_volume(tmp_path / "ct.nii.gz", unit="HU", modality="CT")
    series = next(s for study in open_studies(data) for s in study.series).volume()
    assert nifti.orientation.codes != series.orientation.codes == "LPS"
    same = reoriented(nifti, "LPS").volume
    np.testing.assert_array_equal(same.values(), series.values())
    np.testing.assert_allclose(same.affine, series.affine, atol=1e-3)
    for plane in ("axial", "coronal", "sagittal"):
        index0 = series.count(plane) // 3
        np.testing.assert_array_equal(nifti.slice(plane, index0), series.slice(plane, index0))
        assert nifti.position_mm(plane, index0) == pytest.approx(series.position_mm(plane, index0), abs=1e-3)


def test_axial_slices_of_a_dicom_series_look_like_the_files_loaded_one_by_one(folder: Path) -> None:
    from secondread.imaging.study.scan import open_studies

    for data in (folder / "totalsegmentator" / "ct_dicom_series", folder / "mr_dicom_hippocrop"):
        series = next(s for study in open_studies(str(data)) for s in study.series)
        volume = series.volume()
        for index0 in (0, volume.count("axial") // 2, volume.count("axial") - 1):
            loaded = series.instances[index0].load()
            np.testing.assert_array_equal(volume.grey("axial", index0), loaded.grey)
            geometry = volume.slice_info("axial", index0).geometry
            assert geometry is not None and loaded.info.geometry is not None
            assert geometry.origin == pytest.approx(loaded.info.geometry.origin, abs=1e-6)
            assert geometry.per_row == pytest.approx(loaded.info.geometry.per_row, abs=1e-9)


def test_every_volume_of_the_research_data_opens(folder: Path) -> None:
    paths = sorted(folder.rglob("*.nii.gz"))
    assert len(paths) > 15
    for path in paths:
        volume = open_volume(path)
        assert volume.oriented and volume.header.source_format == "nifti"
        middle = volume.count("axial") // 2
        assert volume.grey("axial", middle).shape == (
            volume.shape[volume.orientation.voxel_axis[1]],
            volume.shape[volume.orientation.voxel_axis[0]],
        )
