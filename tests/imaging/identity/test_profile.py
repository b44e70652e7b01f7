"""The profile covers the table, private elements and repeating groups, and leaves what pixels mean alone."""

import numpy as np
import pytest

from secondread.imaging.dicom import meaning
from secondread.imaging.identity.profile import action, identifies, keywords, rows
from secondread.imaging.identity.split import identity_of


def test_the_table_is_whole_and_in_order() -> None:
    tags = [row.tag for row in rows()]
    assert len(tags) == len(set(tags)) == 655
    assert tags == sorted(tags)
    assert {part for row in rows() for part in row.action.split("/")} == {"X", "Z", "D", "U", "U*"}
    assert len(set(keywords())) == len(keywords()) == 652


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        (0x00100010, "Z"),
        (0x0020000D, "U"),
        (0x00081030, "X"),
        (0x00080080, "X/Z/D"),
        (0x50000005, "X"),
        (0x501E3000, "X"),
        (0x60023000, "X"),
        (0x60024000, "X"),
        (0x60000010, None),
        (0x00091001, "X"),
        (0x00280010, None),
        (0x7FE00010, None),
        (0x00080060, None),
    ],
)
def test_actions_of_known_elements(tag: int, expected: str | None) -> None:
    """Read off Table E.1-1 by hand."""
    assert action(tag) == expected
    assert identifies(tag) is (expected is not None)


def test_keywords_agree_with_the_dictionary() -> None:
    from pydicom.datadict import dictionary_has_tag, keyword_for_tag

    for row in rows():
        if "X" not in row.tag and dictionary_has_tag(int(row.tag, 16)):
            assert keyword_for_tag(int(row.tag, 16)) == row.keyword


def test_nothing_that_the_image_id_rests_on_identifies() -> None:
    from pydicom.datadict import tag_for_keyword

    names = [*meaning._NUMBERS, *meaning._WORDS, *meaning._GROUPS, *meaning._TABLES]
    tags = [tag for name in names if (tag := tag_for_keyword(name)) is not None]
    assert len(tags) > 10
    assert not [hex(tag) for tag in tags if identifies(tag)]


def test_the_split_takes_every_text_of_the_profile_and_nothing_else() -> None:
    from pydicom.dataset import Dataset

    ds = Dataset()
    ds.PatientName, ds.OtherPatientIDs, ds.SoftwareVersions, ds.Rows = "Doe^Jo", ["a1", "b2"], "1.0", 4
    ds.RequestAttributesSequence = [Dataset()]
    ds.RequestAttributesSequence[0].ScheduledProcedureStepID = "nested"
    ds.private_block(0x0099, "maker", create=True).add_new(1, "LO", "private")
    ds.add_new(0x50003000, "OW", np.zeros(4, np.uint16).tobytes())
    ds.TextComments = "x" * 5000
    held = identity_of(ds).reveal()
    assert set(held) == {"PatientName", "OtherPatientIDs", "TextComments"}
    assert held["PatientName"] == "Doe^Jo"
    assert len(held["TextComments"]) == 1024
