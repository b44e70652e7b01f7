"""The weights file of the chest film guards and the record of their thresholds: reading, checking, writing."""

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from secondread.schema.errors import ToolUnavailable
from secondread.schema.evidence import CalibrationRecord
from secondread.tools.classify.guard_network import GUARDS, MEMBERS, build

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

FOLDER = Path(__file__).resolve().parents[1] / "weights"
WEIGHTS = "chest_film_guard.safetensors"
MANIFEST = "chest_film_guard.json"
_AGAIN = "Install the package again, or write the file with `python -m secondread.training.guards`."

Networks = dict[str, list["torch.nn.Sequential"]]
"""Concept to its member networks, in fold order."""


def read_manifest(folder: Path = FOLDER) -> tuple[str, tuple[CalibrationRecord, ...]]:
    """Checksum of the weights file, and one record per concept.

    Raises:
        ToolUnavailable: The manifest is missing or does not read as one.
    """
    try:
        raw = json.loads((folder / MANIFEST).read_text())
        sha256 = str(raw["sha256"][WEIGHTS])
        records = tuple(CalibrationRecord.model_validate(r) for r in raw["records"])
    except OSError as error:
        raise ToolUnavailable("The chest film guard has no manifest.", hint=_AGAIN) from error
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        raise ToolUnavailable("The manifest of the chest film guard is damaged.", hint=_AGAIN) from error
    missing = set(GUARDS) - {r.name for r in records}
    if missing:
        raise ToolUnavailable(f"The manifest of the chest film guard lacks {sorted(missing)}.", hint=_AGAIN)
    return sha256, records


def write(folder: Path, states: "Mapping[str, list[dict[str, torch.Tensor]]]", records: list[CalibrationRecord]) -> str:
    """Write weights (half precision) and manifest; returns the SHA-256 of the weights file."""
    from safetensors.torch import save

    tensors = {
        f"{concept}.{member}.{name}": (value.half() if value.is_floating_point() else value).contiguous()
        for concept, members in states.items()
        for member, state in enumerate(members)
        for name, value in state.items()
        if not name.endswith("num_batches_tracked")
    }
    blob = save(tensors, metadata={"network": "chest_film_guard", "status": "trained"})
    sha256 = hashlib.sha256(blob).hexdigest()
    (folder / WEIGHTS).write_bytes(blob)
    manifest: dict[str, Any] = {
        "network": "chest_film_guard",
        "sha256": {WEIGHTS: sha256},
        "records": [r.model_dump(mode="json") for r in records],
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
    return sha256


def load_networks(folder: Path = FOLDER) -> Networks:
    """Every member network, checked against the manifest, in evaluation mode.

    Raises:
        ToolUnavailable: The file is missing, damaged, untrained, or does not fit the networks.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    sha256, _ = read_manifest(folder)
    try:
        blob = (folder / WEIGHTS).read_bytes()
    except OSError as error:
        raise ToolUnavailable(f"The weights file {WEIGHTS} cannot be read.", hint=_AGAIN) from error
    if hashlib.sha256(blob).hexdigest() != sha256:
        raise ToolUnavailable(f"The weights file {WEIGHTS} is damaged: its checksum differs.", hint=_AGAIN)
    try:
        tensors = load(blob)
        networks: Networks = {}
        for concept, guard in GUARDS.items():
            networks[concept] = []
            for member in range(MEMBERS):
                prefix = f"{concept}.{member}."
                state = {k.removeprefix(prefix): v.float() for k, v in tensors.items() if k.startswith(prefix)}
                net = build(guard)
                fresh = {k: v for k, v in net.state_dict().items() if k.endswith("num_batches_tracked")}
                net.load_state_dict({**fresh, **state})
                networks[concept].append(_fused(net.eval().requires_grad_(False)))
    except (SafetensorError, RuntimeError) as error:
        raise ToolUnavailable(f"The weights in {WEIGHTS} do not fit the networks.", hint=_AGAIN) from error
    return networks


def _fused(net: "torch.nn.Sequential") -> "torch.nn.Sequential":
    """The same function with each batch norm folded into the convolution before it."""
    import torch
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    layers: list[torch.nn.Module] = []
    for layer in net:
        if isinstance(layer, torch.nn.BatchNorm2d) and isinstance(layers[-1], torch.nn.Conv2d):
            layers[-1] = fuse_conv_bn_eval(layers[-1], layer)
        elif not isinstance(layer, torch.nn.Dropout):
            layers.append(layer)
    return torch.nn.Sequential(*layers).to(memory_format=torch.channels_last)
