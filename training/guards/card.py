"""The model card of the shipped guards, written from their record and from what the shipped files say."""

from pathlib import Path
from typing import Any

from secondread.schema.evidence import CalibrationRecord
from secondread.tools.classify.guard_weights import FOLDER, WEIGHTS, read_manifest

CARD = "chest_film_guard.md"

_HERE = Path(__file__).parent


def _share(found: Any) -> str:
    if isinstance(found, dict) and "value" in found:
        return f"{found['value']:.3f} ({found['low']:.3f}-{found['high']:.3f}), n {found['n']}"
    return str(found)


def _rows(figures: dict[str, Any], before: str = "") -> list[str]:
    rows: list[str] = []
    for name, found in figures.items():
        if isinstance(found, dict) and "n" not in found:
            rows += _rows(found, f"{before}{name}: ")
        else:
            rows.append(f"| {before}{name} | {_share(found)} |".replace("_", " "))
    return rows


def _table(title: str, figures: dict[str, Any]) -> str:
    return "\n".join([f"\n## {title}\n", "| figure | value (95 % interval) |", "|---|---|", *_rows(figures)]) + "\n"


def _verdict(record: CalibrationRecord) -> str:
    p = record.parameters
    fails = "; ".join(p["verified_fails"]).replace("_", " ") or "-"
    state = "yes" if p["verified"] else "no"
    return f"| {record.name} | {state} | {p['absent_below']} | {p['present_from']} | {fails} |"


def write_card(unseen: dict[str, Any], held_back: dict[str, Any], folder: Path = FOLDER) -> Path:
    """Write the card beside the weights.

    Args:
        unseen: Figures on files of sources that nothing was fitted on.
        held_back: Figures on the val films.
        folder: Where weights and manifest lie.
    """
    sha256, records = read_manifest(folder)
    size = (folder / WEIGHTS).stat().st_size
    text = (
        (_HERE / "card_head.md")
        .read_text()
        .format(size=size, sha256=sha256, verdicts="\n".join(_verdict(r) for r in records))
    )
    for record in records:
        text += _table(f"{record.name}: out of fold and left out (n fitted {record.n})", record.figures)
    text += _table("Shipped files on unseen sources, pixels alone", unseen)
    text += _table("Shipped files on val films, read once", held_back)
    path = folder / CARD
    path.write_text(text + "\n" + (_HERE / "card_tail.md").read_text())
    return path
