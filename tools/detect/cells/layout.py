"""What the output channels of the blood-cell network mean."""

KINDS = ("white_cell", "platelet", "red_cell")
"""The first three channels: 1 at the middle of a box of that kind, falling off around it."""

SIDES = slice(3, 7)
"""Channels 3..6: logarithm of the distance to the left, top, right and bottom side, in output pixels."""

STEM = 4
"""Pixels of the input per pixel of the output."""
