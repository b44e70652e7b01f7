"""Where the pixels of an image come from, and come from again when they have left memory."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.colour import colour_of
from secondread.imaging.load import decode, read_bytes
from secondread.imaging.loaded import LoadedImage, read_only
from secondread.schema.errors import StoreError
from secondread.schema.region import Box
from secondread.schema.study import Plane

if TYPE_CHECKING:
    from secondread.imaging.study.model import Instance
    from secondread.imaging.volume.volume import Volume


class Origin(Protocol):
    """Gives the pixels of one image again."""

    @property
    def path(self) -> str | None:
        """The file as it was given, or None. It may name a person: for the crosswalk of the caller only."""

    def grey(self) -> NDArray[np.float32]:
        """Display grey, shape (rows, columns).

        Raises:
            StoreError: The source has changed or gone.
        """

    def values(self) -> NDArray[np.float32] | None:
        """Values in the unit of the image, or None when display grey is all there is."""

    def colour(self) -> NDArray[np.uint8] | None:
        """Red, green and blue, shape (rows, columns, 3), or None when it has none."""


@dataclass(frozen=True)
class FromBytes:
    """An encoded image given as bytes."""

    image: str
    data: bytes
    path: None = None

    def grey(self) -> NDArray[np.float32]:
        """See `Origin.grey`."""
        return _checked(decode(self.data, "The data"), self.image, "The data").grey

    def values(self) -> NDArray[np.float32] | None:
        """See `Origin.values`."""
        return _dicom_values(self.data, "The data")

    def colour(self) -> NDArray[np.uint8] | None:
        """See `Origin.colour`."""
        return colour_of(self.data, "The data")


@dataclass(frozen=True)
class FromFile:
    """An image file."""

    image: str
    path: str
    """As typed."""
    file: str
    """Absolute."""
    stamp: tuple[int, int]
    """Modification time in ns, and size."""

    def grey(self) -> NDArray[np.float32]:
        """See `Origin.grey`."""
        return _checked(decode(self._bytes(), self.path), self.image, self.path).grey

    def values(self) -> NDArray[np.float32] | None:
        """See `Origin.values`."""
        return _dicom_values(self._bytes(), self.path)

    def colour(self) -> NDArray[np.uint8] | None:
        """See `Origin.colour`."""
        return colour_of(self._bytes(), self.path)

    def _bytes(self) -> bytes:
        try:
            unchanged = file_stamp(self.file) == self.stamp
        except OSError:
            unchanged = False
        if not unchanged:
            raise StoreError(f"{self.path} has changed or gone since it was read.", hint="Add it again.")
        return read_bytes(self.file)


@dataclass(frozen=True)
class FromStudy:
    """One image of a study: a file, a member of an archive, or a frame of either."""

    image: str
    instance: "Instance"

    @property
    def path(self) -> str | None:
        """See `Origin.path`."""
        return self.instance.name

    def grey(self) -> NDArray[np.float32]:
        """See `Origin.grey`."""
        return _checked(self.instance.load(), self.image, "The image").grey

    def values(self) -> NDArray[np.float32] | None:
        """See `Origin.values`."""
        return self.instance.values()

    def colour(self) -> NDArray[np.uint8] | None:
        """See `Origin.colour`."""
        return colour_of(self.instance.source.data(), self.instance.name, self.instance.frame)


@dataclass(frozen=True)
class FromVolume:
    """A slice of a volume."""

    volume: "Volume"
    plane: Plane
    index0: int
    window: tuple[float, float] | None
    path: None = None

    def grey(self) -> NDArray[np.float32]:
        """See `Origin.grey`."""
        return read_only(self.volume.grey(self.plane, self.index0, self.window))

    def values(self) -> NDArray[np.float32] | None:
        """See `Origin.values`."""
        return self.volume.slice(self.plane, self.index0)

    def colour(self) -> NDArray[np.uint8] | None:
        """See `Origin.colour`."""
        return None


@dataclass(frozen=True)
class FromParent:
    """A crop: cut out of its parent, whose pixels a store gives."""

    part: Box
    rows: int
    columns: int
    parent_grey: Callable[[], NDArray[np.float32]]
    parent_values: Callable[[], NDArray[np.float32]]
    parent_colour: Callable[[], NDArray[np.uint8]]
    path: None = None

    def grey(self) -> NDArray[np.float32]:
        """See `Origin.grey`."""
        from secondread.imaging.derive import cropped

        return cropped(self.parent_grey(), self.part, self.rows, self.columns)

    def values(self) -> NDArray[np.float32] | None:
        """The values of the part at the parent's own resolution: enlarging would invent some."""
        x0, y0, x1, y1 = (round(v + 0.5) for v in (self.part.x0, self.part.y0, self.part.x1, self.part.y1))
        return self.parent_values()[y0:y1, x0:x1]

    def colour(self) -> NDArray[np.uint8] | None:
        """The colours of the part, enlarged as its grey is."""
        from PIL import Image

        x0, y0, x1, y1 = (round(v + 0.5) for v in (self.part.x0, self.part.y0, self.part.x1, self.part.y1))
        window = Image.fromarray(np.ascontiguousarray(self.parent_colour()[y0:y1, x0:x1]))
        return np.asarray(window.resize((self.columns, self.rows), Image.Resampling.BICUBIC))


def file_stamp(path: str) -> tuple[int, int]:
    """Modification time in ns, and size."""
    status = os.stat(path)
    return status.st_mtime_ns, status.st_size


def _checked(loaded: LoadedImage, image: str, name: str) -> LoadedImage:
    if loaded.info.ref.id != image:
        raise StoreError(f"{name} has changed since it was read.", hint="Add it again.")
    return loaded


def _dicom_values(data: bytes, name: str) -> NDArray[np.float32] | None:
    from secondread.imaging.load import content_kind

    if content_kind(data) not in ("dicom", "bare dicom"):
        return None
    from secondread.imaging.dicom.file import open_dicom

    values: NDArray[Any] = open_dicom(data, name).values(0)
    return values if values.ndim == 2 else None
