"""Fit of the error model of a measurement on out-of-fold residuals, and of the table behind `--risk`."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from secondread.evals.metrics import upper_bound
from secondread.tools.measure.error_model import ErrorModel

Floats = NDArray[np.float64]
DEGREES_OF_FREEDOM: tuple[float | None, ...] = (3.0, 4.0, 6.0, 10.0, None)
"""Tail weights tried; None is the normal distribution."""
LEVEL = 0.90
CUTOFFS = (0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98)
"""Cut-offs that a risk may be certified for; fixed beforehand, so that a Bonferroni correction over them is valid."""


def fit_error_model(
    measured: Floats, spread: Floats, truth: Floats, *, uncertainty: Floats | None = None, definition_sd: float = 0.0
) -> ErrorModel:
    """Maximum-likelihood location and scale of the residuals, with a conformal quantile for the interval.

    The residual is (measured - truth - bias) / scale, with the scale of `ErrorModel.scale` and a Student t of the tail
    weight of highest likelihood. The quantile is that of split conformal prediction on the rows given
    (Vovk, Gammerman and Shafer 2005): rank ceil((n + 1) * 0.90) of |residual|.

    Args:
        measured: Shape (n,), the tool's values.
        spread: Shape (n,), standard deviation over mask samples.
        truth: Shape (n,).
        uncertainty: Shape (n,), of the masks; None leaves it out of the model.
        definition_sd: Standard deviation between ways to define the quantity.
    """
    residual = measured - truth
    u = np.zeros_like(measured) if uncertainty is None else uncertainty
    centre = float(np.median(u))

    def model_of(theta: Floats, df: float | None) -> ErrorModel:
        return ErrorModel(
            bias=float(theta[0]),
            scale_floor=float(np.exp(theta[1])),
            scale_slope=float(min(np.exp(theta[2]), 10.0)),
            df=df,
            q90=1.0,
            definition_sd=definition_sd,
            uncertainty_slope=0.0 if uncertainty is None else float(np.clip(theta[3], 0.0, 100.0)),
            uncertainty_centre=centre,
            uncertainty_range=(float(u.min()), float(u.max())) if uncertainty is not None else (0.0, 1.0),
        )

    def scaled(model: ErrorModel) -> tuple[Floats, Floats]:
        scale = scales(model, spread, u)
        return (residual - model.bias) / scale, scale

    def negative_log_likelihood(theta: Floats, df: float | None) -> float:
        z, scale = scaled(model_of(theta, df))
        density = stats.norm.logpdf(z) if df is None else stats.t.logpdf(z, df)
        return float(-(density - np.log(scale)).sum())

    start = np.array([np.median(residual), np.log(max(float(np.std(residual)) / 2, 1e-4)), np.log(0.5), 10.0])
    best: tuple[float, ErrorModel] | None = None
    for df in DEGREES_OF_FREEDOM:
        found = optimize.minimize(
            negative_log_likelihood, start, args=(df,), method="Nelder-Mead", options={"maxiter": 2000}
        )
        if best is None or found.fun < best[0]:
            best = (float(found.fun), model_of(np.asarray(found.x), df))
    assert best is not None
    z = np.sort(np.abs(scaled(best[1])[0]))
    rank = min(len(z), int(np.ceil((len(z) + 1) * LEVEL)))
    return best[1].model_copy(update={"q90": float(z[rank - 1])})


def scales(model: ErrorModel, spread: Floats, uncertainty: Floats) -> Floats:
    """`ErrorModel.scale` of many rows at once, shape (n,)."""
    u = np.clip(uncertainty, *model.uncertainty_range)
    floor = model.scale_floor * np.exp(model.uncertainty_slope * (u - model.uncertainty_centre))
    return np.asarray(np.hypot(floor, model.scale_slope * spread), float)


def risk_table(confidence: Sequence[float], right: Sequence[bool]) -> list[dict[str, float]]:
    """For each cut-off: rows at or above it, how many were wrong, and the bound on P(wrong | answered).

    The bound is one-sided Clopper-Pearson at 95 %, Bonferroni-corrected over `CUTOFFS`, so that choosing the
    cut-off from the table keeps the level.

    Args:
        confidence: P(the verdict is right) of each row's leading verdict.
        right: Whether that verdict was right.
    """
    sure, ok = np.asarray(confidence), np.asarray(right, bool)
    table = []
    for cutoff in CUTOFFS:
        rows = sure >= cutoff
        n, wrong = int(rows.sum()), int((rows & ~ok).sum())
        table.append(
            {
                "cutoff": cutoff,
                "answered": n,
                "wrong": wrong,
                "share": n / max(len(sure), 1),
                "risk_bound": upper_bound(wrong, n, 1 - 0.05 / len(CUTOFFS)),
            }
        )
    return table
