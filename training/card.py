"""Model cards from a template beside the recipe and the figures of the manifest."""

import datetime
from collections.abc import Mapping
from pathlib import Path

Figures = Mapping[str, Mapping[str, float | int]]


def today() -> str:
    """The date of a record, ISO, UTC."""
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def table(figures: Figures) -> str:
    """Figures as rows of a table: value, 95 % interval, n; the interval is left out where there is none."""
    lines = ["| figure | value (95 % interval) | n |", "|---|---|---|"]
    for name, found in figures.items():
        span = f" ({found['low']:.3f} to {found['high']:.3f})" if "low" in found else ""
        lines.append(f"| {name} | {found['value']:.3f}{span} | {found['n']} |")
    return "\n".join(lines)


def write_card(template: Path, path: Path, **fields: str) -> None:
    """Fill the template and write it; a missing field is an error."""
    path.write_text(template.read_text().format(**fields))
