"""Calibration maps fitted through scikit-learn, kept as plain parameters that `tools.calibrators.applied` evaluates.

temperature, platt  `sklearn.calibration.CalibratedClassifierCV` on the log-odds (Guo et al. 2017; Platt 1999, with his
                    smoothed targets)
isotonic            `sklearn.isotonic.IsotonicRegression` (Zadrozny and Elkan 2002), kept off 0 and 1 by 1 / (n + 2)
beta                logistic regression on ln s and -ln(1 - s), a negative weight dropped (Kull et al. 2017)
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from secondread.schema.errors import UsageError

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
METHODS = ("temperature", "platt", "isotonic", "beta")
FLOOR = 1e-6
"""Probabilities are clipped to [FLOOR, 1 - FLOOR] before their log-odds are taken."""
WEAK = 1e4
"""Inverse strength of the ridge of the beta map: separable rows still give finite weights."""


def fit(method: str, score: Floats, label: Bools, *, probabilities: bool) -> dict[str, Any]:
    """Parameters of a map from score to P(label).

    Args:
        method: One of `METHODS`.
        score: Shape (n,).
        label: Shape (n,), both classes present.
        probabilities: Whether scores are probabilities, so that maps work on their log-odds; else on the score itself.

    Raises:
        UsageError: There is no such method, or beta is wanted for scores that are no probabilities.
    """
    if method in ("temperature", "platt"):
        return {
            "kind": method,
            "on": "log-odds" if probabilities else "score",
            **_affine(method, score, label, probabilities),
        }
    if method == "isotonic":
        from sklearn.isotonic import IsotonicRegression

        least = 1.0 / (len(score) + 2)
        model = IsotonicRegression(y_min=least, y_max=1 - least, out_of_bounds="clip").fit(score, label.astype(float))
        return {"kind": method, "x": model.X_thresholds_.tolist(), "y": model.y_thresholds_.tolist()}
    if method == "beta":
        if not probabilities:
            raise UsageError("The beta map needs scores between 0 and 1.", hint="Use platt or isotonic.")
        return {"kind": method, **_beta(score, label)}
    raise UsageError(f"There is no calibration method {method!r}.", hint=f"Methods: {', '.join(METHODS)}.")


def _affine(method: str, score: Floats, label: Bools, probabilities: bool) -> dict[str, float]:
    """Slope and intercept of the log-odds, read off the fitted model at two points."""
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.frozen import FrozenEstimator

    class Given(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # sklearn has no types
        """A classifier whose log-odds are its input."""

        def fit(self, x: Floats, y: Bools) -> "Given":
            self.classes_ = np.array([False, True])
            return self

        def decision_function(self, x: Floats) -> Floats:
            return np.asarray(x[:, 0], float)

        def predict(self, x: Floats) -> Bools:
            return np.asarray(x[:, 0] > 0, bool)

    z = logit(np.clip(score, FLOOR, 1 - FLOOR)) if probabilities else score
    column = z[:, None]
    model = CalibratedClassifierCV(
        FrozenEstimator(Given().fit(column, label)), method="sigmoid" if method == "platt" else "temperature"
    )
    model.fit(column, label)
    at_zero, at_one = logit(np.clip(model.predict_proba(np.array([[0.0], [1.0]]))[:, 1], 1e-15, 1 - 1e-15))
    return {"slope": float(at_one - at_zero), "intercept": float(at_zero)}


def _beta(score: Floats, label: Bools) -> dict[str, float]:
    from sklearn.linear_model import LogisticRegression

    s = np.clip(score, FLOOR, 1 - FLOOR)
    columns = {"a": np.log(s), "b": -np.log(1 - s)}
    used = list(columns)
    while used:
        model = LogisticRegression(C=WEAK, max_iter=1000).fit(np.stack([columns[k] for k in used], axis=1), label)
        weights = dict(zip(used, model.coef_[0].tolist(), strict=True))
        if min(weights.values()) >= 0 or len(used) == 1:
            break
        used = [k for k in used if weights[k] >= 0] or used[:1]
    return {"a": 0.0, "b": 0.0, **{k: max(0.0, v) for k, v in weights.items()}, "c": float(model.intercept_[0])}
