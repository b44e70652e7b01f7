"""Functional groups of an enhanced multi-frame object: what holds for one frame.

Source: DICOM PS3.3 C.7.6.16, per-frame groups before shared ones.
"""

from typing import Any

from secondread.imaging.dicom.values import items


def group(ds: Any, sequence: str, frame: int = 0) -> Any | None:
    """The item of a functional group macro for a frame, or None when the object has none.

    Args:
        ds: The header.
        sequence: Keyword of the macro, e.g. `PixelMeasuresSequence`.
        frame: From 0.
    """
    per_frame = items(ds, "PerFrameFunctionalGroupsSequence")
    for held in (per_frame[frame : frame + 1], items(ds, "SharedFunctionalGroupsSequence")[:1]):
        for macros in held:
            for item in items(macros, sequence)[:1]:
                return item
    return None


def frame_or_root(ds: Any, sequence: str, frame: int = 0) -> Any:
    """As `group`, or `ds` itself, where a single-frame object holds the same attributes."""
    found = group(ds, sequence, frame)
    return ds if found is None else found
