"""Zip archives: read in place, and refused in one line when they could do harm."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from secondread.imaging.study import archive as archives
from secondread.imaging.study.archive import Archive
from secondread.imaging.study.scan import open_studies
from secondread.schema.errors import UnreadableImage, UnsupportedImage
from tests.imaging.study.conftest import along_z


def packed(folder: Path, path: Path, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for member in sorted(folder.rglob("*")):
            if member.is_file():
                archive.write(member, member.relative_to(folder))
    return path


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_an_archive_gives_the_study_of_its_folder(
    write_stack: Callable[..., Path], tmp_path: Path, method: int
) -> None:
    folder = write_stack(along_z(4, 0, 2))
    [plain], [zipped] = open_studies(folder), open_studies(packed(folder, tmp_path / "disc.zip", method))
    assert zipped.key == plain.key
    assert zipped.info() == plain.info()
    values = [one.values() for one in zipped.series[0].instances]
    assert [int(v[0, 0]) for v in values if v is not None] == [2 - 1024, 3 - 1024, 1 - 1024]
    assert (zipped.series[0].volume().values() == plain.series[0].volume().values()).all()
    assert list(tmp_path.iterdir()) == [tmp_path / "disc", tmp_path / "disc.zip"] or len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("name", ["/etc/x.dcm", "../x.dcm", "a/../../x.dcm", "C:\\x.dcm", "..\\x.dcm"])
def test_members_that_lead_out_of_the_archive_are_refused(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("fine.dcm", b"x")
        archive.writestr(name, b"x")
    with pytest.raises(UnreadableImage, match=r"a\.zip is refused: it has members whose names lead out"):
        open_studies(tmp_path / "a.zip")


def test_encrypted_members_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.dcm", b"x" * 20)
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    path.write_bytes(data)
    with pytest.raises(UnreadableImage, match="encrypted"):
        open_studies(path)


def test_a_bomb_is_refused_by_its_directory_before_it_unpacks(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.dcm", bytes(archives.SMALL + (1 << 20)))
    with pytest.raises(UnsupportedImage, match="as a zip bomb would"):
        open_studies(path)


def test_a_member_beyond_a_gibibyte_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "big.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.dcm", b"x" * 20)
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\x01\x02") + 24
    data[at : at + 4] = struct.pack("<I", (1 << 30) + 1)
    path.write_bytes(data)
    with pytest.raises(UnsupportedImage, match="more than 1 GiB"):
        open_studies(path)


def test_members_that_share_bytes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "overlap.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.dcm", b"x" * 2000)
        archive.writestr("b.dcm", b"x" * 2000)
    data = bytearray(path.read_bytes())
    second = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 4)
    data[second + 42 : second + 46] = struct.pack("<I", 10)
    path.write_bytes(data)
    with pytest.raises(UnreadableImage, match=r"refused|damaged"):
        open_studies(path)


def test_a_damaged_archive_is_named(tmp_path: Path) -> None:
    (tmp_path / "cut.zip").write_bytes(b"PK\x03\x04" + bytes(50))
    with pytest.raises(UnreadableImage, match=r"cut\.zip is a damaged zip archive"):
        open_studies(tmp_path / "cut.zip")


def test_a_damaged_member_is_listed_and_the_others_kept(write_stack: Callable[..., Path], tmp_path: Path) -> None:
    path = packed(write_stack(along_z(0, 2, 4)), tmp_path / "disc.zip", zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    first = data.index(b"DICM")
    data[first + 20] ^= 0xFF
    path.write_bytes(data)
    [study] = open_studies(path)
    assert sum(len(one.instances) for one in study.series) + len(study.unread) == 3
    broken = [one for one in study.series[0].instances if one.name.endswith("IM0001")]
    for one in broken:
        with pytest.raises(UnreadableImage):
            one.load()


def test_an_archive_inside_an_archive_is_counted_and_not_opened(
    write_stack: Callable[..., Path], tmp_path: Path
) -> None:
    inner = packed(write_stack(along_z(0, 2)), tmp_path / "inner.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as archive:
        archive.writestr("inner.zip", inner)
        archive.writestr("IM1", (tmp_path / "disc" / "IM0001").read_bytes())
    [study] = open_studies(tmp_path / "outer.zip")
    assert study.images == 1 and study.skipped == 1
    assert "1 archive inside was not opened." in study.problems
    with zipfile.ZipFile(tmp_path / "only.zip", "w") as archive:
        archive.writestr("inner.zip", inner)
    with pytest.raises(UnreadableImage, match="give them by themselves"):
        open_studies(tmp_path / "only.zip")


def test_a_member_never_gives_more_than_the_directory_declares(tmp_path: Path) -> None:
    path = tmp_path / "lie.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x", bytes(100_000))
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\x01\x02") + 24
    data[at : at + 4] = struct.pack("<I", 1000)
    path.write_bytes(data)
    opened = Archive(str(path), "lie.zip")
    with pytest.raises(UnreadableImage, match="damaged"):
        opened.read(opened.members[0])
    data[at - 8 : at - 4] = struct.pack("<I", zlib.crc32(bytes(1000)))
    path.write_bytes(data)
    opened = Archive(str(path), "lie.zip")
    assert len(opened.read(opened.members[0])) == 1000


def test_short_reads_are_put_together() -> None:
    class Dripping(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(3, size or 0))

    assert archives.head_of(Dripping(b"0123456789"), 8) == b"01234567"
    assert archives.head_of(Dripping(b"01"), 8) == b"01"
