"""The weights file of a trained expert and its manifest: several networks in one safetensors file, checked on reading.

The manifest `NAME.json` beside `NAME.safetensors` holds the SHA-256 of the file and the calibration records.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from secondread.schema.errors import ToolUnavailable
from secondread.schema.evidence import CalibrationRecord

if TYPE_CHECKING:
    import torch

FOLDER = Path(__file__).resolve().parent / "weights"


@dataclass(frozen=True)
class WeightsFile:
    """Where the weights of one expert lie.

    Attributes:
        name: Of the expert; the file is `NAME.safetensors`, the manifest `NAME.json`.
        recipe: Module that trains it, named in hints.
        licence: Of the weights, kept in the file.
    """

    name: str
    recipe: str
    licence: str = "Apache-2.0"

    @property
    def file(self) -> str:
        """File name of the weights."""
        return f"{self.name}.safetensors"

    @property
    def again(self) -> str:
        """Hint for a file that cannot be used."""
        return f"Install the package again, or write the file with `python -m {self.recipe} --data DIR --out DIR`."

    def manifest(self, folder: Path = FOLDER) -> tuple[str, tuple[CalibrationRecord, ...]]:
        """SHA-256 of the weights file, and the calibration records.

        Raises:
            ToolUnavailable: The manifest is missing or does not read as one.
        """
        try:
            raw = json.loads((folder / f"{self.name}.json").read_text())
            return str(raw["sha256"][self.file]), tuple(CalibrationRecord.model_validate(r) for r in raw["records"])
        except OSError as error:
            raise ToolUnavailable(f"The {self.name} expert has no manifest.", hint=self.again) from error
        except (ValueError, KeyError, TypeError, ValidationError) as error:
            raise ToolUnavailable(f"The manifest of the {self.name} expert is damaged.", hint=self.again) from error

    def record(self, name: str, folder: Path = FOLDER) -> CalibrationRecord:
        """The calibration record of this name.

        Raises:
            ToolUnavailable: The manifest is damaged or has no such record.
        """
        for record in self.manifest(folder)[1]:
            if record.name == name:
                return record
        raise ToolUnavailable(f"The {self.name} expert has no record {name!r}.", hint=self.again)

    def write(
        self,
        folder: Path,
        members: "Sequence[Mapping[str, torch.Tensor]]",
        records: Sequence[CalibrationRecord],
    ) -> str:
        """Write weights in half precision, and the manifest; returns the SHA-256 of the weights file."""
        from safetensors.torch import save

        tensors = {
            f"{number}.{key}": (value.half() if value.is_floating_point() else value).contiguous()
            for number, state in enumerate(members)
            for key, value in state.items()
            if not key.endswith("num_batches_tracked")
        }
        blob = save(
            tensors,
            metadata={
                "network": self.name, "members": str(len(members)), "status": "trained", "licence": self.licence,
            },
        )  # fmt: skip
        folder.mkdir(parents=True, exist_ok=True)
        (folder / self.file).write_bytes(blob)
        sha256 = hashlib.sha256(blob).hexdigest()
        self.write_manifest(folder, sha256, records)
        return sha256

    def write_manifest(self, folder: Path, sha256: str, records: Sequence[CalibrationRecord]) -> None:
        """Write the manifest alone, for weights that are there already."""
        manifest: dict[str, Any] = {
            "network": self.name,
            "sha256": {self.file: sha256},
            "records": [r.model_dump(mode="json") for r in records],
        }
        (folder / f"{self.name}.json").write_text(json.dumps(manifest, indent=1) + "\n")

    def states(self, folder: Path = FOLDER) -> "list[dict[str, torch.Tensor]]":
        """Weights of each member network in float32, checked against the manifest.

        Raises:
            ToolUnavailable: The file is missing, damaged, not the one in the manifest, or does not say that it was
                trained.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load

        sha256, _ = self.manifest(folder)
        try:
            blob = (folder / self.file).read_bytes()
        except OSError as error:
            raise ToolUnavailable(f"The weights file {self.file} cannot be read.", hint=self.again) from error
        if hashlib.sha256(blob).hexdigest() != sha256:
            raise ToolUnavailable(f"The weights file {self.file} is damaged: its checksum differs.", hint=self.again)
        metadata = _metadata(blob)
        if metadata.get("status") != "trained":
            raise ToolUnavailable(f"The weights file {self.file} does not say that it was trained.", hint=self.again)
        try:
            tensors = load(blob)
            members = int(metadata["members"])
        except (SafetensorError, KeyError, ValueError) as error:
            raise ToolUnavailable(f"The weights in {self.file} do not fit the network.", hint=self.again) from error
        return [
            {
                key.removeprefix(f"{number}."): value.float() if value.is_floating_point() else value
                for key, value in tensors.items()
                if key.startswith(f"{number}.")
            }
            for number in range(members)
        ]

    def networks(self, build: "type[torch.nn.Module] | Any", folder: Path = FOLDER) -> "list[Any]":
        """Member networks in evaluation mode, batch norms folded in.

        Args:
            build: Makes one untrained network; it has a `fuse` method.
            folder: Where file and manifest lie.

        Raises:
            ToolUnavailable: As for `states`, or the weights do not fit the network.
        """
        import torch

        networks = []
        for state in self.states(folder):
            network: Any = build()
            fresh = {k: v for k, v in network.state_dict().items() if k.endswith("num_batches_tracked")}
            try:
                network.load_state_dict({**fresh, **state})
            except RuntimeError as error:
                raise ToolUnavailable(f"The weights in {self.file} do not fit the network.", hint=self.again) from error
            networks.append(network.eval().requires_grad_(False).fuse().to(memory_format=torch.channels_last))
        return networks


def _metadata(blob: bytes) -> dict[str, str]:
    """The text fields in the header of a safetensors file; empty when there are none or it is not one."""
    try:
        length = int.from_bytes(blob[:8], "little")
        found = json.loads(blob[8 : 8 + length]).get("__metadata__", {})
    except (ValueError, AttributeError):
        return {}
    return found if isinstance(found, dict) else {}
