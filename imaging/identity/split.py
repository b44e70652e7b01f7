"""Takes what identifies out of a data set, for the vault; nothing else of these elements leaves the loader."""

from typing import Any

from secondread.imaging.dicom.values import text
from secondread.imaging.identity.profile import identifies
from secondread.imaging.identity.vault import Identity

_BINARY = frozenset(("SQ", "OB", "OW", "OF", "OD", "OL", "OV", "UN"))
LONGEST = 1024
"""Characters kept of one value."""


def identity_of(ds: Any) -> Identity:
    """The identifying elements of a data set: every row of the profile that is present at its top level.

    Sequences, private elements, curves and overlays identify too, but have no short text: they are left out of the
    identity as they are left out of everything else. Exporters that need them read the file again.

    Args:
        ds: A pydicom data set; its pixels are not touched.
    """
    held: dict[str, str] = {}
    for tag in list(ds.keys()):
        number = int(tag)
        if (number >> 16) & 1 or not identifies(number):
            continue
        keyword = _keyword(number)
        if keyword and (value := text(ds, keyword)):
            held[keyword] = value[:LONGEST]
    return Identity(held)


def _keyword(tag: int) -> str:
    """Keyword of an element with a short text; empty for binary ones and sequences."""
    from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag

    if not dictionary_has_tag(tag) or dictionary_VR(tag)[:2] in _BINARY:
        return ""
    return str(keyword_for_tag(tag))
