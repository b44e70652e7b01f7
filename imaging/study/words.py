"""Numbers with their noun, for the notes on what was handed over."""


def counted(number: int, noun: str) -> str:
    """`1 slice`, `3 slices`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
