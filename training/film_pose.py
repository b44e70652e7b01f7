"""Fit the weight maps that tell inverted, turned and cut chest films (`tools/quality/pose.json`).

    python -m secondread.training.film_pose DATA_FOLDER [--write]

reads the permissive training rows of `DATA_FOLDER/index.csv`, prints the error rates with each source left out in
turn, and with `--write` stores the map fitted on all of them.
"""

import argparse
import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from secondread.tools.quality.grid import Grey, content, to_grid
from secondread.tools.quality.pose import SIDE, WEIGHTS, Maps, features, missing, readings
from secondread.training.quality_rows import Row, permissive_rows, read_grey

Array = NDArray[np.float64]
RIDGE = 1e-3
COPIES = 3
"""Training copies per film, each cut at random by up to `CUT` of its sides and mirrored half of the time."""
CUT = 0.12
MOST_PER_SOURCE = 800
CUT_COPIES = 8
MOST_CUT = 0.5
"""Training copies for the cut lack up to this share of the width at the image left, half of them nothing."""
CUT_RIDGE = 0.02
TOLD_CUTS = (0.1, 0.2, 0.3)


def varied(film: Grey, random: np.random.Generator) -> Grey:
    """The film cut at random at its four sides, mirrored half of the time."""
    rows, columns = film.shape
    top, bottom = (random.uniform(0, CUT, 2) * rows).astype(int)
    left, right = (random.uniform(0, CUT, 2) * columns).astype(int)
    cut = film[top : rows - bottom, left : columns - right]
    return cut[:, ::-1] if random.random() < 0.5 else cut


def fit(values: Array, weight: Array) -> Array:
    """Weight map of the softmax over the eight readings, given upright films.

    Args:
        values: Features of upright films, shape (n, SIDE, SIDE).
        weight: Shape (n,), how much each film counts.
    """
    from scipy.optimize import minimize

    turned = np.stack([np.rot90(values, k, axes=(1, 2)).reshape(len(values), -1) for k in range(4)], axis=1)
    share = weight / weight.sum()

    def loss(w: Array) -> tuple[float, Array]:
        match = turned @ w
        logits = np.concatenate([match, -match], axis=1)
        top = logits.max(axis=1, keepdims=True)
        odds = np.exp(logits - top)
        total = odds.sum(axis=1, keepdims=True)
        p = odds / total
        value = float(share @ (np.log(total[:, 0]) + top[:, 0] - logits[:, 0])) + RIDGE * float(w @ w)
        pull = p[:, :4] - p[:, 4:]
        pull[:, 0] -= 1.0
        gradient = np.einsum("n,nk,nkf->f", share, pull, turned, optimize=True) + 2 * RIDGE * w
        return value, gradient

    found = minimize(loss, np.zeros(SIDE * SIDE), jac=True, method="L-BFGS-B", options={"maxiter": 300})
    return np.asarray(found.x).reshape(SIDE, SIDE)


def rates(films: list[Grey], weights: Array) -> tuple[int, int, int, int]:
    """Films: normal called inverted, inverted missed, upright called turned, turned (by 180 degrees) missed."""
    wrong = [0, 0, 0, 0]
    for film in films:
        values = features(film)
        upright, negative = readings(values, weights), readings(-values, weights)
        half = readings(np.rot90(values, 2), weights)
        wrong[0] += upright[:, 1].sum() > 0.5
        wrong[1] += negative[:, 1].sum() <= 0.5
        wrong[2] += upright[0].sum() <= 0.5
        wrong[3] += half[0].sum() > 0.5
    return wrong[0], wrong[1], wrong[2], wrong[3]


def without_side(film: Grey, share: float) -> Grey:
    """The film without `share` of its width at the image left."""
    return film[:, int(share * film.shape[1]) :]


