"""NIfTI files written with nibabel: axes, codes, units, scale, frames, and what is refused."""

import gzip
import itertools
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from secondread.imaging.volume.open import open_volume
from secondread.imaging.volume.volume import Volume
from secondread.schema.errors import UnreadableImage, UnsupportedImage, UsageError

Writer = Callable[..., Path]
Grid = tuple[NDArray[np.int16], NDArray[np.float64]]
CODES = ["".join(codes) for p in itertools.permutations(("RL", "AP", "SI")) for codes in itertools.product(*p)]


@pytest.mark.parametrize("name", ["v.nii", "v.nii.gz"])
@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("big", [False, True])
def test_voxels_and_places_are_those_of_nibabel(
    write_nifti: Writer, grid: Grid, tmp_path: Path, name: str, version: int, big: bool
) -> None:
    array, affine = grid
    path = write_nifti(array, affine, "v.nii" if big else name, version=version, big=big)
    if big and name.endswith("gz"):
        path = tmp_path / "big.nii.gz"
        path.write_bytes(gzip.compress((tmp_path / "v.nii").read_bytes()))
    volume = open_volume(path)
    np.testing.assert_array_equal(volume.stored, array)
    assert volume.stored.dtype == np.int16 and volume.stored.dtype.isnative
    np.testing.assert_allclose(volume.affine, affine)
    assert volume.id == Volume.from_array(array, affine).id
    assert volume.header.source_format == "nifti" and volume.header.oriented
    np.testing.assert_array_equal(open_volume(path.read_bytes(), "x").stored, array)


@pytest.mark.parametrize("codes", CODES)
def test_files_with_other_axis_codes_show_the_same_slices_at_the_same_places(
    write_nifti: Writer, grid: Grid, codes: str
) -> None:
    import nibabel as nib

    array, affine = grid
    image = nib.Nifti1Image(array, affine)
    turn = nib.orientations.ornt_transform(nib.io_orientation(affine), nib.orientations.axcodes2ornt(codes))
    turned = image.as_reoriented(turn)
    plain = open_volume(write_nifti(array, affine, "a.nii"))
    other = open_volume(write_nifti(np.asarray(turned.dataobj), turned.affine, "b.nii.gz"))
    assert other.orientation.codes == codes
    for plane in ("axial", "coronal", "sagittal"):
        for index0 in range(plain.count(plane)):
            np.testing.assert_array_equal(other.slice(plane, index0), plain.slice(plane, index0))
            ours, theirs = other.slice_info(plane, index0), plain.slice_info(plane, index0)
            assert ours.geometry is not None and theirs.geometry is not None
            for part in ("origin", "per_row", "per_column"):
                assert getattr(ours.geometry, part) == pytest.approx(getattr(theirs.geometry, part), abs=1e-5)


def test_sform_comes_before_qform_and_disagreement_is_told(write_nifti: Writer, grid: Grid) -> None:
    array, affine = grid
    shifted = affine.copy()
    shifted[0, 3] += 9
    both = open_volume(write_nifti(array, affine, sform=2, qform=1, qform_affine=shifted)).header
    assert both.affine[0][3] == affine[0, 3]
    assert "Orientation from the sform, code 2 (aligned to another scan)." in both.caveats
    assert "sform and qform disagree by up to 9.0 mm; the sform was followed." in both.caveats
    alone = open_volume(write_nifti(array, affine, sform=0, qform=1, qform_affine=shifted)).header
    assert alone.affine[0][3] == pytest.approx(affine[0, 3] + 9)
    assert "Orientation from the qform, code 1 (scanner)." in alone.caveats
    atlas = open_volume(write_nifti(array, affine, sform=4)).header
    assert "Positions are those of a template, not of the patient." in atlas.caveats


def test_without_codes_no_side_is_guessed(write_nifti: Writer, grid: Grid) -> None:
    array, affine = grid
    volume = open_volume(write_nifti(array, affine, sform=0, qform=0))
    assert not volume.header.oriented and volume.spacing_mm == pytest.approx((2, 3, 4))
    np.testing.assert_allclose(volume.affine, np.diag([2, 3, 4, 1]))
    info = volume.slice_info("axial", 0)
    assert info.geometry is None and info.place is not None and info.place.plane is None
    assert info.spacing is not None and info.spacing.row_mm == pytest.approx(3)
    assert any("which side is the patient's right" in caveat for caveat in info.caveats)


def test_a_qform_with_qfac_zero_is_right_handed(write_nifti: Writer, grid: Grid) -> None:
    array, affine = grid
    path = write_nifti(array, affine, sform=0, qform=1)
    data = bytearray(path.read_bytes())
    data[76:80] = np.float32(0).tobytes()
    np.testing.assert_allclose(open_volume(bytes(data)).affine, affine, atol=1e-5)


