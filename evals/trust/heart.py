"""Rows of "Is the heart enlarged?" and of the cardiothoracic ratio: every film goes through the agent.

A train film is read by the networks of its fold, under the error model of the other folds; a validation film by the
shipped ensembles and error model.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import NormalDist

from secondread.evals.films import MaskedFilm, masked_films
from secondread.evals.heart_size import (
    RATIO,
    THRESHOLD,
    FilmResult,
    definition_spread,
    fitted,
    run_fold,
    write_model,
)
from secondread.evals.trust.rows import Row, Sheet, Split
from secondread.tools.calibrators import calibrator_id
from secondread.tools.measure.error_model import FOLDER, ErrorModel, error_model, record
from secondread.training.anatomy.data import FOLDS, fold_of

ENLARGED = "enlarged_cardiac_silhouette"
VIEW = "PA"


def sheets(data: Path, code: str, *, val: bool = True, limit: int | None = None) -> tuple[Sheet, Sheet]:
    """The verdict's sheet and that of the ratio.

    Args:
        data: Research data folder.
        code: Kept with the rows.
        val: Also read the validation films.
        limit: Most films of each split.
    """
    films = list(masked_films(data, "train"))[:limit]
    folds = {k: [f for f in films if fold_of(f.patient) == k] for k in range(FOLDS)}
    made: list[tuple[Split, FilmResult, ErrorModel]] = []
    with tempfile.TemporaryDirectory() as scratch:
        empty = Path(scratch) / "none"
        empty.mkdir()
        first = [r for k, some in folds.items() for r in _asked(some, k, empty)]
        spread = definition_spread(data)
        for k, some in folds.items():
            others = [r for r in first if r.fold != k]
            folder = Path(scratch) / f"fold{k}"
            write_model(folder, fitted(others, spread), others, {})
            model = error_model(RATIO, folder)
            assert model is not None
            made += [("out_of_fold", r, model) for r in _asked(some, k, folder)]
    shipped = error_model(RATIO)
    if val and shipped is not None:
        made += [("val", r, shipped) for r in _asked(list(masked_films(data, "val"))[:limit], None, FOLDER)]
    rows = [row_of(split, r, model) for split, r, model in made if r.value is not None]
    held = record(RATIO)
    calibrator = calibrator_id(held) if held is not None else ""
    verdict = Sheet(
        name="heart_size",
        about=f"Is the heart enlarged? Ratio above {THRESHOLD:.2f}, view stated {VIEW}; uncalibrated: a normal "
        "distribution as wide as the spread of the mask samples",
        calibrator=calibrator,
        rows=tuple(r.model_copy(update={"target": None, "low": None, "high": None}) for r in rows),
        code=code,
    )
    bare = {"truth": None, "probability": None, "raw": None, "answered": None, "right": None}
    ratio = Sheet(
        name=RATIO,
        about="interval of the cardiothoracic ratio beside that of the drawn masks",
        calibrator=calibrator,
        level=0.90,
        rows=tuple(r.model_copy(update=bare) for r in rows),
        code=code,
    )
    return verdict, ratio


def _asked(films: Sequence[MaskedFilm], fold: int | None, folder: Path) -> list[FilmResult]:
    return run_fold(films, fold, folder, (VIEW,)) if films else []


def row_of(split: Split, film: FilmResult, model: ErrorModel) -> Row:
    """What was stated of one film: P(enlarged) of the claim, else of the error model where none was stated."""
    answer = film.answers[VIEW]
    value, spread = film.value or 0.0, film.spread
    stated = next(
        (
            1.0 - c.probability if c.polarity == "absent" else c.probability
            for c in answer.claims
            if c.concept == ENLARGED and c.probability is not None
        ),
        None,
    )
    interval = model.interval(value, spread, "", film.uncertainty)
    verdict = answer.verdict if answer.verdict in ("yes", "no") else None
    return Row(
        id=film.film.path.name,
        group=film.film.patient,
        split=split,
        truth=film.truth > THRESHOLD,
        probability=stated
        if stated is not None
        else model.probability_above(value, spread, THRESHOLD, film.uncertainty),
        raw=NormalDist(value, max(spread, 1e-6)).cdf(THRESHOLD) * -1 + 1,
        answered=verdict is not None,
        right=None if verdict is None else (verdict == "yes") == (film.truth > THRESHOLD),
        target=film.truth,
        low=film.low if film.low is not None else interval.low,
        high=film.high if film.high is not None else interval.high,
    )
