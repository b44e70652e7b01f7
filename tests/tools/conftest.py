"""Drawn chest films of known anatomy, and a context that lends them to a tool without a runtime."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from math import cos, radians, sin
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from secondread.schema.errors import StoreError
from secondread.schema.evidence import Evidence, MaskSample, Regions
from secondread.schema.image import ImageInfo, ImageRef, Spacing
from secondread.schema.region import Box, MaskRef

Mask = NDArray[np.bool_]
IMAGE = "img-0000000000000001"


def ellipse(side: int, cx: float, cy: float, rx: float, ry: float, turn: float) -> Mask:
    """An ellipse of a square drawing whose sides run from -1 to 1, turned clockwise about the centre of the drawing."""
    y, x = np.mgrid[0:side, 0:side]
    x, y = (2 * x + 1) / side - 1, (2 * y + 1) / side - 1
    c, s = cos(radians(turn)), sin(radians(turn))
    u, v = c * x + s * y, -s * x + c * y
    return np.asarray(((u - cx) / rx) ** 2 + ((v - cy) / ry) ** 2 <= 1.0)


@dataclass(frozen=True)
class Phantom:
    """Lungs and heart as ellipses; every length below is exact for the drawing, in shares of its half side."""

    side: int = 512
    thorax: float = 1.36
    """Outer edge to outer edge of the lungs."""
    ctr: float = 0.5
    lung_rx: tuple[float, float] = (0.26, 0.26)
    """Half widths of the lung on the image left and of that on the image right."""
    lung_ry: tuple[float, float] = (0.62, 0.62)
    heart_shift: float = 0.08
    """Heart centre right of the midline (image right)."""
    turn: float = 0.0
    """Clockwise turn in degrees."""

    def masks(self) -> dict[str, Mask]:
        half = self.thorax / 2
        heart = ellipse(self.side, self.heart_shift, 0.3, self.thorax * self.ctr / 2, 0.25, self.turn)
        right = ellipse(self.side, self.lung_rx[0] - half, 0.0, self.lung_rx[0], self.lung_ry[0], self.turn)
        left = ellipse(self.side, half - self.lung_rx[1], 0.0, self.lung_rx[1], self.lung_ry[1], self.turn)
        return {"right_lung": right, "left_lung": left, "heart": heart}


@dataclass
class FakeContext:
    """Hands out stored arrays by handle."""

    image_info: ImageInfo
    grey: NDArray[np.float32] | None = None
    blobs: dict[str, Mask] = field(default_factory=dict)
    bit_maps: dict[str, NDArray[np.uint8]] = field(default_factory=dict)
    ledger: dict[str, Evidence] = field(default_factory=dict)
    derived: list[tuple[Box, float]] = field(default_factory=list)

    def info(self, image: str) -> ImageInfo:
        return self.image_info

    def pixels(self, image: str) -> NDArray[np.float32]:
        if self.grey is None:
            raise StoreError("no pixels")
        return self.grey

    def evidence(self, evidence_id: str) -> Evidence:
        return self.ledger[evidence_id]

    def mask(self, mask: MaskRef) -> Mask:
        return self.blobs[mask.blob]

    def put_mask(self, image: str, name: str, mask: Mask) -> MaskRef:
        blob = f"m{len(self.blobs)}"
        self.blobs[blob] = mask
        box = None
        if mask.any():
            rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
            box = Box(grid="g", x0=columns[0] - 0.5, y0=rows[0] - 0.5, x1=columns[-1] + 0.5, y1=rows[-1] + 0.5)
        return MaskRef(grid="g", blob=blob, name=name, pixels=int(mask.sum()), box=box)

    def bits(self, blob: str) -> NDArray[np.uint8]:
        return self.bit_maps[blob]

    def put_bits(self, image: str, bits: NDArray[np.uint8]) -> str:
        blob = f"b{len(self.bit_maps)}"
        self.bit_maps[blob] = bits
        return blob

    def derive(self, image: str, box: Box, *, scale: float = 1.0) -> ImageRef:
        self.derived.append((box, scale))
        return ImageRef(id="img-0000000000000002", rows=1, columns=1, grid="g2", parent=image)


def describe(shape: tuple[int, int], **known: Any) -> ImageInfo:
    return ImageInfo(ref=ImageRef(id=IMAGE, rows=shape[0], columns=shape[1], grid="g"), **known)


@pytest.fixture
def phantom() -> type[Phantom]:
    """Builder of drawn anatomy."""
    return Phantom


@pytest.fixture
def lend() -> Callable[..., FakeContext]:
    """A context holding grey values only: `lend(grey, colour=.., ..)`."""

    def make(grey: NDArray[np.float32], **known: Any) -> FakeContext:
        return FakeContext(describe(grey.shape, **known), grey)

    return make


@pytest.fixture
def measure() -> Callable[..., Any]:
    """Run a chest measuring tool on drawn masks: `measure(tool, masks, samples=.., spacing=.., ..)`."""

    def run(
        tool: Any,
        masks: Mapping[str, Mask],
        *,
        samples: Iterable[tuple[str, Mapping[str, Mask]]] = (),
        plausible: bool = True,
        reasons: tuple[str, ...] = (),
        heart_side: str = "image_right",
        spacing: tuple[float, float] | None = None,
        spacing_kind: str = "detector_plane",
        **known: Any,
    ) -> Any:
        shape = next(iter(masks.values())).shape
        if spacing is not None:
            known["spacing"] = Spacing(row_mm=spacing[0], column_mm=spacing[1], kind=spacing_kind, source="stated")
        ctx = FakeContext(describe(shape, **known))

        def stored(arrays: Mapping[str, Mask]) -> dict[str, MaskRef]:
            return {name: ctx.put_mask(IMAGE, name, mask) for name, mask in arrays.items()}

        def packed(arrays: Mapping[str, Mask]) -> str:
            bits = np.zeros(next(iter(arrays.values())).shape, np.uint8)
            for k, mask in enumerate(arrays.values()):
                bits |= mask.astype(np.uint8) << k
            return ctx.put_bits(IMAGE, bits)

        anatomy = Regions(
            masks=stored(masks),
            samples=tuple(MaskSample(source=g, group=g, names=tuple(m), bits=packed(m)) for g, m in samples),
            plausible=plausible,
            reasons=reasons,
            heart_side=heart_side,
        )
        ctx.ledger["E1"] = Evidence(
            id="E1", call_key="k", kind="region", tool="chest_anatomy", tool_version="0", result=anatomy, summary=""
        )
        [result] = tool().run_batch([tool.Request(image=IMAGE, chest_anatomy="E1")], ctx)
        return result

    return run
