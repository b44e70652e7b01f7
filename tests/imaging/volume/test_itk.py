"""NRRD and MetaImage files written with SimpleITK: places, encodings, data files beside the header, damage."""

import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from secondread.imaging.volume.open import open_volume
from secondread.schema.errors import SecondReadError, UnreadableImage, UnsupportedImage, UsageError

NAMES = ["v.nrrd", "v.nhdr", "v.mha", "v.mhd"]
SPACING, ORIGIN = (0.5, 2.0, 3.0), (10.0, -20.0, 30.5)
TURN = (0.96, -0.28, 0.0, 0.28, 0.96, 0.0, 0.0, 0.0, -1.0)
"""LPS directions: 16 degrees about the head-foot axis, slices running from head to foot."""


def written(folder: Path, name: str, compress: bool = False, dtype: str = "i2", small: bool = False) -> Path:
    """A file of SimpleITK, its voxels telling their place."""
    import SimpleITK as sitk

    z, y, x = np.mgrid[0:3, 0:4, 0:5] if small else np.mgrid[0:12, 0:14, 0:16]
    image = sitk.GetImageFromArray((100 * x + 10 * y + z).astype(dtype))
    image.SetSpacing(SPACING)
    image.SetOrigin(ORIGIN)
    image.SetDirection(TURN)
    sitk.WriteImage(image, str(folder / name), compress)
    return folder / name


def by_sitk(path: Path) -> tuple[NDArray[np.int16], NDArray[np.float64]]:
    """Voxels (i, j, k) and the RAS place of voxel (1, 2, 3), read by SimpleITK itself."""
    import SimpleITK as sitk

    image = sitk.ReadImage(str(path))
    place = np.array(image.TransformIndexToPhysicalPoint((1, 2, 3)))
    return sitk.GetArrayFromImage(image).T, place * (-1, -1, 1)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "i4", "f4", "f8"])
def test_voxels_and_places_are_those_of_simpleitk(tmp_path: Path, name: str, compress: bool, dtype: str) -> None:
    path = written(tmp_path, name, compress, dtype)
    array, place = by_sitk(path)
    volume = open_volume(path)
    np.testing.assert_array_equal(volume.stored, array)
    assert volume.dtype == np.dtype(dtype) and volume.header.oriented
    np.testing.assert_allclose(volume.to_mm((1, 2, 3)), place, atol=1e-6)
    assert volume.spacing_mm == pytest.approx(SPACING)
    assert volume.header.source_format == ("nrrd" if "n" in name.split(".")[1] else "metaimage")
    assert any("16.3 degrees" in caveat for caveat in volume.header.caveats)


def test_one_grid_has_one_id_in_every_format(tmp_path: Path) -> None:
    import SimpleITK as sitk

    ids = {open_volume(written(tmp_path, name, compress)).id for name in NAMES for compress in (False, True)}
    assert len(ids) == 1
    nifti = tmp_path / "v.nii.gz"
    sitk.WriteImage(sitk.ReadImage(str(tmp_path / "v.mha")), str(nifti))
    volume = open_volume(nifti)
    np.testing.assert_allclose(volume.affine, open_volume(tmp_path / "v.mha").affine, atol=1e-5)
    np.testing.assert_array_equal(volume.stored, open_volume(tmp_path / "v.mha").stored)


def nrrd(*fields: str, data: bytes = bytes(2 * 3 * 4), **changed: str) -> bytes:
    """An NRRD of 2 x 3 x 4 unsigned bytes with further or other fields."""
    known = {"type": "uchar", "dimension": "3", "sizes": "2 3 4", "encoding": "raw"}
    known |= {key.replace("_", " "): value for key, value in changed.items()}
    lines = ["NRRD0005", *(f"{key}: {value}" for key, value in known.items()), *fields]
    return "\n".join(lines).encode() + b"\n\n" + data


PLACED = {"space_directions": "(2,0,0) (0,3,0) (0,0,4)", "space_origin": "(10,20,30)"}


def meta(data: bytes = bytes(2 * 3 * 4), **changed: str) -> bytes:
    """A MetaImage of 2 x 3 x 4 unsigned bytes with other fields; an empty value leaves one out."""
    known = {
        "ObjectType": "Image", "NDims": "3", "BinaryData": "True", "CompressedData": "False",
        "TransformMatrix": "1 0 0 0 1 0 0 0 1", "Offset": "10 20 30", "ElementSpacing": "2 3 4",
        "DimSize": "2 3 4", "ElementType": "MET_UCHAR",
    }  # fmt: skip
    known |= changed
    known["ElementDataFile"] = known.pop("ElementDataFile", "LOCAL")
    return "".join(f"{key} = {value}\n" for key, value in known.items() if value).encode() + data


@pytest.mark.parametrize(
    ("space", "codes", "origin"),
    [
        ("right-anterior-superior", "RAS", (10, 20, 30)),
        ("LAS", "LAS", (-10, 20, 30)),
        ("left-posterior-superior", "LPS", (-10, -20, 30)),
    ],
)
def test_the_space_of_an_nrrd_is_turned_into_ras(space: str, codes: str, origin: tuple[float, ...]) -> None:
    volume = open_volume(nrrd(space=space, **PLACED))
    assert volume.orientation.codes == codes and volume.header.oriented
    np.testing.assert_allclose(volume.affine[:3, 3], origin)
    assert volume.spacing_mm == pytest.approx((2, 3, 4))


