"""How large an image may be; checked on the header, before a pixel is decoded."""

from secondread.schema.errors import UnsupportedImage

MAX_SIDE = 16384
MAX_PIXELS = 100_000_000
MAX_BYTES = 1 << 30


def check_size(name: str, rows: int, columns: int) -> None:
    """Refuse images that are too large to read.

    Args:
        name: The source as the caller typed it.
        rows: Height in pixels, at least 1.
        columns: Width in pixels, at least 1.

    Raises:
        UnsupportedImage: A side above 16384 pixels, or more than 100 megapixels.
    """
    size = f"{name} is {columns} x {rows} pixels"
    if max(rows, columns) > MAX_SIDE:
        side = "wide" if columns >= rows else "high"
        raise UnsupportedImage(
            f"{size}: {max(rows, columns)} pixels {side} is above the limit of {MAX_SIDE}.",
            hint="Give a smaller image.",
        )
    if rows * columns > MAX_PIXELS:
        raise UnsupportedImage(
            f"{size}: above the limit of {MAX_PIXELS // 1_000_000} megapixels.", hint="Give a smaller image."
        )
