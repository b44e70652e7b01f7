"""Out-of-fold and validation figures of the chest anatomy, the cardiothoracic ratio and "Is the heart enlarged?".

    python -m secondread.evals.heart_size --data DIR              # out-of-fold over the masked train films
    python -m secondread.evals.heart_size --data DIR --val        # the validation films beside them
    python -m secondread.evals.heart_size --data DIR --fit OUT    # write the shipped error model and risk table

Every row goes through `Agent.ask`. A train film is read by the one network (of the segmenter and of the guard) that
was not trained on it, and its error model is fitted on the other folds. Validation films are read by the shipped
ensembles and error model.
"""

import argparse
import datetime
import hashlib
import json
import sys
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from secondread.agent.agent import Agent
from secondread.agent.config import Settings
from secondread.evals.error_fit import fit_error_model, risk_table
from secondread.evals.films import MaskedFilm, masked_films, published_ctr
from secondread.evals.heart_report import report
from secondread.evals.metrics import dice
from secondread.schema.answer import Answer
from secondread.schema.evidence import CalibrationRecord, Measurement, Measurements, Regions
from secondread.tools.measure.error_model import ErrorModel, error_models_from
from secondread.training.anatomy.data import FOLDS, fold_of

RATIO = "cardiothoracic_ratio"
QUESTION = "Is the heart enlarged?"
THRESHOLD = 0.5
VIEWS: tuple[str | None, ...] = ("PA", None)


@dataclass
class FilmResult:
    """What the agent said of one film, and the truth."""

    film: MaskedFilm
    fold: int
    truth: float
    dice: dict[str, float]
    value: float | None
    spread: float
    uncertainty: float | None = None
    low: float | None = None
    high: float | None = None
    answers: dict[str, Answer] = field(default_factory=dict)


def _settings(fold: int | None) -> Settings:
    members = None if fold is None else (fold,)
    return Settings(anatomy_members=members, guard_member=fold, trace_dir=None, cache_dir=None)


def _look(answer: Answer) -> Measurement | None:
    """The ratio that the answer rests on."""
    cited = [e for c in answer.claims for e in c.evidence]
    for item in (answer.evidence_by_id(e) for e in cited):
        if isinstance(item.result, Measurements):
            found = item.result.get(RATIO)
            if found is not None and found.value is not None:
                return found
    return None


def ask_film(agent: Agent, film: MaskedFilm, fold: int, views: Sequence[str | None]) -> FilmResult:
    """Ask the heart question of one film once per stated view."""
    answers = {view or "unstated": agent.ask(film.path, QUESTION, view=view) for view in views}
    first = next(iter(answers.values()))
    ratio = _look(first)
    interval = ratio.interval if ratio else None
    truth = film.masks()
    overlaps: dict[str, float] = {}
    whole = next((e.result for e in first.evidence if isinstance(e.result, Regions)), None)
    if whole is not None:
        overlaps = {k: dice(agent.runtime.store.mask(ref), truth[k]) for k, ref in whole.masks.items() if k in truth}
    return FilmResult(
        film=film,
        fold=fold,
        truth=film.ctr(),
        dice=overlaps,
        value=ratio.value if ratio else None,
        spread=(ratio.spread or 0.0) if ratio else 0.0,
        uncertainty=ratio.uncertainty if ratio else None,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        answers=answers,
    )


def run_fold(
    films: Sequence[MaskedFilm], fold: int | None, folder: Path | None, views: Sequence[str | None]
) -> list[FilmResult]:
    """Ask about the films of one fold (None: the shipped ensemble), with the error model of a folder."""
    with error_models_from(folder) if folder is not None else nullcontext(), Agent(settings=_settings(fold)) as agent:
        results = []
        for number, film in enumerate(films, 1):
            results.append(ask_film(agent, film, -1 if fold is None else fold, views))
            print(f"\r{'ensemble' if fold is None else f'fold {fold}'}: {number}/{len(films)}", end="", file=sys.stderr)
        print(file=sys.stderr)
        return results


def fitted(results: Sequence[FilmResult], definition_sd: float) -> ErrorModel:
    """The error model of the measured rows."""
    rows = [r for r in results if r.value is not None]
    return fit_error_model(
        np.array([r.value for r in rows], float),
        np.array([r.spread for r in rows]),
        np.array([r.truth for r in rows]),
        uncertainty=np.array([r.uncertainty for r in rows], float),
        definition_sd=definition_sd,
    )


