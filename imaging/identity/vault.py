"""What of a header names a person, kept apart from everything else.

An `Identity` shows nothing by accident: its text is constant, it cannot be pickled or turned into JSON, and its values
come out of `reveal()` alone. Exporters that have to write a patient's name ask the `Vault`. Which elements those are:
`secondread.imaging.identity.profile`.
"""

import threading
from collections.abc import Mapping
from typing import NoReturn

from secondread.schema.errors import StoreError


class Identity:
    """Who an image belongs to. Its text, pickle and JSON reveal nothing."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)

    def reveal(self) -> dict[str, str]:
        """DICOM keyword -> value as text. For exporters, on request of the user, and for nobody else."""
        return dict(self._values)

    def __bool__(self) -> bool:
        return bool(self._values)

    def __repr__(self) -> str:
        return "Identity(hidden)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("an Identity is not copied, pickled or sent")


class Vault:
    """Image id -> Identity, in memory only. Copies of one image share an id; the last identity added is kept."""

    def __init__(self) -> None:
        self._held: dict[str, Identity] = {}
        self._lock = threading.Lock()

    def put(self, image: str, identity: Identity) -> None:
        """Keep the identity of an image; an empty one never replaces another."""
        with self._lock:
            if identity or image not in self._held:
                self._held[image] = identity

    def identity(self, image: str) -> Identity:
        """The identity of an image, for an exporter.

        Raises:
            StoreError: Nothing is known of this image.
        """
        with self._lock:
            if image not in self._held:
                raise StoreError(f"No identity is held for {image}.")
            return self._held[image]

    def holds(self, image: str) -> bool:
        """Whether an identity is held for an image."""
        return image in self._held

    def forget(self, image: str) -> None:
        """Drop the identity of an image, if one is held."""
        with self._lock:
            self._held.pop(image, None)

    def __len__(self) -> int:
        return len(self._held)

    def __repr__(self) -> str:
        return f"Vault({len(self)} held)"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Vault is not copied, pickled or sent")
