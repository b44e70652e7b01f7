"""Do the vessels that were found look like those of a retina? How many, how thick, and how sure the networks are.

The limits are the ranges of the first observer's masks on the 22 development photographs, widened for adults, other
angles of view and disease. They refuse what is absurd, no more.
"""

from secondread.tools.plausibility import Limit, outside
from secondread.tools.segment.vessels.measures import Shape

LIMITS = (
    Limit("vessel share of the field of view", 0.025, 0.22, (0.077, 0.123)),
    Limit("calibre of main vessels / diameter of the field of view", 0.004, 0.022, (0.0102, 0.0124)),
    Limit("vessel length / diameter of the field of view", 3.5, 40.0, (9.4, 14.3)),
)
MAX_UNCERTAINTY = 0.42
"""Mean uncertainty of single networks inside the mask above which it is not believed: a fifth above the highest of the
22 out-of-fold photographs (0.28 to 0.35)."""


def judge(shape: Shape | None, diameter: float, uncertainty: float) -> tuple[bool, tuple[str, ...]]:
    """Plausibility and the reasons against it, one sentence each.

    Args:
        shape: Of the mask; None when nothing could be measured.
        diameter: Of the field of view, in the pixels of `shape`.
        uncertainty: Mean entropy of single networks inside the mask, 0 sure to 1.
    """
    if shape is None:
        return False, ("No vessels were found.",)
    found = {
        "vessel share of the field of view": shape.density,
        "calibre of main vessels / diameter of the field of view": shape.calibre / diameter,
        "vessel length / diameter of the field of view": shape.length / diameter,
    }
    reasons = outside(found, LIMITS)
    if uncertainty > MAX_UNCERTAINTY:
        reasons.append(f"The networks are unsure of most vessel pixels: {uncertainty:.2f}, above {MAX_UNCERTAINTY:g}.")
    return not reasons, tuple(reasons)
