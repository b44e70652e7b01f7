"""Maps recover a known distortion, folds keep groups whole, and the file says what was measured."""

import json
from pathlib import Path

import numpy as np
import pytest

from secondread.evals.calibration.drift import drift, stability_index
from secondread.evals.calibration.fit import fitted, folds_of
from secondread.evals.calibration.methods import METHODS, fit
from secondread.evals.calibration.table import read_table
from secondread.schema.errors import InputError, UsageError
from secondread.schema.evidence import CalibrationRecord
from secondread.serve.cli.main import main
from secondread.tools.calibrators import applied, calibrator_id, named_in, shipped


def rows(n: int = 1500, slope: float = 2.5, seed: int = 0) -> tuple[np.ndarray, np.ndarray, list[str], np.ndarray]:
    """Scores whose log-odds are `slope` times too large; true probabilities beside them."""
    rng = np.random.default_rng(seed)
    z = rng.normal(0.3, 1.2, n)
    truth = rng.random(n) < 1 / (1 + np.exp(-z))
    return 1 / (1 + np.exp(-slope * z)), truth, [f"p{i // 3}" for i in range(n)], 1 / (1 + np.exp(-z))


@pytest.mark.parametrize("method", [m if m == "platt" else pytest.param(m, marks=pytest.mark.slow) for m in METHODS])
def test_every_map_undoes_a_known_overconfidence(method: str) -> None:
    score, truth, group, true = rows()
    made = fitted("x", method, score, truth, group, about="drawn", draws=60)
    said = np.array([applied(made, s) for s in score])
    assert np.abs(said - true).mean() < 0.04 < np.abs(score - true).mean()
    f = made.figures
    assert f["brier"][0] < f["brier_uncalibrated"] and f["brier"][0] < f["brier_base_rate"]
    # steps of the isotonic map follow single rows, which makes it a little too sure on folds left out
    assert f["calibration_slope"][1] < 1 < f["calibration_slope"][2] + (0.1 if method == "isotonic" else 0)
    assert len(made.data_sha256) == 64 and made.n == len(score)


def test_platt_and_temperature_find_the_slope() -> None:
    score, truth, _, _ = rows(4000)
    for method in ("platt", "temperature"):
        found = fit(method, score, truth, probabilities=True)
        assert found["slope"] == pytest.approx(1 / 2.5, abs=0.05)
        assert found["intercept"] == pytest.approx(0, abs=0.1)


def test_scores_beyond_one_are_taken_as_they_are() -> None:
    score, truth, group, _ = rows()
    z = np.log(score / (1 - score)) * 3
    made = fitted("x", "platt", z, truth, group, about="drawn", draws=60)
    assert made.parameters["map"]["on"] == "score" and "brier_uncalibrated" not in made.figures
    with pytest.raises(UsageError, match="beta"):
        fitted("x", "beta", z, truth, group, about="drawn", draws=60)


def test_groups_stay_whole_and_too_little_is_refused() -> None:
    score, truth, group, _ = rows(300)
    folds = folds_of(truth, group)
    assert all(len({f for f, g in zip(folds, group, strict=True) if g == one}) == 1 for one in set(group))
    for bad, words in (((score[:10], truth[:10], group[:10]), "too few"), ((score, truth | True, group), "same label")):
        with pytest.raises(InputError, match=words):
            fitted("x", "platt", *bad, about="drawn", draws=60)
    with pytest.raises(InputError, match="groups cannot"):
        fitted("x", "platt", score, truth, ["a", "b"] * 150, about="drawn", draws=60)


def test_a_damaged_map_is_told() -> None:
    held = CalibrationRecord(
        name="x", method="", data="", data_sha256="", date="", n=1, parameters={"map": {"kind": "platt"}}
    )
    with pytest.raises(InputError, match="holds no map"):
        applied(held, 0.5)
    with pytest.raises(InputError):
        applied(held.model_copy(update={"parameters": {}}), 0.5)


