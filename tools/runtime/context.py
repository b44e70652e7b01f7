"""What a tool gets while it runs: pixels, masks, models and evidence by handle."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from secondread.schema.errors import StoreError
from secondread.schema.evidence import Evidence
from secondread.schema.image import ImageInfo, ImageRef
from secondread.schema.region import Box, MaskRef
from secondread.schema.study import Plane, StudyInfo
from secondread.tools.base import Card
from secondread.tools.catalogue import Catalogue
from secondread.tools.runtime.devices import Devices
from secondread.tools.runtime.pool import ModelPool

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from secondread.imaging.regrade import Regrade
    from secondread.imaging.store import ImageStore
    from secondread.imaging.volume.volume import Volume
    from secondread.kg.graph import Graph
    from secondread.tools.retrieve.library import Library


class RunContext:
    """The `Context` of one batch: the shared store and pool, and the evidence that its requests name.

    Models that the batch asked for stay in use until `close`.
    """

    def __init__(
        self,
        store: "ImageStore",
        pool: ModelPool,
        catalogue: Catalogue,
        ledger: Mapping[str, Evidence],
        devices: Devices | None = None,
        library: "Library | None" = None,
    ) -> None:
        self._store, self._pool, self._catalogue, self._ledger = store, pool, catalogue, ledger
        self._devices = devices or Devices("cpu")
        self._library = library
        self._used: dict[str, Any] = {}

    def info(self, image: str) -> ImageInfo:
        """See `Context.info`."""
        return self._store.info(image)

    def pixels(self, image: str) -> "NDArray[np.float32]":
        """See `Context.pixels`."""
        return self._store.pixels(image)

    def values(self, image: str) -> "NDArray[np.float32]":
        """See `Context.values`."""
        return self._store.values(image)

    def colour(self, image: str) -> "NDArray[np.uint8]":
        """See `Context.colour`."""
        return self._store.colour(image)

    def volume(self, image: str) -> "Volume":
        """See `Context.volume`."""
        return self._store.volume(image)

    def study(self, image: str) -> StudyInfo:
        """See `Context.study`."""
        return self._store.study(image)

    def slice(self, image: str, plane: Plane, index: int, window: tuple[float, float] | None = None) -> ImageRef:
        """See `Context.slice`."""
        return self._store.slice(image, plane, index, window).ref

    def evidence(self, evidence_id: str) -> Evidence:
        """See `Context.evidence`."""
        try:
            return self._ledger[evidence_id]
        except KeyError:
            raise StoreError(f"There is no evidence {evidence_id} in this run.") from None

    def mask(self, mask: MaskRef) -> "NDArray[np.bool_]":
        """See `Context.mask`."""
        return self._store.mask(mask)

    def put_mask(self, image: str, name: str, mask: "NDArray[np.bool_]") -> MaskRef:
        """See `Context.put_mask`."""
        return self._store.put_mask(image, name, mask)

    def bits(self, blob: str) -> "NDArray[np.uint8]":
        """See `Context.bits`."""
        return self._store.bits(blob)

    def put_bits(self, image: str, bits: "NDArray[np.uint8]") -> str:
        """See `Context.put_bits`."""
        return self._store.put_bits(image, bits)

    def map(self, blob: str) -> "NDArray[np.float32]":
        """See `Context.map`."""
        return self._store.map(blob)

    def put_map(self, image: str, values: "NDArray[np.float32]") -> str:
        """See `Context.put_map`."""
        return self._store.put_map(image, values)

    def derive(self, image: str, box: Box, *, scale: float = 1.0) -> ImageRef:
        """See `Context.derive`."""
        return self._store.derive(image, box, scale=scale)

    def regrade(self, image: str, how: "Regrade") -> ImageRef:
        """See `Context.regrade`."""
        return self._store.regrade(image, how)

    def model(self, tool: str) -> Any:
        """See `Context.model`."""
        if tool not in self._used:
            self._used[tool] = self._pool.acquire(self._catalogue.get(tool))
        return self._used[tool]

    def device(self, tool: str) -> str:
        """See `Context.device`."""
        return self._devices.of(self._catalogue.get(tool).card)

    def graph(self) -> "Graph":
        """See `Context.graph`."""
        from secondread.kg.graph import core_graph

        return core_graph()

    def library(self) -> "Library":
        """See `Context.library`."""
        from secondread.tools.retrieve.library import Library

        if self._library is None:
            self._library = Library()
        return self._library

    def person(self, image: str, salt: str) -> str:
        """See `Context.person`."""
        return self._store.person(image, salt)

    def cards(self) -> Sequence[Card]:
        """See `Context.cards`."""
        return self._catalogue.cards()

    def models(self) -> tuple[str, ...]:
        """Tools whose models are in use."""
        return tuple(self._used)

    def close(self) -> None:
        """Release the models that were asked for."""
        while self._used:
            self._pool.release(*self._used.popitem())
