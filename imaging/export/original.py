"""The original files behind an image of the store, and where each of its pixels lies in them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.export.source import FileSource
from secondread.imaging.origin import FromBytes, FromFile, FromStudy, FromVolume
from secondread.schema.region import Point
from secondread.schema.study import Plane

if TYPE_CHECKING:
    from secondread.imaging.store import ImageStore
    from secondread.imaging.study.model import Instance
    from secondread.imaging.volume.volume import Volume


@dataclass(frozen=True)
class Original:
    """Files and frames behind an image or a volume."""

    files: tuple[FileSource, ...]
    """Each file once."""
    places: tuple[tuple[int, int], ...]
    """File and frame of each slice k of the volume; one entry for an image that is none of a volume."""
    volume: "Volume | None" = None
    plane: Plane | None = None
    index0: int = 0
    """Which slice of `volume` the image is; `plane` None: the whole volume."""

    @property
    def place(self) -> tuple[int | None, int]:
        """File and frame of the image; no single file for a slice across the files, or a volume."""
        if self.volume is None:
            return self.places[0]
        if self.plane is not None:
            axis, index = self.volume.stored_index(self.plane, self.index0)
            if axis == 2:
                return self.places[index]
        return None, 0

    def mask(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """A mask of the image as exporters take it: of the image itself, or on the grid of its volume.

        Args:
            mask: Shape of the image, or (i, j, k) for a volume.
        """
        if self.volume is None or self.plane is None:
            return mask
        whole = np.zeros(self.volume.shape, np.bool_)
        self.volume.shown(whole, self.plane, self.index0)[...] = mask
        return whole

    def point(self, point: Point) -> tuple[Point, tuple[int, int]]:
        """A point of the image as a point of a file, and the file and frame."""
        if self.volume is None or self.plane is None:
            return point, self.places[0]
        i, j, k = self.volume.voxel(self.plane, self.index0, point.y, point.x)
        place = self.places[min(max(round(k), 0), len(self.places) - 1)]
        return point.model_copy(update={"x": i, "y": j}), place


def original_of(store: "ImageStore", image: str) -> Original | None:
    """The files behind an image (not a crop) or a volume; None when it came from no file.

    Raises:
        StoreError: Unknown id.
    """
    info = store.info(image)
    origin = store.origin(image)
    if isinstance(origin, FromFile):
        return Original((origin.path,), ((0, info.ref.frame),))
    if isinstance(origin, FromBytes):
        return Original((origin.data,), ((0, info.ref.frame),))
    if isinstance(origin, FromStudy):
        return Original((origin.instance.source.origin(),), ((0, origin.instance.frame),))
    volume = origin.volume if isinstance(origin, FromVolume) else store.volume(image) if info.dimension == 3 else None
    if volume is None or not volume.slices:
        return None
    files, places = _listed(volume.slices)
    if isinstance(origin, FromVolume):
        return Original(files, places, volume, origin.plane, origin.index0)
    return Original(files, places, volume)


def _listed(slices: "tuple[Instance, ...]") -> tuple[tuple[FileSource, ...], tuple[tuple[int, int], ...]]:
    """Each file once, and file and frame of each slice."""
    known: dict[str, int] = {}
    files: list[FileSource] = []
    places: list[tuple[int, int]] = []
    for one in slices:
        if one.name not in known:
            known[one.name] = len(files)
            files.append(one.source.origin())
        places.append((known[one.name], one.frame))
    return tuple(files), tuple(places)
