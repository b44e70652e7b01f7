"""The model card of the shipped router, from its manifest."""

from pathlib import Path

from secondread.tools.classify.router_weights import WEIGHTS
from secondread.training.card import table, write_card


def write_router_card(folder: Path) -> Path:
    """Write the card beside the weights; returns its path."""
    sha256, records = WEIGHTS.manifest(folder)
    path = folder / f"{WEIGHTS.name}.md"
    rows = [
        f"| {r.name} | {r.n} | {r.parameters['least_probability']} | {r.parameters['least_typical']} | "
        f"{'yes' if r.parameters['pixels_decide'] else 'no, header only'} | "
        f"{'yes' if r.parameters['verified'] else 'no'} |"
        for r in records
        if r.parameters
    ]
    tables = "\n\n".join(f"### {r.name}\n\n{table(r.figures)}" for r in records)
    write_card(
        Path(__file__).with_name("card.md"),
        path,
        size=str((folder / WEIGHTS.file).stat().st_size),
        sha256=sha256,
        verdicts="\n".join(rows),
        figures=tables,
    )
    return path