def test_drift_warns_of_another_distribution_and_not_of_the_same() -> None:
    score, truth, group, _ = rows(2000)
    made = fitted("x", "platt", score, truth, group, about="drawn", draws=60, features={"age": score * 50})
    again = rows(800, seed=5)[0]
    again = np.clip(again, score.min(), score.max())
    (age, same) = drift(made, {"score": again, "age": again * 50})
    assert (age.column, same.column) == ("age", "score")
    assert not same.warns and same.psi is not None and same.psi < 0.1
    shifted = drift(made, {"score": np.clip(again * 0.3, 0, 1), "age": again * 50 + 100})
    assert all(d.warns for d in shifted)
    assert any("outside the range" in w for w in shifted[0].warns)
    with pytest.raises(InputError, match="lack age"):
        drift(made, {"score": again})


def test_stability_index_by_hand() -> None:
    """Ten equal bins, all new rows in the lowest: (1 - 0.1) ln(1 / 0.1) + 9 (e - 0.1) ln(e / 0.1), e = half a row."""
    marks = np.linspace(0, 1, 1000)
    e = 0.5 / 200
    assert stability_index(marks, np.zeros(200)) == pytest.approx(
        0.9 * np.log(10) + 9 * (e - 0.1) * np.log(e / 0.1), rel=0.01
    )


def written(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def test_bad_cells_are_named(tmp_path: Path) -> None:
    table = read_table(written(tmp_path / "a.csv", ["score,label,group", "0.1,yes,a", "x,no,b", "0.2,perhaps,c"]))
    with pytest.raises(InputError, match=r"a\.csv: 'score' is no finite number in line 3"):
        table.numbers("score")
    with pytest.raises(InputError, match="neither yes nor no in line 4"):
        table.flags("label")
    with pytest.raises(InputError, match="no column 'truth'"):
        table.flags("truth")
    for name, lines, words in (
        ("b.csv", ["a,b", "1"], "number of cells"),
        ("c.jsonl", ['{"a": 1}', "{"], "line 2 is not JSON"),
        ("d.csv", ["a,b"], "no row"),
    ):
        with pytest.raises(InputError, match=words):
            read_table(written(tmp_path / name, lines))


def test_the_command_fits_shows_and_warns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    score, truth, group, _ = rows(400)
    data = written(
        tmp_path / "s.jsonl",
        [
            json.dumps({"score": s, "label": bool(y), "group": g})
            for s, y, g in zip(score.tolist(), truth, group, strict=True)
        ],
    )
    out = tmp_path / "mine.json"
    assert main(["calibrate", "fit", "--data", str(data), "--name", "mine", "--out", str(out), "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    record = CalibrationRecord.model_validate_json(out.read_text())
    assert made["id"] == calibrator_id(record) and record.n == 400
    assert main(["calibrate", "show", str(out)]) == 0
    assert "calibration_slope" in capsys.readouterr().out
    assert main(["calibrate", "drift", str(out), "--data", str(data)]) == 0
    far = written(tmp_path / "far.jsonl", [json.dumps({"score": 0.99 + i / 1e5}) for i in range(100)])
    assert main(["calibrate", "drift", str(out), "--data", str(far)]) == 3
    capsys.readouterr()
    assert main(["calibrate", "show", "nothing_of_that_name", "--json"]) == 3
    assert json.loads(capsys.readouterr().out) is None
    assert main(["calibrate", "show", "cardiothoracic_ratio", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["n"] == shipped()[made_id("cardiothoracic_ratio")].n
    assert main(["calibrate", "fit", "--data", str(tmp_path / "none.csv")]) == 2
    assert not list(tmp_path.glob("*.partial"))


def made_id(name: str) -> str:
    return next(k for k in shipped() if k.startswith(f"{name}@"))


def test_an_id_is_found_in_a_method_and_changes_with_the_fit() -> None:
    key = made_id("cardiothoracic_ratio")
    assert named_in(f"error model; {key}, {made_id('child')}") == (key, made_id("child"))
    assert named_in("uncalibrated") == ()
    record = shipped()[key]
    other = record.model_copy(update={"parameters": {**record.parameters, "bias": 1.0}})
    assert calibrator_id(other) != key
