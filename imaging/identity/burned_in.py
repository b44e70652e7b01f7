"""Text burned into pixels: found with an OCR library, told apart from side markers, and painted over on request.

The library is RapidOCR (Apache-2.0) with the PP-OCRv6 networks that its wheel ships, run offline by ONNX Runtime on the
processor: about half a second for a film on two cores, so text is looked for on request and not at every load. Figures:
`python -m secondread.evals.burned_in`. What was read is never passed on: it may be a name.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from secondread.schema.errors import ToolUnavailable

MARKER_LETTERS = 2
"""Up to this many letters and digits are a side or view marker (`R`, `L`, `AP`); more may be a name or a number."""

LEAST_SCORE = 0.5
"""Of the recogniser, below which a place counts as no text. Source: the library's own default."""

LONGEST_SIDE = 2000
"""Larger images are scaled down to this before text is looked for; the library does so too."""

SMALLEST_SIDE = 736
"""Smaller images are enlarged to this. Source: the detector's training size, the library's default."""

MARGIN = 0.15
"""Boxes grow by this share of their height on every side before they are painted over."""

_lock = threading.Lock()


@dataclass(frozen=True)
class FoundText:
    """One place that shows text."""

    x0: float
    y0: float
    x1: float
    y1: float
    """Outer edges in pixel-centre coordinates of the image, axis-parallel."""
    kind: Literal["marker", "text"]
    """marker: too short to identify anybody."""
    score: float
    """Of the recogniser, 0 to 1; not a probability."""
    letters: int
    """How many letters and digits were read."""
    words: str = field(default="", repr=False, compare=False)
    """What was read. For tests and measurements; may name a person, so it goes into no text, log or record."""


def check_installed() -> None:
    """Refuse when the library is missing.

    Raises:
        ToolUnavailable: The extra `ocr` is not installed.
    """
    if find_spec("rapidocr") is None or find_spec("onnxruntime") is None:
        raise ToolUnavailable(
            "Text in pixels cannot be found: the OCR library is not installed.", hint='pip install "secondread[ocr]"'
        )


def find_text(grey: NDArray[Any]) -> list[FoundText]:
    """Places that show text.

    Args:
        grey: Display grey in [0, 1] of shape (rows, columns), or 8-bit colour of shape (rows, columns, 3).

    Raises:
        ToolUnavailable: The extra `ocr` is not installed.
    """
    check_installed()
    picture = _eight_bit(grey)
    rows, columns = picture.shape[:2]
    if min(rows, columns) < 8:
        return []
    factor = min(1.0, LONGEST_SIDE / max(rows, columns))
    shown = _resized(picture, factor)
    found: list[FoundText] = []
    with _lock:  # one session for the process; it keeps its options between calls
        result = _engine()(shown, use_det=True, use_cls=False, use_rec=True)
    boxes = getattr(result, "boxes", None)
    words, scores = getattr(result, "txts", None), getattr(result, "scores", None)
    if boxes is None or words is None or scores is None:
        return []
    scale_x, scale_y = columns / shown.shape[1], rows / shown.shape[0]
    for box, word, score in zip(boxes, words, scores, strict=True):
        letters = sum(character.isalnum() for character in word)
        if letters == 0 or score < LEAST_SCORE:
            continue
        corners = np.asarray(box, dtype=np.float64)
        x0, x1 = _span(corners[:, 0] * scale_x, columns)
        y0, y1 = _span(corners[:, 1] * scale_y, rows)
        kind: Literal["marker", "text"] = "marker" if letters <= MARKER_LETTERS else "text"
        found.append(FoundText(x0, y0, x1, y1, kind, float(score), letters, word))
    return found


def caveats(found: Sequence[FoundText]) -> tuple[str, ...]:
    """What a reader should know of the text on an image; without the text."""
    texts = sum(item.kind == "text" for item in found)
    if not texts:
        return ()
    places = "one place" if texts == 1 else f"{texts} places"
    return (f"Text is burned into the pixels in {places}; it may identify the patient.",)


def painted_over(pixels: NDArray[Any], found: Sequence[FoundText], fill: float) -> NDArray[Any]:
    """A copy with every place of text filled; side markers stay.

    Args:
        pixels: Stored values of shape (rows, columns) or (rows, columns, channels).
        found: Places, in pixels of this image.
        fill: Value to write.
    """
    result = pixels.copy()
    rows, columns = pixels.shape[:2]
    for item in found:
        if item.kind == "marker":
            continue
        grow = MARGIN * min(item.y1 - item.y0, item.x1 - item.x0) + 1
        x0, x1 = max(0, int(item.x0 - grow)), min(columns, int(np.ceil(item.x1 + grow)) + 1)
        y0, y1 = max(0, int(item.y0 - grow)), min(rows, int(np.ceil(item.y1 + grow)) + 1)
        result[y0:y1, x0:x1] = fill
    return result


def _span(values: NDArray[np.float64], size: int) -> tuple[float, float]:
    """From first to last of some edges, in pixel-centre coordinates, inside the image."""
    low, high = np.clip((values.min(), values.max()), 0, size)
    return float(low) - 0.5, float(high) - 0.5


def _eight_bit(grey: NDArray[Any]) -> NDArray[np.uint8]:
    """RGB picture of shape (rows, columns, 3)."""
    picture = np.asarray(grey)
    if picture.dtype != np.uint8:
        picture = np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)
    return np.ascontiguousarray(picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2))


def _resized(picture: NDArray[np.uint8], factor: float) -> NDArray[np.uint8]:
    if factor == 1.0:
        return picture
    from PIL import Image

    size = (max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[0] * factor)))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS), dtype=np.uint8)


@lru_cache(maxsize=1)
def _engine() -> Any:
    """The networks, loaded once; their log lines, which quote what was read, are kept off the terminal."""
    import logging

    from rapidocr import RapidOCR

    logging.getLogger("RapidOCR").disabled = True
    return RapidOCR(params={"Det.limit_side_len": SMALLEST_SIDE, "Global.max_side_len": LONGEST_SIDE,
                            "Global.text_score": LEAST_SCORE, "Global.log_level": "critical"})  # fmt: skip