@pytest.mark.parametrize(("unit", "factor"), [("meter", 1000.0), ("micron", 0.001), ("mm", 1.0)])
def test_lengths_are_turned_into_mm(write_nifti: Writer, grid: Grid, unit: str, factor: float) -> None:
    array, affine = grid
    written = affine.copy()
    written[:3] /= factor
    for codes in ({"sform": 1, "qform": 0}, {"sform": 0, "qform": 1}, {"sform": 0, "qform": 0}):
        volume = open_volume(write_nifti(array, written, units=unit, **codes))
        assert volume.spacing_mm == pytest.approx((2, 3, 4), rel=1e-5)


def test_an_unnamed_unit_is_taken_as_mm_and_told(write_nifti: Writer, grid: Grid) -> None:
    header = open_volume(write_nifti(*grid, units=None, xyzt_units=0)).header
    assert any("mm are assumed" in caveat for caveat in header.caveats)


def test_scale_of_the_header_is_applied_to_slices_not_to_storage(write_nifti: Writer, grid: Grid) -> None:
    array, affine = grid
    volume = open_volume(write_nifti(array, affine, scl_slope=0.5, scl_inter=-10))
    np.testing.assert_allclose(volume.values(), array * 0.5 - 10)
    assert volume.stored.dtype == np.int16 and volume.nbytes == array.nbytes
    unscaled = open_volume(write_nifti(array, affine, scl_slope=0, scl_inter=7))
    np.testing.assert_array_equal(unscaled.values(), array)


def test_frames_of_a_4d_file_are_volumes(write_nifti: Writer, grid: Grid) -> None:
    array, affine = grid
    series = np.stack([array, array + 1, array * 2], axis=3)
    for name in ("v.nii", "v.nii.gz"):
        path = write_nifti(series, affine, name)
        for frame in range(3):
            volume = open_volume(path, frame=frame)
            np.testing.assert_array_equal(volume.stored, series[..., frame])
            assert (volume.header.frames, volume.header.frame) == (3, frame)
            assert f"The file holds 3 frames; this is frame {frame + 1}." in volume.header.caveats
        with pytest.raises(UsageError, match="no frame 4; it holds 3"):
            open_volume(path, frame=3)


def test_trailing_dimensions_of_one_are_no_dimensions(write_nifti: Writer, grid: Grid) -> None:
    array, affine = grid
    assert open_volume(write_nifti(array[..., None, None], affine)).shape == array.shape
    flat = open_volume(write_nifti(array[:, :, 0], affine))
    assert flat.shape == (5, 6, 1)
    with pytest.raises(UnsupportedImage, match=r"more than four dimensions \(5 x 6 x 7 x 1 x 3\)"):
        open_volume(write_nifti(np.stack([array[..., None]] * 3, axis=-1), affine))


def test_the_unit_is_never_guessed(write_nifti: Writer, grid: Grid) -> None:
    path = write_nifti(*grid)
    plain, stated = open_volume(path).header, open_volume(path, unit="HU", modality="CT").header
    assert plain.unit == "stored" and any("taken as stored" in caveat for caveat in plain.caveats)
    assert stated.unit == "HU" and not any("taken as stored" in caveat for caveat in stated.caveats)
    with pytest.raises(UsageError, match="unit"):
        open_volume(path, unit="grey")  # type: ignore[arg-type]  # what is refused


def test_calibrated_range_of_the_header_is_the_window(write_nifti: Writer, grid: Grid) -> None:
    assert open_volume(write_nifti(*grid, cal_min=-100, cal_max=300)).window == (100, 400)


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "f4", "f8", "i8", "u8"])
def test_every_real_type_keeps_its_values(write_nifti: Writer, grid: Grid, dtype: str) -> None:
    array = (np.arange(5 * 6 * 7).reshape(5, 6, 7) % 100).astype(dtype)
    volume = open_volume(write_nifti(array, grid[1], name="v.nii.gz"))
    assert volume.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(volume.values(), array.astype(np.float32))


