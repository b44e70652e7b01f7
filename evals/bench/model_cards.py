"""Model cards of the shipped experts: manifests, trust targets and robustness results as JSON, never typed by hand."""

import json
from pathlib import Path
from typing import Any

from secondread.evals.bench.report import write
from secondread.schema.errors import InputError
from secondread.schema.evidence import CalibrationRecord
from secondread.tools.calibrators import FOLDER, calibrator_id, records_in

LARGEST = 40
"""Figures listed of one record; the manifest holds all."""


def write_models(folder: Path, out: Path) -> list[Path]:
    """One card per expert that ships a calibration.

    Args:
        folder: Searched for results of `evals.trust --json` and for `robustness.json`.
        out: Folder of the cards.

    Raises:
        InputError: A result is damaged.
    """
    trust = _trust(folder)
    robust = {str(r["expert"]): r for r in _read(folder, "robustness.json", ("expert", "pooled", "target"))}
    made = []
    for path in sorted(FOLDER.glob("*.json")):
        records = records_in(path)
        if records:
            card = out / f"model_{path.stem}.md"
            write(card, _card(path, records, trust, robust.get(EXPERT_OF.get(path.stem, ""))))
            made.append(card)
    return made


EXPERT_OF = {
    "cardiothoracic_ratio": "chest",
    "blood_cells": "cells",
    "nuclei": "nuclei",
    "vessels": "vessels",
    "nerves": "nerves",
    "hippocampus": "hippocampus",
}
"""Manifest -> name of the expert in the robustness protocol."""


def _read(folder: Path, pattern: str, keys: tuple[str, ...]) -> list[dict[str, Any]]:
    found = []
    for path in sorted(folder.rglob(pattern)):
        try:
            one = json.loads(path.read_text(encoding="utf-8"))
            held = isinstance(one, dict) and set(keys) <= set(one)
        except (OSError, ValueError) as error:
            raise InputError(f"{path} cannot be read as JSON: {type(error).__name__}.") from None
        if not held:
            raise InputError(f"{path} is no result of the evaluator: it lacks {', '.join(keys)}.")
        found.append(one)
    return found


def _trust(folder: Path) -> dict[str, dict[str, Any]]:
    """Sheets by calibrator id."""
    found: dict[str, dict[str, Any]] = {}
    for result in _read(folder, "trust*.json", ("sheets", "targets")):
        for name, sheet in result["sheets"].items():
            found.setdefault(str(sheet["calibrator"]), {})[name] = sheet
    return found


def _card(
    path: Path,
    records: tuple[CalibrationRecord, ...],
    trust: dict[str, dict[str, Any]],
    robust: dict[str, Any] | None,
) -> str:
    sha = json.loads(path.read_text(encoding="utf-8")).get("sha256", {})
    parts = [f"# {path.stem}", "", "Made by `secondread eval cards` from the files of the program; 95 % intervals.", ""]
    parts += [f"Weights `{name}`, SHA-256 `{value}`." for name, value in sha.items()]
    for record in records:
        key = calibrator_id(record)
        parts += [
            "",
            f"## {record.name}",
            "",
            f"Calibration `{key}`, {record.date}, n = {record.n}: {record.method}. Data: {record.data}, SHA-256 "
            f"`{record.data_sha256[:16]}..`.",
            "",
            "```",
        ]
        listed = [(name, value) for name, value in record.figures.items()]
        parts += [f"  {name:<70} {_value(value)}" for name, value in listed[:LARGEST]]
        parts += [f"  and {len(listed) - LARGEST} more"] if len(listed) > LARGEST else []
        for name, sheet in trust.get(key, {}).items():
            parts.append(f"trust, {name}: {sheet['about']}")
            for split in ("out_of_fold", "val"):
                parts += [f"  {split}: {t['name']:<58} {_target(t)}" for t in sheet.get(split, ())]
        parts.append("```")
    if robust is not None:
        parts += ["", f"## Robustness, n = {robust['n']} images", "", robust["asks"], "", "```"]
        for severity, part in robust["pooled"].items():
            parts.append(
                f"  severity {severity}: answered {_value(part['answered'])}, accuracy of answered "
                f"{_value(part['accuracy_of_answered'])}, paired change {_value(part['paired_change'])}"
            )
        parts += [f"  target: {'met' if robust['target']['met'] else 'not met'}, {robust['target']['because']}", "```"]
    return "\n".join([*parts, ""])


def _value(value: Any) -> str:
    """A figure in any of the forms that records keep."""
    if isinstance(value, dict) and "value" in value:
        span = f" [{value['low']}, {value['high']}]" if "low" in value else ""
        return f"{value['value']}{span}, n = {value.get('n', '?')}"
    if isinstance(value, list) and len(value) >= 3:
        return f"{value[0]:.4g} [{value[1]:.4g}, {value[2]:.4g}]" + (f", n = {value[3]}" if len(value) > 3 else "")
    if isinstance(value, dict):
        return ", ".join(f"{k}: {_value(v)}" for k, v in value.items())
    return "-" if value is None else str(value)


def _target(found: dict[str, Any]) -> str:
    span = f" [{found['low']:.4f}, {found['high']:.4f}]" if found.get("low") is not None else ""
    met = found.get("met")
    word = "" if met is None else f", {'met' if met else 'not met'}: {found['needs']}"
    return f"{found['value']:.4f}{span}, n = {found['n']}{word}"