def record(model: ErrorModel, results: Sequence[FilmResult], figures: dict[str, object]) -> CalibrationRecord:
    """The shipped form of an error model."""
    return CalibrationRecord(
        name=RATIO,
        method="Student t error model on out-of-fold residuals, conformal 0.90 interval",
        data="Extended Wingspan CTR, train split, masked films",
        data_sha256=data_hash(results),
        date=datetime.date.today().isoformat(),
        n=len([r for r in results if r.value is not None]),
        parameters=model.model_dump(mode="json"),
        figures=figures,
    )


def data_hash(results: Sequence[FilmResult]) -> str:
    """SHA-256 over the fitted rows: file, truth, value and spread."""
    rows = sorted(f"{r.film.path.name},{r.truth:.6f},{r.value},{r.spread:.6f}" for r in results)
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def definition_spread(data: Path) -> float:
    """Standard deviation between the published ratio and that of the masks, over train films that have both."""
    known = published_ctr(data)
    differences = [
        known[key] - film.ctr()
        for film in masked_films(data, "train")
        if (key := f"images/wingspan/{film.path.name}") in known
    ]
    return float(np.std(differences))


def write_model(folder: Path, model: ErrorModel, results: Sequence[FilmResult], figures: dict[str, object]) -> None:
    """Write `cardiothoracic_ratio.json` into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    text = record(model, results, figures).model_dump_json(indent=2)
    (folder / f"{RATIO}.json").write_text(text + "\n")


def out_of_fold(data: Path, work: Path) -> tuple[list[FilmResult], list[FilmResult], float]:
    """Both passes over the train films: measured without an error model, then asked with that of the other folds."""
    films = list(masked_films(data, "train"))
    by_fold = {k: [f for f in films if fold_of(f.patient) == k] for k in range(FOLDS)}
    empty = work / "none"
    empty.mkdir(exist_ok=True)
    first = [r for k in range(FOLDS) for r in run_fold(by_fold[k], k, empty, ("PA",))]
    spread = definition_spread(data)
    second: list[FilmResult] = []
    for k in range(FOLDS):
        others = [r for r in first if r.fold != k]
        write_model(work / f"fold{k}", fitted(others, spread), others, {})
        second += run_fold(by_fold[k], k, work / f"fold{k}", VIEWS)
    return first, second, spread


def heart_risk(second: Sequence[FilmResult], work: Path) -> tuple[list[dict[str, float]], int]:
    """The risk table of the leading verdict with the view stated, from cross-fitted probabilities."""
    sure: list[float] = []
    right: list[bool] = []
    for row in second:
        if row.value is None:
            continue
        p = probability(row, work)
        sure.append(max(p, 1 - p))
        right.append((p > 0.5) == (row.truth > THRESHOLD))
    return risk_table(sure, right), len(sure)


def probability(row: FilmResult, work: Path) -> float:
    """P(ratio > 0.50) of a row under the error model of its folder: cross-fitted, or the shipped one for -1."""
    folder = work / (f"fold{row.fold}" if row.fold >= 0 else "shipped")
    model = ErrorModel.model_validate(json.loads((folder / f"{RATIO}.json").read_text())["parameters"])
    return model.probability_above(row.value or 0.0, row.spread, THRESHOLD, row.uncertainty)


def main(argv: Sequence[str] | None = None) -> None:
    """Print the report; with `--fit` also write what ships."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Settings.load().data_dir or Path("../shared/data"))
    parser.add_argument("--val", action="store_true", help="also read the validation films, for the report only")
    parser.add_argument("--fit", type=Path, metavar="DIR", help="write the error model and the risk table here")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        first, second, spread = out_of_fold(args.data, work)
        shipped = fitted(first, spread)
        probabilities = [probability(r, work) for r in second if r.value is not None]
        figures = {"out_of_fold": report(second, probabilities, "out-of-fold, train films")}
        table, n = heart_risk(second, work)
        write_model(work / "shipped", shipped, first, {})
        if args.val:
            val = run_fold(list(masked_films(args.data, "val")), None, work / "shipped", VIEWS)
            figures["val"] = report(val, [probability(r, work) for r in val if r.value is not None], "validation films")
        if args.fit:
            write_model(args.fit, shipped, first, figures["out_of_fold"])
            risk = CalibrationRecord(
                name="risk_heart_size",
                method="one-sided 95 % Clopper-Pearson bounds, Bonferroni over the cut-offs",
                data="Extended Wingspan CTR, train split, masked films, view stated PA",
                data_sha256=data_hash(first),
                date=datetime.date.today().isoformat(),
                n=n,
                parameters={"table": table},
            )
            (args.fit / "risk_heart_size.json").write_text(risk.model_dump_json(indent=2) + "\n")
        if args.json:
            args.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