def fit_cut(groups: dict[str, list[Grey]]) -> tuple[Array, float]:
    """Ridge regression of the share missing at the image left on the features, every source counting the same."""
    random = np.random.default_rng(0)
    values, shares, weight = [], [], []
    for films in groups.values():
        for film in films:
            for _ in range(CUT_COPIES):
                share = float(random.choice([0.0, random.uniform(0, MOST_CUT)]))
                other = without_side(varied(film, random)[:, ::-1], float(random.choice([0.0, random.uniform(0, 0.3)])))
                values.append(features(without_side(other[:, ::-1], share)).ravel())
                shares.append(share)
                weight.append(1.0 / len(films))
    x, y, w = np.stack(values), np.array(shares), np.array(weight)[:, None] / sum(weight)
    mean_x, mean_y = (w * x).sum(axis=0), float(w[:, 0] @ y)
    centred = x - mean_x
    found = np.linalg.solve(
        centred.T @ (w * centred) + CUT_RIDGE * np.eye(x.shape[1]), centred.T @ (w[:, 0] * (y - mean_y))
    )
    return found.reshape(SIDE, SIDE), mean_y - float(mean_x @ found)


def cut_figures(films: list[Grey], weights: Array, offset: float) -> dict[str, float]:
    """Estimated cut of whole films (99th percentile), and the share of cut films beyond it."""
    whole = np.array([missing(features(f), weights, offset) for f in films])
    limit = float(np.quantile(whole, 0.99))
    found = {"whole_q99": round(limit, 3)}
    for share in TOLD_CUTS:
        cut = np.array([missing(features(without_side(f, share)), weights, offset) for f in films])
        found[f"found_at_{share:g}"] = round(float(np.mean(cut > limit)), 3)
    return found


def training_set(groups: dict[str, list[Grey]]) -> tuple[Array, Array]:
    """Features of varied copies, and weights that make every source count the same."""
    random = np.random.default_rng(0)
    values, weight = [], []
    for films in groups.values():
        for film in films:
            values += [features(varied(film, random)) for _ in range(COPIES)]
            weight += [1.0 / len(films)] * COPIES
    return np.stack(values), np.array(weight)


def main() -> None:
    """Print leave-one-source-out error rates; store the map with `--write`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    rows = permissive_rows(args.data, "train")
    by_source: dict[str, list[Row]] = {}
    for row in rows:
        by_source.setdefault(row.source, []).append(row)
    random = np.random.default_rng(0)
    used = {s: [r[i] for i in random.permutation(len(r))[:MOST_PER_SOURCE]] for s, r in by_source.items()}
    films = {s: [content(to_grid(read_grey(r.path))) for r in found] for s, found in used.items()}
    big = {s: f for s, f in films.items() if len(f) >= 20}
    figures: dict[str, dict[str, float]] = {}
    for left_out in big:
        others = {s: f for s, f in big.items() if s != left_out}
        wrong = rates(films[left_out], fit(*training_set(others)))
        cut = cut_figures(films[left_out], *fit_cut(others))
        names = ("normal_called_inverted", "inverted_missed", "upright_called_turned", "upside_down_missed")
        figures[left_out] = {"n": len(films[left_out]), **dict(zip(names, map(int, wrong), strict=True)), **cut}
        print(f"{left_out}, fitted without it: {figures[left_out]}")
    if args.write:
        weights, (cut_weights, offset) = fit(*training_set(big)), fit_cut(big)
        digest = hashlib.sha256("\n".join(sorted(r.sha256 for found in used.values() for r in found)).encode())
        stored = Maps(
            fitted_on={s: len(f) for s, f in big.items()},
            data_sha256=digest.hexdigest(),
            left_out_errors=figures,
            pose=tuple(round(float(w), 4) for w in weights.ravel()),
            cut=tuple(round(float(w), 5) for w in cut_weights.ravel()),
            cut_offset=round(offset, 5),
        )
        WEIGHTS.write_text(stored.model_dump_json() + "\n")


if __name__ == "__main__":
    main()
