"""Which images of the store are in use, so that those of a study that is done can leave it.

Two studies may hold the same image, and an image can be recognised while another study lets go of it. So nothing is
dropped while anybody is entering images, and only what nobody holds.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from secondread.schema.image import ImageInfo

if TYPE_CHECKING:
    from secondread.imaging.store import ImageStore

MOST_WAITING = 16
"""Images that wait to be dropped; beyond that nobody enters new ones until they are."""
PAUSE_SECONDS = 0.005


class Leases:
    """Counts who uses an image. Thread-safe; for callers on any event loop.

    Args:
        store: Holds the images.
    """

    def __init__(self, store: "ImageStore") -> None:
        self._store = store
        self._users: Counter[str] = Counter()
        self._gone: dict[str, str | None] = {}
        """Image that nobody uses -> key of its study, in the order they were given back."""
        self._entering = 0
        self._lock = threading.Lock()

    @asynccontextmanager
    async def entering(self) -> AsyncIterator[None]:
        """While images are entered into the store and not yet taken."""
        while not self._may_enter():
            await asyncio.sleep(PAUSE_SECONDS)
        try:
            yield
        finally:
            with self._lock:
                self._entering -= 1
            self._sweep()

    def take(self, infos: Iterable[ImageInfo]) -> tuple[ImageInfo, ...]:
        """Hold images until they are given back; to be called inside `entering`."""
        taken = tuple(infos)
        with self._lock:
            for name in _roots(taken):
                self._users[name] += 1
                self._gone.pop(name, None)
        return taken

    def give_back(self, infos: Iterable[ImageInfo]) -> None:
        """Stop holding images; those that nobody holds are dropped with all that lies on them."""
        with self._lock:
            for name, study in _roots(infos).items():
                self._users[name] -= 1
                if self._users[name] <= 0:
                    del self._users[name]
                    self._gone[name] = study
        self._sweep()

    def _may_enter(self) -> bool:
        with self._lock:
            if self._entering and len(self._gone) > MOST_WAITING:
                return False
            self._entering += 1
            return True

    def _sweep(self) -> None:
        with self._lock:
            if self._entering:
                return
            for name, study in self._gone.items():
                self._store.forget(name)
                if study is not None:
                    self._store.forget_study(study)
            self._gone.clear()


def _roots(infos: Iterable[ImageInfo]) -> dict[str, str | None]:
    """Images and volumes that others were derived from, with the key of their study."""
    found: dict[str, str | None] = {}
    for info in infos:
        study = info.place.study if info.place is not None else None
        found[info.ref.id] = study
        for above in (info.ref.parent, info.ref.volume):
            if above is not None:
                found[above] = study
    return found
