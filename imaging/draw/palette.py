"""Colours that readers with any colour vision tell apart.

Source: Okabe and Ito, Color Universal Design (2008), without black.
"""

Colour = tuple[int, int, int]

ORANGE: Colour = (230, 159, 0)
SKY_BLUE: Colour = (86, 180, 233)
GREEN: Colour = (0, 158, 115)
YELLOW: Colour = (240, 228, 66)
BLUE: Colour = (0, 114, 178)
VERMILLION: Colour = (213, 94, 0)
PURPLE: Colour = (204, 121, 167)

_FIXED = {"right_lung": SKY_BLUE, "left_lung": GREEN, "heart": VERMILLION, "thorax": YELLOW}
_ALL = (ORANGE, PURPLE, YELLOW, BLUE, SKY_BLUE, GREEN, VERMILLION)


def colours(names: list[str]) -> dict[str, Colour]:
    """A colour per name: organs keep theirs in every picture, others take turns among those left."""
    taken = {_FIXED[name] for name in names if name in _FIXED}
    left = [colour for colour in _ALL if colour not in taken] or list(_ALL)
    others = [name for name in names if name not in _FIXED]
    return {name: _FIXED[name] if name in _FIXED else left[others.index(name) % len(left)] for name in names}