def test_space_units_are_turned_into_mm() -> None:
    volume = open_volume(nrrd('space units: "cm" "cm" "cm"', space="RAS", **PLACED))
    assert volume.spacing_mm == pytest.approx((20, 30, 40))
    odd = open_volume(nrrd('space units: "cubit" "cubit" "cubit"', space="RAS", **PLACED))
    assert any("mm are assumed" in caveat for caveat in odd.header.caveats)


def test_grids_without_a_patient_space_name_no_side() -> None:
    for data in (
        nrrd(space="scanner-xyz", **PLACED),
        nrrd(space_dimension="3", **PLACED),
        nrrd(spacings="2 3 4"),
        meta(TransformMatrix=""),
    ):
        volume = open_volume(data)
        assert not volume.header.oriented and volume.spacing_mm == pytest.approx((2, 3, 4))
        assert volume.slice_info("axial", 0).geometry is None
        assert any("which side is the patient's right" in caveat for caveat in volume.header.caveats)


def test_byte_order_skips_and_frames_are_followed() -> None:
    values = np.arange(48, dtype=">i2").reshape(2, 3, 4, 2, order="F")
    raw = values.tobytes(order="F")
    four = {
        "dimension": "4",
        "sizes": "2 3 4 2",
        "type": "short",
        "endian": "big",
        "kinds": "domain domain domain list",
    }
    directions = {"space": "RAS", "space_directions": "(2,0,0) (0,3,0) (0,0,4) none"}
    for frame in (0, 1):
        volume = open_volume(nrrd(data=raw, **four, **directions), frame=frame)
        np.testing.assert_array_equal(volume.stored, values[..., frame])
        assert volume.dtype == np.dtype("=i2") and volume.header.frames == 2
    with pytest.raises(UsageError, match="no frame 3"):
        open_volume(nrrd(data=raw, **four, **directions), frame=2)
    voxels = np.arange(24, dtype=np.uint8).reshape(2, 3, 4, order="F")
    body = voxels.tobytes(order="F")
    for skip, before in (("7", bytes(7)), ("-1", bytes(11))):
        volume = open_volume(nrrd(data=before + body, space="RAS", byte_skip=skip, **PLACED))
        np.testing.assert_array_equal(volume.stored, voxels)
    big = open_volume(meta(raw[:48], ElementType="MET_SHORT", BinaryDataByteOrderMSB="True"))
    np.testing.assert_array_equal(big.stored, values[..., 0])


def test_a_stated_modality_is_kept_and_free_text_is_not(tmp_path: Path) -> None:
    volume = open_volume(meta(Modality="MET_MOD_CT", Comment="Jane Roe"))
    assert volume.header.modality == "CT" and volume.header.unit == "stored"
    assert "Roe" not in volume.info.model_dump_json()
    tagged = open_volume(nrrd("DICOM_0010_0010:=Roe^Jane", "content: Roe", space="RAS", **PLACED))
    assert "Roe" not in tagged.info.model_dump_json() and tagged.identity is None


