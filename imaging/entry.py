"""What an image store holds of one image."""

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.origin import Origin
from secondread.schema.image import ImageInfo

if TYPE_CHECKING:
    from secondread.imaging.volume.volume import Volume


@dataclass
class Entry:
    """One image or volume."""

    info: ImageInfo
    plain: ImageInfo
    """As read, before anything the caller stated."""
    origin: Origin | None = None
    """None: the pixels exist nowhere else and are never evicted."""
    volume: "Volume | None" = None
    """Set when the id stands for a volume, or for a slice of one."""
    rgb: NDArray[np.uint8] | None = None
    """Of a colour image given as an array."""
    path: str | None = None
    """Of a volume: the file, or the first file of the series, as typed."""
    lock: threading.Lock = field(default_factory=threading.Lock)
