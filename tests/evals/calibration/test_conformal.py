"""Conformal guarantees on drawn rows: coverage within a point, also by class; risk kept; intervals by hand."""

import json
from pathlib import Path

import numpy as np
import pytest

from secondread.evals.calibration import conformal
from secondread.evals.calibration.conformal_fit import fitted_intervals, fitted_verdicts
from secondread.schema.errors import InputError
from secondread.serve.cli.main import main

N = 20_000


def rows(n: int, seed: int, prevalence: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    """A score that is too sure, for a rare class."""
    rng = np.random.default_rng(seed)
    truth = rng.random(n) < prevalence
    z = rng.normal(np.where(truth, 0.8, -1.0), 1.5)
    return 1 / (1 + np.exp(-2 * z)), truth


@pytest.mark.parametrize("by_class", [False, True])
def test_sets_reach_their_level(by_class: bool) -> None:
    found = conformal.sets(*rows(N, 1), 0.9, by_class=by_class)
    p, truth = rows(N, 2)
    told = conformal.set_figures([found.of(float(v)) for v in p], truth)
    assert told["coverage_any"][0] == pytest.approx(0.9, abs=0.01)
    if by_class:
        assert told["coverage_yes"][0] == pytest.approx(0.9, abs=0.02)
        assert told["coverage_no"][0] == pytest.approx(0.9, abs=0.01)
    else:
        assert told["coverage_yes"][0] < 0.885  # the rare class pays unless it has its own limit


@pytest.mark.parametrize("by_class", [False, True])
def test_risk_is_kept_and_not_by_never_answering(by_class: bool) -> None:
    found = conformal.abstention(*rows(N, 3), 0.05, by_class=by_class)
    p, truth = rows(N, 4)
    answered = np.array([found.answers(float(v)) for v in p])
    told = conformal.abstention_figures(answered, (p >= 0.5) == truth, truth)
    assert told["answered"][0] > 0.3
    names = ("answered_and_wrong_of_yes", "answered_and_wrong_of_no") if by_class else ("answered_and_wrong",)
    for name in names:
        assert told[name][0] == pytest.approx(0.05, abs=0.012)


@pytest.mark.slow
def test_risk_control_on_average_over_small_fits() -> None:
    """The bound is on the mean over fits: 100 rows each, 400 fits."""
    lost = []
    for seed in range(400):
        found = conformal.abstention(*rows(100, 10 + seed), 0.1, by_class=False)
        p, truth = rows(200, 10_000 + seed)
        answered = np.array([found.answers(float(v)) for v in p])
        lost.append(np.mean(answered & ((p >= 0.5) != truth)))
    assert np.mean(lost) <= 0.1 + 0.005
    assert np.mean(lost) > 0.07


def test_too_few_rows_promise_nothing() -> None:
    p, truth = rows(8, 0)
    assert conformal.abstention(p, truth, 0.05, by_class=False).cutoffs == {"any": conformal.NEVER}
    few = conformal.sets(p, truth, 0.95, by_class=False)
    assert few.limits == {"yes": None, "no": None} and few.of(0.99) == ("yes", "no")
    assert conformal.widening(p, p, p, 0.95).of(0.1, 0.2) is None


def test_widening_by_hand() -> None:
    """Nineteen targets 1..19 above intervals that end at 0: the 90 % rank is ceil(20 * 0.9) = 18."""
    target = np.arange(1.0, 20.0)
    found = conformal.widening(np.zeros(19), np.zeros(19), target, 0.9)
    assert found.by == {"any": 18.0} and found.of(2.0, 3.0) == (-16.0, 21.0)
    narrower = conformal.widening(target - 5, target + 5, target, 0.9)
    assert narrower.by == {"any": -5.0} and narrower.of(0.0, 2.0) is None


@pytest.mark.slow
def test_records_and_their_figures() -> None:
    p, truth = rows(400, 7)
    groups = [f"g{i}" for i in range(400)]
    made = fitted_verdicts("s", "set", p, truth, groups, 0.9, by_class=True, about="drawn")
    low, high = made.figures["coverage_any"][1:3]
    assert low <= 0.9 <= high
    rng = np.random.default_rng(0)
    centre, kind = rng.normal(0, 1, 600), ["wide" if i % 2 else "slim" for i in range(600)]
    target = centre + rng.normal(0, 1, 600) * np.where(np.array(kind) == "wide", 3.0, 0.3)
    found = fitted_intervals("i", centre, centre, target, [str(i) for i in range(600)], 0.9, kinds=kind, about="drawn")
    by = found.parameters["widening"]["by"]
    assert by["wide"] == pytest.approx(1.645 * 3, rel=0.15) and by["slim"] == pytest.approx(1.645 * 0.3, rel=0.15)
    assert found.figures["coverage"][1] <= 0.9 <= found.figures["coverage"][2]
    with pytest.raises(InputError, match="low end lies above"):
        fitted_intervals("i", centre + 1, centre, target, groups * 2, 0.9, kinds=None, about="drawn")
    with pytest.raises(InputError, match="probabilities"):
        fitted_verdicts("s", "set", p * 5, truth, groups, 0.9, by_class=False, about="drawn")


def test_the_command_makes_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    p, truth = rows(200, 9)
    data = tmp_path / "rows.csv"
    lines = [
        f"{a!r},{int(b)},g{i},{a - 0.1},{a + 0.1},{a + 0.05}"
        for i, (a, b) in enumerate(zip(p.tolist(), truth, strict=True))
    ]
    data.write_text("score,label,group,low,high,target\n" + "\n".join(lines))
    for method, more in (("risk", ["--risk", "0.1", "--by-class"]), ("set", []), ("interval", ["--level", "0.8"])):
        out = tmp_path / f"{method}.json"
        assert main(["calibrate", "fit", "--data", str(data), "--method", method, "--out", str(out), *more]) == 0
        assert json.loads(out.read_text())["n"] == 200
    assert "coverage" in capsys.readouterr().out
    assert main(["calibrate", "fit", "--data", str(data), "--method", "risk"]) == 2
