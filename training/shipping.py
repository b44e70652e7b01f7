"""What every expert's `ship` does: write the weights, measure them as they lie in the file, write manifest and card."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from secondread.schema.evidence import CalibrationRecord
from secondread.tools.weights_file import WeightsFile
from secondread.training.card import table, today, write_card

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Shipment:
    """Weights on their way into a folder, and the data that they were fitted on.

    Attributes:
        weights: Names of the files.
        folder: Where they are written.
        data: What the records say of the data.
        data_sha256: Of it.
    """

    weights: WeightsFile
    folder: Path
    data: str
    data_sha256: str

    def load(self, states: "Sequence[dict[str, torch.Tensor]]") -> str:
        """Write the weights without records, so that they can be measured from the file; returns its SHA-256."""
        return self.weights.write(self.folder, states, ())

    def record(
        self,
        name: str,
        method: str,
        n: int,
        figures: Mapping[str, dict[str, float | int]],
        parameters: Mapping[str, Any] | None = None,
    ) -> CalibrationRecord:
        """One calibration record of today on this data."""
        return CalibrationRecord(
            name=name,
            method=method,
            data=self.data,
            data_sha256=self.data_sha256,
            date=today(),
            n=n,
            parameters=dict(parameters or {}),
            figures=dict(figures),
        )

    def finish(self, sha256: str, record: CalibrationRecord, template: Path, **fields: str) -> list[str]:
        """Write the manifest of one record and the model card; returns lines to print."""
        self.weights.write_manifest(self.folder, sha256, [record])
        size = (self.folder / self.weights.file).stat().st_size
        write_card(
            template,
            self.folder / f"{self.weights.name}.md",
            size=f"{size / 1e6:.1f}",
            sha256=sha256,
            figures=table(record.figures),
            **fields,
        )
        return [f"{self.weights.file}: {size} bytes, {sha256}", record.model_dump_json(indent=1)]
