"""Functional groups of an enhanced multi-frame object: what holds for one frame.

Source: DICOM PS3.3 C.7.6.16, per-frame groups before shared ones.
"""

from typing import Any

from secondread.imaging.dicom.values import value


def group(ds: Any, sequence: str, frame: int = 0) -> Any | None:
    """The item of a functional group macro for a frame, or None when the object has none.

    Args:
        ds: The header.
        sequence: Keyword of the macro, e.g. `PixelMeasuresSequence`.
        frame: From 0.
    """
    for groups, index in (("PerFrameFunctionalGroupsSequence", frame), ("SharedFunctionalGroupsSequence", 0)):
        macros = _item(ds, groups, index)
        item = None if macros is None else _item(macros, sequence, 0)
        if item is not None:
            return item
    return None


def _item(ds: Any, sequence: str, index: int) -> Any | None:
    """One item of a sequence without a look at the others, of which there may be thousands."""
    held = value(ds, sequence)
    try:
        item = held[index]
    except (TypeError, IndexError, KeyError):
        return None
    return item if hasattr(item, "group_dataset") else None


def frame_or_root(ds: Any, sequence: str, frame: int = 0) -> Any:
    """As `group`, or `ds` itself, where a single-frame object holds the same attributes."""
    found = group(ds, sequence, frame)
    return ds if found is None else found
