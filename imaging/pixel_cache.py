"""Decoded pixels by image id under a byte budget; the least recently used leave first."""

import threading
from collections import Counter, OrderedDict
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray


class PixelCache:
    """Thread-safe. The newest image stays even when it alone is above the budget."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self._held: OrderedDict[str, NDArray[np.float32]] = OrderedDict()
        self._nbytes = 0
        self._pins: Counter[str] = Counter()
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        with self._lock:
            return self._nbytes

    def get(self, image: str) -> NDArray[np.float32] | None:
        """The pixels, now the most recently used, or None."""
        with self._lock:
            held = self._held.get(image)
            if held is not None:
                self._held.move_to_end(image)
            return held

    def put(self, image: str, grey: NDArray[np.float32]) -> None:
        """Keep pixels, in place of those held under this id."""
        with self._lock:
            self._drop(image)
            self._held[image] = grey
            self._nbytes += grey.nbytes
            self._evict()

    def drop(self, image: str) -> None:
        """Let go of an image and of its pins; unknown ids are ignored."""
        with self._lock:
            self._drop(image)
            self._pins.pop(image, None)

    def pin(self, images: Iterable[str]) -> None:
        """Never evict these until as many `unpin`."""
        with self._lock:
            self._pins.update(images)

    def unpin(self, images: Iterable[str]) -> None:
        """Undo one `pin` of each."""
        with self._lock:
            self._pins.subtract(images)
            self._pins = +self._pins
            self._evict()

    def _drop(self, image: str) -> None:
        gone = self._held.pop(image, None)
        if gone is not None:
            self._nbytes -= gone.nbytes

    def _evict(self) -> None:
        for image in list(self._held)[:-1]:
            if self._nbytes <= self.budget:
                return
            if not self._pins[image]:
                self._drop(image)
