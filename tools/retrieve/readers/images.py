"""Images, DICOM files, volumes and frames of videos as items with pixels."""

from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from secondread.tools.retrieve.readers.draft import Defaults, Draft, Pictures
from secondread.tools.retrieve.readers.keys import opaque
from secondread.tools.retrieve.records import Item

if TYPE_CHECKING:
    from secondread.imaging.loaded import LoadedImage
    from secondread.imaging.volume.volume import Volume

SLICES = 9
"""Slices of a volume that are embedded and averaged, evenly over its length."""
FRAMES = 32
"""Most frames of a video that become items of their own, evenly over the first `FRAME_LIMIT`."""
FRAME_LIMIT = 2000


def image_draft(path: Path, defaults: Defaults, fields: dict[str, Any] | None = None) -> Draft:
    """One image file as an item; its id is that of the image store.

    Raises:
        InputError: It cannot be read or is no image.
    """
    from secondread.imaging.identity.person import person
    from secondread.imaging.load import load_plain

    loaded = load_plain(path)
    info = loaded.info
    given = dict(fields or {})
    given["modality"] = given.get("modality") or info.modality or defaults.modality
    given["patient"] = given.get("patient") or person(loaded.identity, defaults.salt)
    given.setdefault("source", defaults.source)
    given.setdefault("licence", defaults.licence)
    given.setdefault("date", defaults.date)
    item = Item.model_validate({**given, "id": info.ref.id, "kind": "image"})
    return Draft(item, lambda: [_rgb(loaded, path)])


def _rgb(loaded: "LoadedImage", path: Path) -> NDArray[np.uint8]:
    if loaded.info.colour:
        from secondread.imaging.colour import colour_of

        found = colour_of(path.read_bytes(), path.name)
        if found is not None:
            return found
    return grey_rgb(loaded.grey)


def grey_rgb(grey: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Display grey (rows, columns) of 0..1 as three equal channels."""
    return np.repeat(np.rint(np.nan_to_num(grey) * 255).astype(np.uint8)[..., None], 3, axis=2)


def volume_draft(path: Path, defaults: Defaults) -> Draft:
    """One volume file as an item.

    Raises:
        InputError: It cannot be read or is no volume.
    """
    from secondread.imaging.identity.person import person
    from secondread.imaging.volume.open import open_volume

    volume = open_volume(path)
    item = Item(
        id=volume.info.id, kind="volume", title="", source=defaults.source, licence=defaults.licence,
        date=defaults.date, patient=person(volume.identity, defaults.salt),
        modality=volume.info.modality or defaults.modality,
    )  # fmt: skip
    return Draft(item, lambda: slices(volume))


def slices(volume: "Volume") -> Pictures:
    """Axial slices evenly over a volume, as red, green and blue."""
    count = volume.count("axial")
    wanted = np.unique(np.linspace(0.1 * (count - 1), 0.9 * (count - 1), min(SLICES, count)).round().astype(int))
    return [grey_rgb(volume.grey("axial", int(n))) for n in wanted]


def video_drafts(path: Path, defaults: Defaults) -> Iterator[Draft]:
    """Frames of a video, evenly spaced, as items of one study.

    Raises:
        InputError: It cannot be read.
        ToolUnavailable: The extra `video` is not installed.
    """
    from secondread.imaging.video import open_video

    video = open_video(path)
    study = opaque("stu", str(path), defaults.salt)
    count = min(video.info.frames or FRAME_LIMIT, FRAME_LIMIT)
    step = max(1, count // FRAMES)
    for frame in islice(video.frames(), 0, FRAME_LIMIT, step):
        loaded = frame.load()
        item = Item(
            id=loaded.info.ref.id, kind="frame", source=defaults.source, licence=defaults.licence, date=defaults.date,
            study=study, modality=loaded.info.modality or defaults.modality, title=f"frame at {frame.time_s:.2f} s",
        )  # fmt: skip
        yield Draft(item, partial(list, [frame.rgb]))