def test_colour_complex_pairs_and_analyze_are_refused_with_the_reason(
    write_nifti: Writer, grid: Grid, tmp_path: Path
) -> None:
    import nibabel as nib

    array, affine = grid
    rgb = np.zeros(array.shape, np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")]))
    with pytest.raises(UnsupportedImage, match=r"v\.nii holds RGB colours"):
        open_volume(write_nifti(rgb, affine))
    with pytest.raises(UnsupportedImage, match="complex numbers"):
        open_volume(write_nifti(array.astype(np.complex64), affine))
    with pytest.raises(UnsupportedImage, match="128-bit floats"):
        open_volume(write_nifti(array, affine, datatype=1536, bitpix=128))
    nib.save(nib.Nifti1Pair(array, affine), tmp_path / "pair.hdr")
    with pytest.raises(UnsupportedImage, match=r"pair\.hdr is the header of a two-file NIfTI"):
        open_volume(tmp_path / "pair.hdr")
    nib.save(nib.AnalyzeImage(array, affine), tmp_path / "old.hdr")
    with pytest.raises(UnsupportedImage, match=r"old\.hdr is an Analyze 7\.5 file"):
        open_volume(tmp_path / "old.hdr")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"srow_x": np.full(4, np.nan)}, "not finite"),
        ({"srow_x": (2, 2, 0, 0), "srow_y": (3, 3, 0, 0)}, "singular"),
        ({"srow_y": (0, 0, 0, 0)}, "a voxel side is zero"),
        ({"srow_x": (3e6, 0, 0, 0)}, "cannot be"),
        ({"srow_x": (2, 0, 0, 1e9)}, "100 m away"),
        ({"sform_code": 0, "qform_code": 0, "pixdim": {1: 0}}, "a voxel side is zero"),
        ({"sform_code": 0, "pixdim": {1: -2}}, "a voxel side is negative"),
        ({"sform_code": 0, "pixdim": {2: np.nan}}, "quaternion"),
        ({"sform_code": 0, "quatern_b": 3}, "quaternion"),
    ],
)
def test_geometry_that_places_nothing_is_refused(
    write_nifti: Writer, grid: Grid, fields: dict[str, Any], words: str
) -> None:
    with pytest.raises(UnreadableImage, match=rf"v\.nii cannot be placed: .*{words}"):
        open_volume(write_nifti(*grid, **fields))