def test_data_files_are_looked_for_beside_the_header_only(tmp_path: Path) -> None:
    secret = tmp_path / "secret.raw"
    secret.write_bytes(bytes(range(24)))
    folder = tmp_path / "study"
    folder.mkdir()
    (folder / "link.raw").symlink_to(secret)
    (folder / "good.raw").write_bytes(bytes(range(24)))
    outside = [str(secret), "../secret.raw", "link.raw", "..", "sub/../good.raw", "..\\secret.raw"]
    for wanted in outside:
        header = nrrd(space="RAS", **PLACED, data_file=wanted)[:-25]
        for name, data in (("v.nhdr", header), ("v.mhd", meta(b"", ElementDataFile=wanted))):
            (folder / name).write_bytes(data)
            with pytest.raises(UnsupportedImage, match=rf"{name[:1]}\.{name[2:]} names voxels outside its own folder"):
                open_volume(folder / name)
    for wanted in ("good.raw", "./good.raw"):
        (folder / "v.nhdr").write_bytes(nrrd(space="RAS", **PLACED, data_file=wanted)[:-25])
        assert open_volume(folder / "v.nhdr").stored[1, 2, 3] == 23
    (folder / "v.mhd").write_bytes(meta(b"", ElementDataFile="missing.raw"))
    with pytest.raises(UnreadableImage, match=r"v\.mhd names a data file that does not lie beside it"):
        open_volume(folder / "v.mhd")
    with pytest.raises(UnsupportedImage, match="voxels lie in another file"):
        open_volume(meta(b"", ElementDataFile="good.raw"))
    (folder / "good.raw").write_bytes(bytes(5))
    with pytest.raises(UnreadableImage, match=r"The data file of .*v\.nhdr is truncated"):
        open_volume(folder / "v.nhdr")
    (folder / "good.raw").write_bytes(b"")
    with pytest.raises(UnreadableImage) as raised:
        open_volume(folder / "v.nhdr", "v.nhdr")
    assert str(raised.value) == "The data file of v.nhdr is empty."


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        (nrrd(dimension="2", sizes="4 6"), UnsupportedImage, "2 dimensions"),
        (nrrd(dimension="4", sizes="3 2 2 2", kinds="vector domain domain domain"), UnsupportedImage, "4 dimensions"),
        (nrrd(space="RAS", **PLACED, kinds="RGB-color domain domain"), UnsupportedImage, "several values per voxel"),
        (nrrd(type="block"), UnsupportedImage, "NRRD type"),
        (nrrd(type="short"), UnreadableImage, "byte order"),
        (nrrd(encoding="bzip2", spacings="1 1 1"), UnsupportedImage, "encoding"),
        (nrrd(spacings="1 1 1", line_skip="2"), UnsupportedImage, "lines before"),
        (nrrd(spacings="1 1 1", data_file="LIST"), UnsupportedImage, "several files"),
        (nrrd(spacings="1 1 1", data_file="s%03d.raw 1 3 1"), UnsupportedImage, "several files"),
        (nrrd(sizes="30000 30000 30000", spacings="1 1 1"), UnsupportedImage, "claims 30000 x 30000 x 30000"),
        (nrrd(sizes="2 3 -4", spacings="1 1 1"), UnreadableImage, "sizes and dimension"),
        (nrrd(sizes="2 3 9", spacings="1 1 1"), UnreadableImage, "truncated"),
        (nrrd(data=bytes(9000), spacings="1 1 1"), UnreadableImage, "more than its header says"),
        (nrrd(), UnreadableImage, "neither space directions nor spacings"),
        (nrrd(space="RAS", space_directions="(1,0,0) (0,1,0)"), UnreadableImage, "three of three"),
        (nrrd(space="RAS", space_directions="(nan,0,0) (0,1,0) (0,0,1)"), UnreadableImage, "placed"),
        (nrrd(space="RAS", space_directions="(1,0,0) (1,0,0) (0,0,1)"), UnreadableImage, "placed"),
        (nrrd(spacings="0 1 1"), UnreadableImage, "placed"),
        (b"NRRD0004\ntype: uchar\n", UnreadableImage, "NRRD header"),
        (meta(NDims="2", DimSize="4 6"), UnsupportedImage, "2 dimensions"),
        (meta(ElementNumberOfChannels="3"), UnsupportedImage, "several values"),
        (meta(ElementType="MET_LONG"), UnsupportedImage, "element type"),
        (meta(BinaryData="False"), UnsupportedImage, "as text"),
        (meta(ElementDataFile="LIST"), UnsupportedImage, "several files"),
        (meta(ObjectType="Tube"), UnsupportedImage, "another kind"),
        (meta(DimSize="30000 30000 30000"), UnsupportedImage, "claims 30000"),
        (meta(DimSize="2 3"), UnreadableImage, "DimSize and NDims"),
        (meta(DimSize="2 3 9"), UnreadableImage, "truncated"),
        (meta(ElementSpacing=""), UnreadableImage, "voxel size"),
        (meta(ElementSpacing="0 1 1"), UnreadableImage, "placed"),
        (meta(ElementSpacing="nan 1 1"), UnreadableImage, "placed"),
        (meta(TransformMatrix="1 0 0 1 0 0 0 0 1"), UnreadableImage, "placed"),
        (meta(TransformMatrix="1 0 0 1"), UnreadableImage, "matrix"),
        (meta(Offset="1 2"), UnreadableImage, "origin"),
        (meta()[:60], UnreadableImage, ""),
    ],
)
def test_what_is_not_read_is_refused_by_name_and_cause(data: bytes, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words) as raised:
        open_volume(data, "grid.file").slice("axial", 0)
    assert str(raised.value).startswith("grid.file")


@pytest.mark.parametrize("name", ["v.nrrd", "v.mha"])
@pytest.mark.parametrize("compress", [False, True])
def test_mutated_files_end_in_a_typed_error_or_a_volume(
    tmp_path: Path, name: str, compress: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    data = written(tmp_path, name, compress).read_bytes()
    header = data.index(b"\n\n" if "nrrd" in name else b"LOCAL")
    opened = 0
    tracemalloc.start()
    for seed in range(120):
        rng = np.random.default_rng(seed)
        broken = bytearray(data)
        for place in rng.integers(0, header if rng.random() < 0.8 else len(data), int(rng.integers(1, 4))):
            broken[place] ^= 1 << int(rng.integers(8))
        if rng.random() < 0.1:
            broken = broken[: int(rng.integers(1, len(data)))]
        try:
            volume = open_volume(bytes(broken), "grid.file")
            assert np.isfinite(volume.grey("axial", 0)).all()
            opened += 1
        except SecondReadError as error:
            assert "grid.file" in error.message, error
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 5 < opened < 120
    assert peak < 32 << 20
    assert capfd.readouterr().err == ""


def test_nothing_is_left_in_the_folder_for_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    open_volume(meta()).slice("axial", 0)
    assert os.listdir(tmp_path) == []
