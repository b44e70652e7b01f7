"""The tool: card, request, regions with samples, one error per bad request."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from secondread.schema.errors import NotApplicable, UsageError
from secondread.schema.evidence import Regions
from secondread.schema.region import MaskRef
from secondread.tools.segment.chest_anatomy import AnatomyRequest, ChestAnatomy
from secondread.tools.segment.inference import LOOKS


@dataclass
class Lender:
    """Films by name; keeps what the tool stores."""

    films: dict[str, NDArray[np.float32]]
    networks: Any
    masks: dict[str, NDArray[np.bool_]] = field(default_factory=dict)
    maps: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    samples: dict[str, NDArray[np.uint8]] = field(default_factory=dict)

    def pixels(self, image: str) -> NDArray[np.float32]:
        return self.films[image]

    def model(self, tool: str) -> Any:
        assert tool == "chest_anatomy"
        return self.networks

    def put_mask(self, image: str, name: str, mask: NDArray[np.bool_]) -> MaskRef:
        assert mask.shape == self.films[image].shape
        self.masks[f"m{len(self.masks)}"] = mask
        return MaskRef(grid=image, blob=f"m{len(self.masks) - 1}", name=name, pixels=int(mask.sum()))

    def put_bits(self, image: str, bits: NDArray[np.uint8]) -> str:
        self.samples[f"b{len(self.samples)}"] = bits
        return f"b{len(self.samples) - 1}"

    def put_map(self, image: str, values: NDArray[np.float32]) -> str:
        self.maps[f"u{len(self.maps)}"] = values
        return f"u{len(self.maps) - 1}"


@pytest.fixture
def lender(networks: Any, chest: Any) -> Lender:
    return Lender({"a": chest(300, 360)[0], "tiny": np.zeros((4, 4), np.float32)}, networks)


def run(requests: list[AnatomyRequest], lender: Lender) -> list[Any]:
    ctx: Any = lender
    return ChestAnatomy().run_batch(requests, ctx)


def test_regions_hold_masks_samples_and_uncertainty(lender: Lender) -> None:
    (found,) = run([AnatomyRequest(image="a")], lender)
    assert isinstance(found, Regions) and found.plausible and found.heart_side == "image_right"
    assert set(found.masks) == {"right_lung", "left_lung", "heart"}
    assert len(found.samples) == len(lender.networks) * len(LOOKS)
    assert {s.group for s in found.samples} == {f"fold{m}" for m in lender.networks}
    assert found.uncertainty is not None and lender.maps[found.uncertainty].shape == (213, 256)
    for sample in found.samples:
        bits = lender.samples[sample.bits]
        assert sample.names == tuple(found.masks) and bits.shape == (213, 256) and set(np.unique(bits)) == {0, 1, 2, 4}
        for k, name in enumerate(sample.names):
            share, whole = (bits >> k & 1).mean(), lender.masks[found.masks[name].blob].mean()
            assert abs(share - whole) < 0.25 * whole
    assert found.mean_uncertainty is not None and 0 < found.mean_uncertainty < 0.5
    assert "right lung" in ChestAnatomy().summarise(found)


def test_members_can_be_restricted(lender: Lender) -> None:
    (found,) = run([AnatomyRequest(image="a", members=(0,))], lender)
    assert {s.group for s in found.samples} == {"fold0"}


def test_a_bad_request_leaves_its_neighbours_alone(lender: Lender) -> None:
    found = run([AnatomyRequest(image="tiny"), AnatomyRequest(image="a", members=(0,)), AnatomyRequest()], lender)
    assert isinstance(found[0], NotApplicable)
    assert isinstance(found[1], Regions)
    assert isinstance(found[2], UsageError)


def test_card_names_its_weights_and_costs_no_torch() -> None:
    card = ChestAnatomy.card
    assert card.weights is not None and len(card.weights.sha256) == 64
    assert all(name.endswith(".safetensors") for name in card.weights.files)
    assert card.establishes == ("right_lung", "left_lung", "heart", "chest_anatomy")
