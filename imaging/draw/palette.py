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
_REST = (ORANGE, PURPLE, YELLOW, BLUE)


def colours(names: list[str]) -> dict[str, Colour]:
    """A colour per name: organs keep theirs in every picture, others take turns."""
    free = iter([*_REST] * (1 + len(names) // len(_REST)))
    return {name: _FIXED[name] if name in _FIXED else next(free) for name in names}
