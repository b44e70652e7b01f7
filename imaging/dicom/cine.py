"""When a frame of a cine loop was taken, in seconds from its start.

Source: DICOM PS3.3 C.7.6.5 (Frame Time, Frame Time Vector in ms), C.7.6.16.2.2 (time of a frame of an enhanced object).
"""

import re
from typing import Any

from secondread.imaging.dicom.groups import group
from secondread.imaging.dicom.values import number, numbers, text


def frame_time(ds: Any, frame: int, frames: int) -> float | None:
    """Seconds from the first frame, or None when the header gives no time.

    Args:
        ds: The header.
        frame: From 0.
        frames: Number of frames.
    """
    if frames < 2:
        return None
    steps = numbers(ds, "FrameTimeVector")
    if len(steps) >= frames and all(step >= 0 for step in steps):
        return sum(steps[1 : frame + 1]) / 1000
    step = number(ds, "FrameTime")
    if step is not None and step > 0:
        return frame * step / 1000
    rate = next((r for key in ("CineRate", "RecommendedDisplayFrameRate") if (r := number(ds, key))), None)
    if rate is not None and rate > 0:
        return frame / rate
    start, now = (_clock(group(ds, "FrameContentSequence", k)) for k in (0, frame))
    return now - start if start is not None and now is not None and now >= start else None


def _clock(item: Any) -> float | None:
    """Seconds since midnight of Frame Acquisition DateTime; a loop is shorter than a day."""
    if item is None:
        return None
    for keyword in ("FrameAcquisitionDateTime", "FrameReferenceDateTime"):
        match = re.match(r"\d{8}(\d{2})(\d{2})(\d{2}(?:\.\d+)?)", text(item, keyword))
        if match is not None:
            hours, minutes, seconds = match.groups()
            return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    return None
