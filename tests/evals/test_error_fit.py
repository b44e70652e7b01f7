"""The error model recovers what made the residuals, and its intervals cover new rows."""

import numpy as np
import pytest

from secondread.evals.error_fit import fit_error_model, risk_table, scales
from secondread.tools.measure.error_model import ErrorModel


def rows(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.uniform(0.4, 0.65, n)
    spread = rng.gamma(2.0, 0.005, n)
    error = 0.01 + np.sqrt(0.008**2 + (1.5 * spread) ** 2) * rng.standard_t(5, n)
    return truth + error, spread, truth


def test_parameters_and_coverage() -> None:
    model = fit_error_model(*rows(3000, 0))
    assert model.bias == pytest.approx(0.01, abs=0.002)
    assert model.scale_floor == pytest.approx(0.008, rel=0.25)
    assert model.scale_slope == pytest.approx(1.5, rel=0.25)
    measured, spread, truth = rows(3000, 1)
    inside = [
        (i := model.interval(m, s, "")).low <= t <= i.high for m, s, t in zip(measured, spread, truth, strict=True)
    ]
    assert np.mean(inside) == pytest.approx(0.90, abs=0.02)


def test_probability_above_is_calibrated() -> None:
    model = fit_error_model(*rows(3000, 0))
    measured, spread, truth = rows(6000, 2)
    p = np.array([model.probability_above(m, s, 0.5) for m, s in zip(measured, spread, strict=True)])
    for low, high in ((0.1, 0.4), (0.4, 0.6), (0.6, 0.9)):
        chosen = (p >= low) & (p < high)
        assert (truth[chosen] > 0.5).mean() == pytest.approx(p[chosen].mean(), abs=0.08)


def test_risk_table_bounds_exceed_the_observed_error() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.5, 1.0, 500)
    table = risk_table(confidence.tolist(), (rng.random(500) < confidence).tolist())
    for row in table:
        assert row["risk_bound"] >= row["wrong"] / max(row["answered"], 1)
    assert [r["answered"] for r in table] == sorted((r["answered"] for r in table), reverse=True)


def test_scales_of_many_rows_are_those_of_single_ones() -> None:
    model = ErrorModel(
        bias=0.0, scale_floor=0.02, scale_slope=0.7, q90=2.0, uncertainty_slope=30.0, uncertainty_centre=0.05,
        uncertainty_range=(0.03, 0.1),
    )  # fmt: skip
    spread, unsure = np.array([0.0, 0.01, 0.05, 0.002]), np.array([0.01, 0.05, 0.2, 0.08])
    single = [model.scale(float(s), float(u)) for s, u in zip(spread, unsure, strict=True)]
    assert np.allclose(scales(model, spread, unsure), single, rtol=1e-12)
