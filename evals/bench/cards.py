"""Cards of what was examined, made from results of the evaluator and never typed by hand."""

import json
from pathlib import Path
from typing import Any

from secondread.evals.bench.model_cards import write_models
from secondread.evals.bench.report import FLOORS, line, write
from secondread.schema.errors import InputError


def write_cards(folder: Path, out: Path) -> list[Path]:
    """System cards, one per subject of every `result.json` below a folder, and model cards of the shipped experts.

    Args:
        folder: Holds result folders of `secondread eval`.
        out: Folder of the cards, made when it is not there.

    Returns:
        The cards written, by name.

    Raises:
        InputError: There is no result, or one is damaged.
    """
    found: dict[str, list[tuple[Path, dict[str, Any]]]] = {}
    for path in sorted(folder.rglob("result.json")) if folder.is_dir() else ():
        try:
            result = json.loads(path.read_text(encoding="utf-8"))
            subjects = result["subjects"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path} is no result of the evaluator.") from error
        for name in subjects:
            if name not in FLOORS:
                found.setdefault(name, []).append((path, result))
    others = [p for pattern in ("trust*.json", "robustness.json") for p in folder.rglob(pattern)]
    if not found and not others:
        raise InputError(f"{folder} holds no result.json.", hint="Run `secondread eval NAME --data PATH` first.")
    out.mkdir(parents=True, exist_ok=True)
    made = []
    for name, results in sorted(found.items()):
        card = out / f"{''.join(c if c.isalnum() else '_' for c in name)}.md"
        write(card, _card(name, results))
        made.append(card)
    made += write_models(folder, out)
    return made


def _card(name: str, results: list[tuple[Path, dict[str, Any]]]) -> str:
    parts = [f"# {name}", "", "Made by `secondread eval cards` from the results named below; 95 % intervals.", ""]
    for path, result in results:
        left = result["left_out"]
        about = result["about"].get(name, {}) if isinstance(result["about"], dict) else {}
        parts += [
            f"## {result['title']}",
            "",
            f"{result['n']} items in {result['groups']} groups, {result['date']}, config `{result['config']}`, from "
            f"`{path.parent.name}/{path.name}`. Left out: {left['missing_image']} with missing images, "
            f"{left['bad_records']} bad records.",
            *([f"Subject: `{json.dumps(about, sort_keys=True)}`"] if about else []),
            "",
            "```",
        ]
        for subject in (name, *(f for f in FLOORS if f in result["subjects"])):
            one = result["subjects"][subject]
            parts.append(f"{subject}{' (floor)' if subject in FLOORS else ''}")
            figures = [*one["figures"], *one["benchmark_figures"]] if subject == name else one["figures"][:4]
            parts += [line(figure) for figure in figures]
        parts += [f"{floor} (floor): not run, {why}" for floor, why in result["floors_absent"].items()]
        parts += _strata(result["subjects"][name].get("strata", {}))
        calibrators = result["subjects"][name]["calibrators"]
        parts += ["```", "", f"Confidences: {', '.join(calibrators) or 'none calibrated'}.", ""]
        parts += [f"- {note}" for note in result["notes"]]
        parts.append("")
    return "\n".join(parts)


def _strata(tables: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Accuracy over all items and answered share by every stratum that is known."""
    told = []
    for name, rows in tables.items():
        told.append(f"by {name}")
        told += [f"{line({k: v for k, v in r.items() if k != 'answered'})}  answered {r['answered']:.2f}" for r in rows]
    return told
