"""A volume in memory: its slices as displayed, its places in mm, its id and window."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from secondread.imaging.volume.orientation import orientation_of
from secondread.imaging.volume.volume import Volume
from secondread.imaging.volume.voxels import ArrayVoxels
from secondread.schema.errors import InputError, UnreadableImage, UnsupportedImage, UsageError
from secondread.schema.study import Plane, PlaneGeometry

PLANES: tuple[Plane, ...] = ("axial", "coronal", "sagittal")
CODES = ["".join(codes) for p in itertools.permutations(("RL", "AP", "SI")) for codes in itertools.product(*p)]


def drawn() -> Volume:
    """RAS, 2 x 3 x 4 mm voxels; each value says where it is: 100 x + 10 y + z in voxels from the low RAS corner."""
    x, y, z = np.mgrid[0:5, 0:6, 0:7]
    affine = np.diag([2.0, 3.0, 4.0, 1.0])
    affine[:3, 3] = (-10, 20, -30)
    return Volume.from_array((100 * x + 10 * y + z).astype(np.int16), affine, unit="HU", modality="CT")


def rewritten(volume: Volume, codes: str) -> Volume:
    """The same anatomy with its voxel axes running to `codes`, by nibabel."""
    import nibabel as nib

    image = nib.Nifti1Image(np.asarray(volume.stored), volume.affine)
    wanted = nib.orientations.axcodes2ornt(codes)
    turned = image.as_reoriented(nib.orientations.ornt_transform(nib.io_orientation(image.affine), wanted))
    return Volume.from_array(np.asarray(turned.dataobj), turned.affine, unit="HU", modality="CT")


def corner(geometry: PlaneGeometry, row: float, column: float) -> NDArray[np.float64]:
    return (
        np.array(geometry.origin) + row * np.array(geometry.per_row) + column * np.array(geometry.per_column)
    )  # fmt: skip


def test_slices_are_counted_from_the_low_ras_end_and_hung_like_films() -> None:
    volume = drawn()
    assert [volume.count(plane) for plane in PLANES] == [7, 6, 5]
    axial, coronal, sagittal = (volume.slice(plane, 1) for plane in PLANES)
    # Patient right (x 4) at the viewer's left, front (y 5) on top, head (z 6) on top.
    assert axial[0, 0] == 451 and axial[-1, -1] == 1 and axial.shape == (6, 5)
    assert coronal[0, 0] == 416 and coronal[-1, -1] == 10 and coronal.shape == (7, 5)
    assert sagittal[0, 0] == 156 and sagittal[-1, -1] == 100 and sagittal.shape == (7, 6)


@pytest.mark.parametrize("codes", CODES)
def test_the_stored_axis_order_does_not_show(codes: str) -> None:
    volume = drawn()
    turned = rewritten(volume, codes)
    assert turned.orientation.codes == codes
    for plane in PLANES:
        assert turned.count(plane) == volume.count(plane)
        for index0 in range(volume.count(plane)):
            np.testing.assert_array_equal(turned.slice(plane, index0), volume.slice(plane, index0))
            ours, theirs = turned.slice_geometry(plane, index0), volume.slice_geometry(plane, index0)
            assert ours == theirs
            assert turned.position_mm(plane, index0) == volume.position_mm(plane, index0)


@pytest.mark.parametrize("plane", PLANES)
def test_geometry_voxel_and_value_of_a_pixel_agree(plane: Plane) -> None:
    volume = rewritten(drawn(), "ASL")
    for index0 in range(volume.count(plane)):
        shown, geometry = volume.slice(plane, index0), volume.slice_geometry(plane, index0)
        for row, column in np.ndindex(*shown.shape):
            voxel = volume.voxel(plane, index0, row, column)
            i, j, k = (int(v) for v in voxel)
            assert volume.stored[i, j, k] == shown[row, column]
            np.testing.assert_allclose(corner(geometry, row, column), volume.to_mm(voxel))


def test_place_and_spacing_of_a_slice_are_told() -> None:
    volume = drawn()
    info = volume.slice_info("coronal", 2)
    assert info.place is not None and info.spacing is not None and info.ref.volume == volume.id
    assert info.place.words() == "series 1 of 1, slice 3 of 6 (coronal, y 26.0 mm)"
    assert (info.spacing.row_mm, info.spacing.column_mm, info.unit) == (4.0, 2.0, "HU")
    assert info.ref.id == volume.slice_info("coronal", 2).ref.id != volume.slice_info("coronal", 1).ref.id


def test_scale_is_applied_per_slice_and_voxels_keep_their_dtype() -> None:
    stored = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    scale = [(1.0, 0.0), (2.0, -5.0), (0.5, 1.0), (1.0, -1024.0)]
    volume = Volume.from_array(stored, np.eye(4), scale=scale)
    wanted = np.stack([stored[:, :, k] * slope + intercept for k, (slope, intercept) in enumerate(scale)], axis=2)
    np.testing.assert_array_equal(volume.values(), wanted.astype(np.float32))
    np.testing.assert_array_equal(volume.values(((0, 2), (1, 2), (2, 4))), wanted[:, 1:2, 2:4])
    np.testing.assert_array_equal(volume.slice("axial", 3), wanted[::-1, ::-1, 3].T)
    np.testing.assert_array_equal(volume.slice("sagittal", 1), wanted[1, ::-1, ::-1].T)
    assert volume.stored.dtype == np.int16 and volume.stored.base is not None
    assert volume.scale(3) == (1.0, -1024.0)


def test_nothing_of_a_volume_can_be_written_to() -> None:
    volume = drawn()
    for array in (volume.stored, volume.affine):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 1


def test_the_id_follows_voxels_affine_and_scale_and_nothing_else() -> None:
    base = drawn()
    stored, affine = np.array(base.stored), np.array(base.affine)
    same = Volume.from_array(np.asfortranarray(stored).astype(">i2"), affine, modality="MR", caveats=("x",))
    assert base.id == same.id == base.info.id and base.id.startswith("vol-") and len(base.id) == 20
    assert same.stored.dtype == np.dtype("=i2")
    moved, changed = affine.copy(), stored.copy()
    moved[0, 3] += 0.5
    changed[2, 3, 4] += 1
    others = [
        Volume.from_array(stored, moved),
        Volume.from_array(changed, affine),
        Volume.from_array(stored, affine, scale=(2, 0)),
        Volume.from_array(stored.astype(np.int32), affine),
    ]
    assert len({base.id, *(v.id for v in others)}) == 5


def test_window_is_the_headers_then_soft_tissue_then_the_central_values() -> None:
    values = np.arange(1000, dtype=np.int16).reshape(10, 10, 10)
    assert Volume.from_array(values, np.eye(4), unit="HU", window=(10, 20)).window == (10, 20)
    assert Volume.from_array(values, np.eye(4), unit="HU").window == (40, 400)
    assert Volume.from_array(values, np.eye(4)).window == pytest.approx((499.5, 989.01))
    constant = Volume.from_array(np.full((2, 2, 2), 7, np.uint8), np.eye(4))
    assert np.isfinite(constant.grey("axial", 0)).all()


def test_grey_is_clipped_and_inverted_for_monochrome1() -> None:
    values = np.array([-500, -160, 40, 240, 900], np.int16).reshape(5, 1, 1)
    row = Volume.from_array(values, np.eye(4), unit="HU").grey("axial", 0)[0]
    np.testing.assert_allclose(row[::-1], [0, 0, 0.5, 1, 1])
    inverse = Volume.from_array(values, np.eye(4), unit="HU", photometric="MONOCHROME1").grey("axial", 0)[0]
    np.testing.assert_allclose(inverse, 1 - row)
    with pytest.raises(UsageError, match="width"):
        drawn().grey("axial", 0, (40, 0))


def test_values_that_are_not_finite_are_counted_stated_and_black() -> None:
    values = np.linspace(0, 1, 60, dtype=np.float32).reshape(3, 4, 5)
    values[0, 0, 0], values[1, 2, 3] = np.nan, np.inf
    volume = Volume.from_array(values, np.eye(4))
    assert any(caveat.startswith("2 values (0.033 of all) are not finite") for caveat in volume.info.caveats)
    assert not volume.header.caveats
    assert volume.grey("axial", 0)[-1, -1] == 0 and np.isfinite(volume.grey("axial", 3)).all()
    assert np.isnan(volume.slice("axial", 0)[-1, -1])
    assert 0 <= volume.window[0] <= 1


def test_values_beyond_float32_count_as_not_finite() -> None:
    values = np.ones((3, 4, 5))
    values[0, 0, 0] = 1e300
    for volume in (
        Volume.from_array(values, np.eye(4)),
        Volume.from_array((values > 1).astype(np.int16), np.eye(4), scale=(1e300, 1)),
    ):
        assert volume.info.caveats[0].startswith("1 values (0.017 of all) are not finite")
        assert np.isfinite(volume.window).all() and np.isfinite(volume.grey("axial", 0)).all()


def test_hounsfield_like_values_are_suggested_but_not_decided() -> None:
    rng = np.random.default_rng(1)
    body = np.where(rng.random((20, 20, 20)) < 0.4, -1000, rng.integers(-100, 200, (20, 20, 20))).astype(np.int16)
    told = Volume.from_array(body, np.eye(4)).info
    assert told.unit == "stored" and any("look like Hounsfield" in c for c in told.caveats)
    assert not Volume.from_array(body, np.eye(4), unit="HU").info.caveats
    assert not Volume.from_array(body + 1024, np.eye(4)).info.caveats


def test_an_oblique_grid_keeps_its_slices_and_says_its_angle() -> None:
    turn = np.radians(12)
    affine = np.eye(4)
    affine[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    values = np.arange(24).reshape(2, 3, 4)
    volume = Volume.from_array(values, affine)
    assert volume.orientation.codes == "RAS"
    assert [c for c in volume.info.caveats if "12.0 degrees" in c]
    np.testing.assert_array_equal(volume.slice("axial", 2), values[::-1, ::-1, 2].T)


def test_a_volume_without_placement_names_no_side_and_no_millimetre() -> None:
    volume = Volume.from_array(np.zeros((3, 4, 5), np.uint8))
    info = volume.slice_info("axial", 0)
    assert info.geometry is None and info.spacing is None and info.place is not None
    assert info.place.plane is None and info.place.position_mm is None


@given(
    st.lists(st.floats(-1, 1), min_size=9, max_size=9),
    st.lists(st.floats(0.2, 5), min_size=3, max_size=3),
)
@settings(max_examples=60, deadline=None)
def test_codes_agree_with_nibabel_on_any_rotated_grid(numbers: list[float], sides: list[float]) -> None:
    import nibabel as nib

    matrix = np.array(numbers).reshape(3, 3)
    if abs(np.linalg.det(matrix)) < 0.05:
        return
    rotation, _ = np.linalg.qr(matrix)
    affine = np.eye(4)
    affine[:3, :3] = rotation * sides
    found = orientation_of(affine)
    if found.angle_degrees < 44:  # beyond, either answer is right
        assert found.codes == "".join(nib.aff2axcodes(affine))


@given(st.lists(st.floats(-200, 200), min_size=3, max_size=3))
@settings(max_examples=30, deadline=None)
def test_indices_and_millimetres_return(place: list[float]) -> None:
    volume = rewritten(drawn(), "SPL")
    np.testing.assert_allclose(volume.to_mm(volume.to_index(place)), place, atol=1e-9)
    np.testing.assert_allclose(volume.to_mm([[0, 0, 0], [1, 1, 1]])[0], volume.affine[:3, 3])


def test_grids_are_the_same_by_place_not_by_shape() -> None:
    volume = drawn()
    shifted = np.array(volume.affine)
    shifted[0, 3] += 1
    assert volume.same_grid(Volume.from_array(np.zeros((5, 6, 7)), volume.affine))
    assert not volume.same_grid(Volume.from_array(np.zeros((5, 6, 7)), shifted))
    assert not volume.same_grid(Volume.from_array(np.zeros((5, 6, 8)), volume.affine))
    assert volume.voxel_mm3 == pytest.approx(24)


def test_masks_are_shown_like_their_volume() -> None:
    volume = rewritten(drawn(), "PIR")
    mask = np.asarray(volume.stored) > 222
    for plane in PLANES:
        np.testing.assert_array_equal(volume.shown(mask, plane, 3), volume.slice(plane, 3) > 222)
    with pytest.raises(InputError, match="grid"):
        volume.shown(mask[1:], "axial", 0)


def bent(change: str) -> NDArray[np.float64]:
    affine = np.eye(4)
    match change:
        case "nan":
            affine[0, 0] = np.nan
        case "zero":
            affine[:, 1] = 0
        case "flat":
            affine[:3, 2] = (1, 1e-3, 0)
        case "huge":
            affine[2, 2] = 1e5
        case "far":
            affine[0, 3] = 1e7
        case "row":
            affine[3] = (0, 0, 1, 1)
    return affine


@pytest.mark.parametrize("change", ["nan", "zero", "flat", "huge", "far", "row"])
def test_an_affine_that_places_nothing_is_refused(change: str) -> None:
    with pytest.raises(UnreadableImage, match="cannot be placed"):
        Volume.from_array(np.zeros((2, 2, 2)), bent(change))


def test_what_is_no_volume_is_refused() -> None:
    with pytest.raises(InputError, match="not a volume"):
        Volume.from_array(np.zeros((2, 2)), np.eye(4))
    with pytest.raises(UnsupportedImage, match="complex64"):
        Volume.from_array(np.zeros((2, 2, 2), np.complex64), np.eye(4))
    with pytest.raises(UnreadableImage, match="scale"):
        Volume.from_array(np.zeros((2, 2, 2)), np.eye(4), scale=(0, 1))
    with pytest.raises(ValueError, match="shape"):
        Volume(drawn().header, ArrayVoxels(np.zeros((2, 2, 2))))
    with pytest.raises(UsageError, match="no axial slice 8"):
        drawn().slice("axial", 7)
    with pytest.raises(UsageError, match="no axial slice"):
        drawn().slice("axial", -1)
    with pytest.raises(UsageError, match="no plane"):
        drawn().slice("oblique", 0)  # type: ignore[arg-type]  # what is refused
    with pytest.raises(InputError, match="not inside"):
        drawn().values(((0, 9), (0, 1), (0, 1)))
