"""What a planner that may see pixels is shown: a thumbnail, once per image, and its own note of it afterwards."""

import io
from collections import OrderedDict
from collections.abc import Callable

from secondread.agent.planners.base import PlannerView
from secondread.agent.planners.fences import tame
from secondread.schema.errors import PlannerError

MAX_BYTES = 150_000
"""Bytes of one thumbnail; as base64, the form in which it is sent, that is 200,000."""
SIDE = 512
"""Long side of a thumbnail in pixels."""
MAX_NOTE = 300
_REMEMBERED = 4096
"""Images of which it is known that they were sent."""
_SMALLEST = 32


def fitted(picture: bytes) -> bytes:
    """A picture as a grey PNG of at most `SIDE` pixels and `MAX_BYTES` bytes, without any of the file's metadata.

    Raises:
        PlannerError: The bytes are no picture.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(picture)) as opened:
            small = opened.convert("L")
    except (OSError, ValueError, SyntaxError) as error:  # PIL raises the last for damaged PNG
        raise PlannerError(f"The picture for the planner cannot be read: {type(error).__name__}.") from None
    small.thumbnail((SIDE, SIDE))
    while True:
        buffer = io.BytesIO()
        small.save(buffer, "PNG", optimize=True)
        if buffer.tell() <= MAX_BYTES or max(small.size) <= _SMALLEST:
            return buffer.getvalue()
        shrink = min(0.9, (MAX_BYTES / buffer.tell()) ** 0.5)  # noise hardly compresses: bytes go with the area
        small.thumbnail((max(1, int(small.width * shrink)), max(1, int(small.height * shrink))))


class Sight:
    """Shows each image once, whatever becomes of the message, and keeps what the model said of it.

    Args:
        pixels: Gives an encoded picture (PNG, JPEG, ..) of an image id.
    """

    def __init__(self, pixels: Callable[[str], bytes]) -> None:
        self._pixels = pixels
        self._notes: OrderedDict[str, str] = OrderedDict()

    def unseen(self, view: PlannerView) -> dict[str, bytes]:
        """Thumbnails of the asked images that were not given before, by image id; from here on they count as given.

        Raises:
            PlannerError: A picture cannot be read.
        """
        new = [i.ref.id for i in view.images if i.ref.id not in self._notes]
        shown = {image: fitted(self._pixels(image)) for image in new}
        for image in new:
            self._notes[image] = ""
            while len(self._notes) > _REMEMBERED:
                self._notes.popitem(last=False)
        return shown

    def keep(self, images: dict[str, bytes], said: str) -> None:
        """Keep the model's own words about the images that it has just seen."""
        for image in images:
            if image in self._notes:
                self._notes[image] = tame(said, MAX_NOTE)

    def note(self, image: str) -> str:
        """What the model said when it saw an image; empty when it said or saw nothing."""
        return self._notes.get(image, "")
