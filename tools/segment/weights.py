"""The weights files of the chest anatomy networks: names, checksums, reading and writing."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from secondread.schema.errors import ToolUnavailable

if TYPE_CHECKING:
    import torch

    from secondread.tools.segment.network import ChestAnatomyNet

FOLDER = Path(__file__).resolve().parents[1] / "weights"
MANIFEST = "chest_anatomy.json"
MEMBERS = 5
_AGAIN = "Install the package again, or train it: python -m secondread.training.anatomy --data DIR."


def fold_file(member: int) -> str:
    """File name of one network of the ensemble."""
    return f"chest_anatomy_fold{member}.safetensors"


def save_fold(folder: Path, member: int, state: "dict[str, torch.Tensor]") -> None:
    """Write one network's weights as fp16 and enter its SHA-256 in the manifest."""
    from safetensors.torch import save_file

    halves = {k: (v.half() if v.dtype.is_floating_point else v).contiguous() for k, v in state.items()}
    path = folder / fold_file(member)
    save_file(halves, path, metadata={"network": "chest_anatomy", "member": str(member), "status": "trained"})
    manifest = folder / MANIFEST
    known = read_manifest(folder) if manifest.exists() else {}
    known[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    path.chmod(0o644)  # safetensors writes files that only the owner can read
    manifest.write_text(
        json.dumps({"network": "chest_anatomy", "sha256": dict(sorted(known.items()))}, indent=1) + "\n"
    )


def load_networks(folder: Path = FOLDER, members: Sequence[int] | None = None) -> "dict[int, ChestAnatomyNet]":
    """The ensemble's networks, checked, in evaluation mode, batch norms folded in.

    Args:
        folder: Where the files and their manifest lie.
        members: Which networks; None: all that the manifest names.

    Returns:
        Member number to network, in ascending order.

    Raises:
        ToolUnavailable: A file or the manifest is missing, damaged, not the one in the manifest, or says that it is
            untrained.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load as read_tensors

    from secondread.tools.segment.network import ChestAnatomyNet

    known = read_manifest(folder)
    wanted = sorted(set(members)) if members is not None else [m for m in range(MEMBERS) if fold_file(m) in known]
    networks = {}
    for member in wanted:
        name = fold_file(member)
        if name not in known:
            raise ToolUnavailable(f"There is no chest anatomy network {member}.", hint=f"Known files: {sorted(known)}.")
        try:
            blob = (folder / name).read_bytes()
        except OSError as error:
            raise ToolUnavailable(f"The weights file {name} cannot be read.", hint=_AGAIN) from error
        if hashlib.sha256(blob).hexdigest() != known[name]:
            raise ToolUnavailable(f"The weights file {name} is damaged: its checksum differs.", hint=_AGAIN)
        if _metadata(blob).get("status") != "trained":
            raise ToolUnavailable(f"The weights file {name} does not say that it was trained.", hint=_AGAIN)
        network = ChestAnatomyNet()
        try:
            network.load_state_dict(
                {k: v.float() if v.is_floating_point() else v for k, v in read_tensors(blob).items()}
            )
        except (SafetensorError, RuntimeError) as error:
            raise ToolUnavailable(f"The weights in {name} do not fit the network.", hint=_AGAIN) from error
        networks[member] = network.eval().requires_grad_(False).fuse().to(memory_format=torch.channels_last)
    return networks


def read_manifest(folder: Path = FOLDER) -> dict[str, str]:
    """File name to SHA-256, as shipped.

    Raises:
        ToolUnavailable: The manifest is missing or unreadable.
    """
    try:
        known = json.loads((folder / MANIFEST).read_text())["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ToolUnavailable("The list of chest anatomy weights cannot be read.", hint=_AGAIN) from error
    if not isinstance(known, dict) or not known:
        raise ToolUnavailable("The list of chest anatomy weights is empty.", hint=_AGAIN)
    return {str(k): str(v) for k, v in known.items()}


def weights_sha256(manifest: dict[str, str]) -> str:
    """One SHA-256 over the checksums of all networks, in order of file name."""
    return hashlib.sha256("".join(manifest[name] for name in sorted(manifest)).encode()).hexdigest()


def _metadata(blob: bytes) -> dict[str, str]:
    """The text fields in the header of a safetensors file; empty when there are none or it is not one."""
    try:
        length = int.from_bytes(blob[:8], "little")
        found = json.loads(blob[8 : 8 + length]).get("__metadata__", {})
    except (ValueError, AttributeError):
        return {}
    return found if isinstance(found, dict) else {}
