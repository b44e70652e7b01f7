"""Codes come from published dictionaries where these know the structure, else from the project's own scheme."""

import pytest

from secondread.imaging.export.codes import structure, unit


@pytest.mark.parametrize(
    ("name", "value", "side"),
    [
        ("heart", "80891009", None),
        ("right_lung", "39607008", "right"),
        ("kidney_left", "64033007", "left"),
        ("thorax", "816094009", None),
        ("trachea", "44567001", None),
        ("left_clavicula", "51299004", "left"),
    ],
)
def test_known_structures_have_snomed_codes(name: str, value: str, side: str | None) -> None:
    """Values from DICOM PS3.16 Annex L and CID 7151."""
    found = structure(name)
    assert (found.code.value, found.code.scheme_designator, found.side) == (value, "SCT", side)


def test_the_radlex_id_is_used_before_the_own_scheme() -> None:
    assert structure("odd_organ", "RID77").code.scheme_designator == "RADLEX"
    own = structure("odd_organ_left").code
    assert (own.value, own.scheme_designator, own.meaning) == ("odd_organ_left", "99SECONDREAD", "odd organ left")


def test_long_names_become_long_codes() -> None:
    assert structure("a_structure_with_a_long_name").code.LongCodeValue == "a_structure_with_a_long_name"


def test_unknown_units_are_annotations() -> None:
    assert (unit("HU").value, unit("beats").value) == ("[hnsf'U]", "{beats}")
