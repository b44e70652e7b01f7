"""Shapes in three dimensions: drawn solids, and the reference of pyradiomics on its own cases."""

import csv
from pathlib import Path

import nibabel
import numpy as np
import pytest

from secondread.schema.errors import NotMeasurable
from secondread.tools.measure.toolbox.first_order import first_order
from secondread.tools.measure.toolbox.solid import shape


def test_a_ball_has_its_volume_surface_and_diameter_within_two_percent_on_an_uneven_grid() -> None:
    steps = np.array([0.5, 1.0, 2.0])
    index = np.stack(np.meshgrid(*(np.arange(n) for n in (121, 61, 31)), indexing="ij"), -1)
    mask = np.linalg.norm((index - [60, 30, 15]) * steps, axis=-1) <= 25
    affine = np.diag([*steps, 1.0])
    affine[:3, 3] = [-30, -30, -30]
    found = shape(mask, affine)
    assert found.voxel_mm3 == pytest.approx(4 / 3 * np.pi * 25**3, rel=0.02)
    assert found.mesh_mm3 == pytest.approx(found.voxel_mm3, rel=0.02)
    assert 50 <= found.diameter_mm <= 52.1  # from outer face to outer face of voxels 2 mm high
    assert 0.8 < found.sphericity < 1  # steps of the voxels make the surface rough
    np.testing.assert_allclose(found.centroid_mm, (0, 0, 0), atol=0.05)
    assert found.major_axis_mm == pytest.approx(4 * 25 / np.sqrt(5), rel=0.02)


def test_a_sheared_grid_is_measured_as_it_lies_in_the_body() -> None:
    mask = np.ones((10, 10, 10), bool)
    straight, sheared = np.eye(4), np.eye(4)
    sheared[0, 2] = 1.0
    assert shape(mask, sheared).voxel_mm3 == pytest.approx(shape(mask, straight).voxel_mm3)
    assert shape(mask, sheared).diameter_mm > shape(mask, straight).diameter_mm


def test_an_empty_mask_is_refused() -> None:
    with pytest.raises(NotMeasurable):
        shape(np.zeros((3, 3, 3), bool), np.eye(4))


@pytest.mark.data
@pytest.mark.parametrize("case", ["brain1", "breast1"])
def test_shape_and_first_order_features_agree_with_pyradiomics(data_dir: Path, case: str) -> None:
    folder = data_dir / "volumes_ct_mr" / "pyradiomics"
    image, label = (nibabel.load(folder / f"{case}_{what}.nii.gz") for what in ("image", "label"))
    values, mask = np.asarray(image.dataobj, np.float64), np.asarray(label.dataobj) > 0
    want: dict[str, float] = {}
    for name in ("baseline_shape.csv", "baseline_firstorder.csv"):
        with (folder / name).open(newline="") as file:
            rows = [r for r in csv.DictReader(file) if r["featureName"].startswith("original_")]
        want |= {r["featureName"].split("_")[-1]: float(r[case]) for r in rows}
    found = shape(mask, np.asarray(label.affine))
    assert found.voxel_mm3 == pytest.approx(want["VoxelVolume"], rel=1e-5)
    assert found.mesh_mm3 == pytest.approx(want["MeshVolume"], rel=0.01)
    assert found.surface_mm2 == pytest.approx(want["SurfaceArea"], rel=0.02)
    assert found.sphericity == pytest.approx(want["Sphericity"], rel=0.02)
    assert found.diameter_mm == pytest.approx(want["Maximum3DDiameter"], rel=0.01)
    assert found.major_axis_mm == pytest.approx(want["MajorAxisLength"], rel=1e-4)
    assert found.minor_axis_mm == pytest.approx(want["MinorAxisLength"], rel=1e-4)
    assert found.least_axis_mm == pytest.approx(want["LeastAxisLength"], rel=1e-4)
    stats = first_order(values, mask)
    for ours, theirs in {
        "mean": "Mean", "median": "Median", "minimum": "Minimum", "maximum": "Maximum", "entropy": "Entropy",
        "percentile_10": "10Percentile", "percentile_90": "90Percentile", "uniformity": "Uniformity",
        "interquartile_range": "InterquartileRange", "mean_absolute_deviation": "MeanAbsoluteDeviation",
        "robust_mean_absolute_deviation": "RobustMeanAbsoluteDeviation", "skewness": "Skewness",
        "kurtosis": "Kurtosis",
    }.items():  # fmt: skip
        assert getattr(stats, ours) == pytest.approx(want[theirs], rel=1e-3), theirs
    assert stats.deviation**2 == pytest.approx(want["Variance"], rel=1e-4)
    shifted = first_order(values + 2000, mask)  # the reference was made with a voxel array shift of 2000
    assert shifted.energy == pytest.approx(want["Energy"], rel=1e-6)
