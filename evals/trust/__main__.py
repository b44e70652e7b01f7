"""Print the trust targets of every shipped question and interval.

    python -m secondread.evals.trust --data DIR [--work DIR] [--only NAME ..] [--json FILE] [--films N]

Rows are out of fold; validation films are read once and stand beside them. `--work` keeps the rows, so that a rerun of
the same weights and calibrations only computes figures. The generated films need no data.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from secondread.evals.trust import figures
from secondread.evals.trust.rows import Sheet, kept

GROUPS: dict[str, tuple[str, ...]] = {
    "heart": ("heart_size", "cardiothoracic_ratio"),
    "guards": ("frontal_chest_radiograph", "pa_view", "child"),
    "cells": ("white_cell_box", "white_cell_count", "platelet_box", "platelet_count"),
    "nuclei": ("nucleus_count",),
    "nerves": ("nerve_piece", "nerve_area", "vessel_piece", "vessel_area"),
    "volumes": ("hippocampus_volume", "anterior_hippocampus_volume", "posterior_hippocampus_volume"),
    "vessels": (
        "retinal_vessel_density",
        "retinal_vessel_calibre",
        "retinal_vessel_tortuosity",
        "retinal_vessel_curvature",
    ),
    "plain": ("generated_plain",),
    "generated": ("generated_ratio",),
}
"""Group -> its sheets, made together."""
SPLITS = ("out_of_fold", "val")


def makers(data: Path | None, work: Path | None, films: int, code: str) -> dict[str, Callable[[], Sequence[Sheet]]]:
    """What makes the sheets of each group; those of the research data only where it is given."""

    def generated() -> Sequence[Sheet]:
        from secondread.evals.trust.generated import kept_borders, sheet

        return [sheet(kept_borders(work, films), code)]

    def plain() -> Sequence[Sheet]:
        from secondread.evals.trust.generated import plain_borders, sheet

        return [sheet(plain_borders(films), code, plain=True)]

    made: dict[str, Callable[[], Sequence[Sheet]]] = {}
    if data is not None:
        from secondread.evals.trust import experts, guards, heart

        cache = (work or Path.cwd()) / "guard_images.npz"
        made = {
            "heart": lambda: heart.sheets(data, code),
            "guards": lambda: guards.sheets(data, cache, code),
            "cells": lambda: experts.cell_sheets(data, code),
            "nuclei": lambda: experts.nuclei_sheets(data, code),
            "nerves": lambda: experts.nerve_sheets(data, code),
            "volumes": lambda: experts.volume_sheets(data, code),
            "vessels": lambda: experts.vessel_sheets(data, code),
        }
    return {**made, "plain": plain, "generated": generated}


def collected(names: Sequence[str], make: Callable[[], Sequence[Sheet]], work: Path | None, code: str) -> list[Sheet]:
    """The sheets of one group, from the work folder or made now."""
    held: dict[str, Sheet] = {}

    def one(name: str) -> Sheet:
        if name not in held:
            held.update({s.name: s for s in make()})
        return held[name]

    return [kept(work, name, code, lambda name=name: one(name)) for name in names]  # type: ignore[misc]  # mypy cannot infer a lambda with a default


def report(sheets: Sequence[Sheet], draws: int = figures.DRAWS) -> tuple[list[str], dict[str, object]]:
    """Lines for a terminal and the same as JSON."""
    lines: list[str] = []
    found: dict[str, object] = {}
    met = total = 0
    for sheet in sheets:
        lines += [f"\n{sheet.name}: {sheet.about}", f"  calibrator {sheet.calibrator or 'none'}"]
        parts: dict[str, object] = {}
        for split in SPLITS:
            made = figures.targets(sheet, split, draws)
            if not made:
                continue
            note = "" if split == "out_of_fold" else " (read once, beside; no target)"
            lines.append(f" {split.replace('_', '-')}{note}")
            shown = made if split == "out_of_fold" else [t.model_copy(update={"met": None}) for t in made]
            lines += [figures.line(t) for t in shown]
            parts[split] = [t.model_dump(mode="json") for t in shown]
            met += sum(t.met is True for t in shown)
            total += sum(t.met is not None for t in shown)
        found[sheet.name] = {"about": sheet.about, "calibrator": sheet.calibrator, **parts}
    lines.append(f"\n{met} of {total} targets met")
    return lines, {"sheets": found, "met": met, "targets": total}


def main(argv: Sequence[str] | None = None) -> int:
    """Print the targets; returns the exit code: 0, whatever they show."""
    from secondread.agent.config import Settings
    from secondread.evals.bench.report import write
    from secondread.evals.bench.run import code_hash
    from secondread.evals.trust.generated import FILMS
    from secondread.schema.errors import SecondReadError

    parser = argparse.ArgumentParser(
        prog="python -m secondread.evals.trust",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, default=None, help="research data folder; without it generated films only")
    parser.add_argument("--work", type=Path, default=None, help="folder that keeps rows between runs")
    parser.add_argument("--only", nargs="+", choices=tuple(GROUPS), default=None, help="groups to print")
    parser.add_argument("--films", type=int, default=FILMS, help="generated films")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON")
    args = parser.parse_args(argv)
    data = args.data or Settings.load().data_dir
    code = code_hash()
    try:
        sheets: list[Sheet] = []
        for group, make in makers(data, args.work, args.films, code).items():
            if args.only is None or group in args.only:
                sheets += collected(GROUPS[group], make, args.work, code)
    except SecondReadError as error:
        print(error)
        return error.exit_code
    lines, found = report(sheets)
    print("\n".join(lines))
    if args.json:
        write(args.json, json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
