"""Nothing that names a person leaves the vault."""

import copy
import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from secondread.imaging.identity.profile import keywords
from secondread.imaging.identity.vault import Identity, Vault
from secondread.imaging.load import load
from secondread.imaging.store import ImageStore
from secondread.schema.errors import SecondReadError, StoreError
from secondread.schema.record import canonical_json

MARK = "ZQX"


def planted() -> dict[str, object]:
    """Every identifying attribute with a value that would be recognised."""
    from pydicom.datadict import dictionary_VR, tag_for_keyword

    values: dict[str, object] = {}
    for number, keyword in enumerate(keywords()):
        tag = tag_for_keyword(keyword)
        if tag is None or tag < 0x00080000:
            continue
        vr = dictionary_VR(keyword)
        mark = f"{MARK}{number}"
        if vr in ("PN", "LO", "SH", "LT", "ST", "UC", "UT", "UR", "AE"):
            values[keyword] = f"{mark} portable AP" if vr == "LO" else mark
        elif vr == "CS":
            values[keyword] = mark
        elif vr == "DA":
            values[keyword] = "19310717"
        elif vr == "TM":
            values[keyword] = "031415.926"
        elif vr == "DT":
            values[keyword] = "19310717031415"
        elif vr == "UI":
            values[keyword] = f"1.2.999.77{number}"
        elif vr == "AS":
            values[keyword] = "043Y"
    return values | {"Modality": f"{MARK}M", "BodyPartExamined": f"{MARK}B", "ViewPosition": f"{MARK}V"}


FORBIDDEN = (MARK, "19310717", "031415", "1.2.999", "1931")


@pytest.fixture
def named(film12: NDArray[np.uint16], write_dicom: Callable[..., Path], tmp_path: Path) -> Path:
    """A file with identifiers in every field, in private elements and in its name."""
    import pydicom

    path = write_dicom(film12, f"{MARK}name.dcm", **planted())
    ds = pydicom.dcmread(path)
    block = ds.private_block(0x0099, f"{MARK}creator", create=True)
    block.add_new(1, "LO", f"{MARK}private")
    nested = pydicom.Dataset()
    nested.PatientName = f"{MARK}nested"
    ds.ReferencedPatientSequence = [nested]
    ds.save_as(path)
    return path


def test_no_planted_identifier_is_in_the_info_or_any_text(named: Path) -> None:
    store = ImageStore()
    loaded, info = load(named), store.add(named)
    texts = [info.model_dump_json(), repr(info), repr(loaded), str(loaded.identity), repr(store), repr(store.vault)]
    texts += [f"{loaded.identity:>10}", canonical_json({"who": loaded.identity}), json.dumps(store.vault, default=str)]
    for text in texts:
        assert not [mark for mark in FORBIDDEN if mark in text], text


def test_the_vault_holds_what_an_exporter_needs(named: Path) -> None:
    store = ImageStore()
    info = store.add(named)
    revealed = store.vault.identity(info.ref.id).reveal()
    assert revealed["PatientName"].startswith(MARK)
    assert revealed["StudyInstanceUID"].startswith("1.2.999")
    store.forget(info.ref.id)
    with pytest.raises(StoreError):
        store.vault.identity(info.ref.id)


@pytest.mark.parametrize("harm", ["cut", "no pixels", "no rows", "bad syntax", "huge"])
def test_no_planted_identifier_is_in_an_error(named: Path, harm: str, capfd: pytest.CaptureFixture[str]) -> None:
    import pydicom

    if harm == "cut":
        named.write_bytes(named.read_bytes()[:-2000])
    else:
        ds = pydicom.dcmread(named)
        if harm == "no pixels":
            del ds.PixelData
        elif harm == "no rows":
            del ds.Rows
        elif harm == "huge":
            ds.Rows = ds.Columns = 65535
        else:
            ds.file_meta.TransferSyntaxUID = "1.2.999.5"
        ds.save_as(named, **({"implicit_vr": False, "little_endian": True} if harm == "bad syntax" else {}))
    with pytest.raises(SecondReadError) as caught:
        load(named)
    text = str(caught.value).replace(str(named), "")
    assert not [mark for mark in FORBIDDEN if mark in text], text
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert capfd.readouterr() == ("", "")


def test_an_original_and_its_copy_without_identifiers_have_one_id(named: Path, tmp_path: Path) -> None:
    import pydicom

    ds = pydicom.dcmread(named)
    for keyword in keywords():
        if keyword in ds:
            delattr(ds, keyword)
    ds.remove_private_tags()
    ds.save_as(tmp_path / "bare.dcm")
    assert load(tmp_path / "bare.dcm").info.ref.id == load(named).info.ref.id


def test_a_change_of_the_window_changes_the_id(film12: NDArray[np.uint16], write_dicom: Callable[..., Path]) -> None:
    ids = {load(write_dicom(film12, WindowCenter=center, WindowWidth=400)).info.ref.id for center in (1000, 1000, 1001)}
    assert len(ids) == 2


@pytest.mark.parametrize("thing", [Identity({"PatientName": "x"}), Vault()])
def test_identity_is_not_copied_or_sent(thing: object) -> None:
    for way in (pickle.dumps, copy.deepcopy, copy.copy, json.dumps):
        with pytest.raises(TypeError):
            way(thing)