@pytest.mark.parametrize(
    ("fields", "error", "words"),
    [
        ({"dim": {1: 30000, 2: 30000, 3: 30000}}, UnsupportedImage, "claims 30000 x 30000 x 30000 voxels"),
        ({"dim": {1: -5}}, UnreadableImage, "a dimension of -5"),
        ({"dim": {3: 0}}, UnreadableImage, "a dimension of 0"),
        ({"dim": {0: 9}}, UnreadableImage, "9 dimensions"),
        ({"dim": {3: 70}}, UnreadableImage, "is truncated"),
        ({"dim": {1: 3}}, UnreadableImage, None),
        ({"datatype": 999}, UnreadableImage, "data type 999"),
        ({"datatype": 0}, UnreadableImage, "data type 0"),
        ({"vox_offset": np.nan}, UnreadableImage, "cannot start at byte"),
        ({"vox_offset": 20}, UnreadableImage, "cannot start at byte 20"),
        ({"vox_offset": 1e9}, UnreadableImage, "truncated"),
        ({"scl_slope": 2, "scl_inter": np.inf}, UnreadableImage, "scale is not finite"),
        ({"scl_slope": np.inf}, UnreadableImage, "scale is not finite"),
        ({"magic": b"n+7"}, UnsupportedImage, "Analyze"),
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_damaged_headers_are_refused_by_name_and_cause(
    write_nifti: Writer, fields: dict[str, Any], error: type[Exception], words: str | None, zipped: bool
) -> None:
    array = np.arange(40 * 40 * 7, dtype=np.int16).reshape(40, 40, 7)
    path = write_nifti(array, np.eye(4), "v.nii.gz" if zipped else "v.nii", **fields)
    with pytest.raises(error, match=words) as raised:
        open_volume(path, "scan.nii").slice("axial", 0)
    assert str(raised.value).startswith("scan.nii")


def test_truncated_files_are_refused(write_nifti: Writer, grid: Grid) -> None:
    array = np.random.default_rng(0).integers(-1000, 1000, (40, 40, 20)).astype(np.int16)
    plain, zipped = (write_nifti(array, grid[1], name).read_bytes() for name in ("v.nii", "v.nii.gz"))
    for length in (100, 347, 352, 400, len(plain) - 1):
        with pytest.raises(UnreadableImage, match=r"cut\.nii"):
            open_volume(plain[:length], "cut.nii")
    for length in (3, 12, 60):
        with pytest.raises(UnreadableImage, match=r"cut\.nii"):
            open_volume(zipped[:length], "cut.nii.gz")
    for length in (200, len(zipped) // 2, len(zipped) - 9, len(zipped) - 1):
        volume = open_volume(zipped[:length], "cut.nii.gz")
        with pytest.raises(UnreadableImage, match=r"cut\.nii\.gz is truncated"):
            volume.slice("axial", 0)


def test_a_file_that_changes_after_opening_is_not_read(write_nifti: Writer, grid: Grid) -> None:
    array, affine = grid
    path = write_nifti(array, affine)
    volume = open_volume(path)
    write_nifti(np.concatenate([array] * 2, axis=2), affine)
    with pytest.raises(UnreadableImage, match="has changed since it was opened"):
        volume.slice("axial", 0)
    path.unlink()
    with pytest.raises(UnreadableImage, match="has gone"):
        volume.slice("axial", 0)


def test_several_gzip_members_are_one_file(write_nifti: Writer, grid: Grid) -> None:
    array, affine = grid
    data = write_nifti(array, affine).read_bytes()
    parts = gzip.compress(data[:300]) + gzip.compress(data[300:333]) + gzip.compress(data[333:])
    with pytest.raises(UnreadableImage, match=r"not a volume|truncated"):
        open_volume(parts[:40])
    whole = gzip.compress(data[:500]) + gzip.compress(data[500:])
    np.testing.assert_array_equal(open_volume(whole).stored, array)


@pytest.mark.parametrize("zipped", [False, True])
def test_mutated_files_end_in_a_typed_error_or_a_volume(write_nifti: Writer, zipped: bool) -> None:
    """Bits flipped anywhere, the header above all: no crash, no other error, and bounded memory."""
    from secondread.schema.errors import SecondReadError

    array = np.random.default_rng(0).integers(-1000, 1000, (12, 11, 10)).astype(np.int16)
    plain = write_nifti(array, np.diag([2, 2, 3, 1.0])).read_bytes()
    opened = 0
    tracemalloc.start()
    for seed in range(250):
        rng = np.random.default_rng(seed)
        broken = bytearray(plain)
        for place in rng.integers(0, 352 if rng.random() < 0.8 else len(broken), int(rng.integers(1, 4))):
            broken[place] ^= 1 << int(rng.integers(8))
        data = gzip.compress(bytes(broken), 1) if zipped else bytes(broken)
        if zipped and rng.random() < 0.3:
            torn = bytearray(data)
            torn[int(rng.integers(len(torn)))] ^= 1 << int(rng.integers(8))
            data = bytes(torn)
        try:
            volume = open_volume(data, "scan.nii")
            assert np.isfinite(volume.grey("axial", 0)).all()
            volume.slice_info("sagittal", 0)
            assert volume.shape[0] * volume.shape[1] * volume.shape[2] * volume.header.frames <= array.size * 4
            opened += 1
        except SecondReadError as error:
            assert "scan.nii" in error.message, error
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 20 < opened < 250
    assert peak < 64 << 20


def test_a_flipped_bit_in_a_gzip_stream_is_never_read_as_voxels(write_nifti: Writer) -> None:
    array = np.random.default_rng(0).integers(-1000, 1000, (30, 30, 30)).astype(np.int16)
    data = write_nifti(array, np.eye(4), "v.nii.gz").read_bytes()
    for seed in range(40):
        rng = np.random.default_rng(seed)
        torn = bytearray(data)
        torn[int(rng.integers(2000, len(torn)))] ^= 1 << int(rng.integers(8))
        with pytest.raises(UnreadableImage, match=r"damaged|truncated|more than its header"):
            open_volume(bytes(torn)).slice("axial", 0)


def test_a_bomb_is_refused_before_it_takes_memory() -> None:
    """A header of 4000 x 4000 x 120 in a kilobyte of gzip, and one that inflates without end."""
    import nibabel as nib

    header = nib.Nifti1Header()
    header.set_data_shape((4000, 4000, 120))
    header.set_data_dtype(np.int16)
    header.set_sform(np.eye(4), 1)
    header["vox_offset"] = 352
    tracemalloc.start()
    small = gzip.compress(header.binaryblock + bytes(1 << 20))
    with pytest.raises(UnreadableImage, match=r"more than .* can inflate to"):
        open_volume(small, "bomb.nii.gz")
    header.set_data_shape((4, 4, 4))
    with pytest.raises(UnreadableImage, match="more than its header says"):
        open_volume(gzip.compress(header.binaryblock + bytes(50 << 20)), "bomb.nii.gz").slice("axial", 0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 110 << 20  # the 50 MiB that the test itself compresses


@pytest.mark.parametrize(("name", "bound"), [("v.nii", 0.3), ("v.nii.gz", 1.3)])
def test_opening_and_reading_all_costs_little_more_than_the_voxels(tmp_path: Path, name: str, bound: float) -> None:
    import nibabel as nib

    array = np.zeros((512, 512, 120), np.int16, order="F")
    array[100:200, 100:200] = 55
    nib.save(nib.Nifti1Image(array, np.eye(4)), tmp_path / name)
    tracemalloc.start()
    volume = open_volume(tmp_path / name, unit="HU")
    assert tracemalloc.get_traced_memory()[1] < 1 << 21
    assert volume.info.id
    for plane in ("axial", "coronal", "sagittal"):
        volume.grey(plane, 60)
    assert int(volume.stored.sum(dtype=np.int64)) == 100 * 100 * 120 * 55
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < bound * array.nbytes
