"""Text in the pixels of a DICOM data set: counted, or painted over."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.dicom.values import integer, text
from secondread.imaging.identity.burned_in import FoundText, find_text, painted_over
from secondread.schema.errors import UnsupportedImage

FRAMES_LOOKED_AT = 8
"""Of a clip: overlays of a scanner stand still, so a few frames spread over the clip show them all."""


def mask_pixels(ds: Any) -> int:
    """Paint over text in a DICOM data set, in place.

    When text is found the pixels are written anew, uncompressed; else they stay as they are, byte for byte.

    Args:
        ds: pydicom data set with pixels; one without is left alone.

    Returns:
        Number of places painted over.

    Raises:
        UnsupportedImage: The pixels cannot be decoded, so that nobody can tell what they show.
        ToolUnavailable: The extra `ocr` is not installed.
    """
    looked = _look(ds)
    if looked is None:
        return 0
    frames, found = looked
    places = sum(item.kind == "text" for item in found)
    if not places:
        return 0
    fill = frames.max() if text(ds, "PhotometricInterpretation") == "MONOCHROME1" else frames.min()
    _put(ds, np.stack([painted_over(frame, found, float(fill)) for frame in frames]))
    return places


def places_of_text(ds: Any) -> int:
    """In how many places the pixels of a DICOM data set show text that may identify; nothing is changed.

    Raises:
        UnsupportedImage: The pixels cannot be decoded, so that nobody can tell what they show.
        ToolUnavailable: The extra `ocr` is not installed.
    """
    looked = _look(ds)
    return 0 if looked is None else sum(item.kind == "text" for item in looked[1])


def _look(ds: Any) -> tuple[NDArray[Any], list[FoundText]] | None:
    """Frames of shape (frames, rows, columns[, 3]) and the text on them; None for pixels that are no photograph."""
    if "PixelData" not in ds or (integer(ds, "BitsAllocated") or 16) == 1:
        return None  # float maps and binary masks are computed
    from pydicom.pixels import pixel_array

    try:
        stored = np.asarray(pixel_array(ds))
    except Exception:  # decoders raise almost any type; their text may quote the header
        raise UnsupportedImage("Its pixels cannot be decoded, so text in them cannot be looked for.") from None
    single = 2 if (integer(ds, "SamplesPerPixel") or 1) == 1 else 3
    frames = stored[None] if stored.ndim == single else stored
    return frames, _of_clip(ds, frames)


def _of_clip(ds: Any, frames: NDArray[Any]) -> list[FoundText]:
    """Text of a few frames spread over the clip, as one list."""
    chosen = np.unique(np.linspace(0, len(frames) - 1, min(len(frames), FRAMES_LOOKED_AT)).round().astype(int))
    held: list[FoundText] = []
    for index in chosen:
        for item in find_text(_display(ds, frames[index])):
            if not any(_same(item, other) for other in held):
                held.append(item)
    return held


def _same(a: FoundText, b: FoundText) -> bool:
    """One place seen in two frames: both lie almost wholly in each other."""
    shared = max(0.0, min(a.x1, b.x1) - max(a.x0, b.x0)) * max(0.0, min(a.y1, b.y1) - max(a.y0, b.y0))
    larger = max((a.x1 - a.x0) * (a.y1 - a.y0), (b.x1 - b.x0) * (b.y1 - b.y0))
    return a.kind == b.kind and shared >= 0.8 * larger


def _display(ds: Any, frame: NDArray[Any]) -> NDArray[Any]:
    """What a viewer shows, so that text of little contrast in a wide range of values is seen."""
    if frame.ndim == 3:
        return frame if frame.dtype == np.uint8 else (frame / max(1.0, float(frame.max())) * 255).astype(np.uint8)
    if text(ds, "PhotometricInterpretation") == "PALETTE COLOR":
        from pydicom.pixels import apply_color_lut

        colours = np.asarray(apply_color_lut(frame, ds))[..., :3]
        return (colours / max(1, int(colours.max())) * 255).astype(np.uint8)
    low, high = (float(v) for v in np.percentile(frame, (0.1, 99.9)))
    low, high = (low, high) if high > low else (float(frame.min()), float(frame.max()))
    grey = np.clip((frame.astype(np.float32) - low) / max(high - low, 1e-6), 0, 1)
    return np.asarray(1 - grey if text(ds, "PhotometricInterpretation") == "MONOCHROME1" else grey)


def _put(ds: Any, frames: NDArray[Any]) -> None:
    """Write frames as uncompressed pixels. Source: DICOM PS3.5 8.1.1; PS3.15 E.3.1 (Clean Pixel Data Option)."""
    from pydicom.uid import ExplicitVRLittleEndian

    if frames.ndim == 4:
        ds.PhotometricInterpretation, ds.PlanarConfiguration = "RGB", 0
    flat = np.ascontiguousarray(frames).astype(frames.dtype.newbyteorder("<"), copy=False).tobytes()
    ds.PixelData = flat + b"\0" * (len(flat) % 2)
    ds["PixelData"].VR = "OB" if frames.dtype.itemsize == 1 else "OW"
    ds["PixelData"].is_undefined_length = False
    ds.BitsAllocated = 8 * frames.dtype.itemsize
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    for keyword in (
        "SmallestImagePixelValue",
        "LargestImagePixelValue",
        "ExtendedOffsetTable",
        "ExtendedOffsetTableLengths",
    ):
        if keyword in ds:
            del ds[keyword]
    ds.BurnedInAnnotation = "NO"
