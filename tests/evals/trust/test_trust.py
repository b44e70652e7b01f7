"""Targets are met by calibrated rows and missed by others; rows are kept; the simulated reader is covered."""

import json
from pathlib import Path

import numpy as np
import pytest

from secondread.evals.films import MaskedFilm
from secondread.evals.heart_size import FilmResult
from secondread.evals.trust import figures
from secondread.evals.trust.__main__ import GROUPS, main, report
from secondread.evals.trust.generated import SIZE, borders, ratio, read, sheet
from secondread.evals.trust.heart import ENLARGED, row_of
from secondread.evals.trust.rows import Row, Sheet, kept
from secondread.schema.answer import Answer, Claim
from secondread.tools.measure.error_model import ErrorModel


def drawn(n: int, sharpen: float) -> Sheet:
    """Rows whose stated log-odds are `sharpen` times the true ones; the raw score is sharper still."""
    rng = np.random.default_rng(0)
    z = rng.normal(0.5, 1.5, n)
    truth = rng.random(n) < 1 / (1 + np.exp(-z))
    p, raw = (1 / (1 + np.exp(-k * z)) for k in (sharpen, 4 * sharpen))
    rows = tuple(
        Row(id=str(i), group=f"g{i // 2}", truth=bool(truth[i]), probability=float(p[i]), raw=float(raw[i]))
        for i in range(n)
    )
    return Sheet(name="q", about="?", calibrator="c@1", rows=rows, code="x")


def by_name(found: list[figures.Target]) -> dict[str, figures.Target]:
    return {t.name.split(" ")[0] + ("_raw" if "uncalibrated" in t.name else ""): t for t in found}


def test_calibrated_rows_meet_every_target() -> None:
    found = by_name(figures.targets(drawn(1200, 1.0), "out_of_fold", draws=100))
    assert all(t.met for t in found.values() if t.met is not None)
    assert {"Brier", "Brier_raw", "calibration", "ECE"} <= set(found)
    assert all(t.n == 1200 for t in found.values())


def test_rows_that_are_too_sure_miss_slope_and_ece() -> None:
    found = by_name(figures.targets(drawn(1200, 2.5), "out_of_fold", draws=100))
    assert found["calibration"].met is False and found["ECE"].met is False
    assert found["calibration"].value == pytest.approx(1 / 2.5, abs=0.07)


def test_coverage_by_hand() -> None:
    """Ninety of a hundred inside, and twenty of fifty."""
    for inside, n, met in ((90, 100, True), (20, 50, False)):
        rows = tuple(Row(id=str(i), group=str(i), right=i < inside) for i in range(n))
        (found,) = figures.targets(
            Sheet(name="v", about="", calibrator="", level=0.9, rows=rows, code=""), "out_of_fold"
        )
        assert (found.value, found.n, found.met) == (inside / n, n, met)


def test_answered_share_stands_beside_accuracy() -> None:
    rows = tuple(
        Row(id=str(i), group=str(i), answered=i < 6, right=i < 5 if i < 6 else None, truth=True, probability=0.9)
        for i in range(8)
    )
    found = {
        t.name: t.value
        for t in figures.targets(Sheet(name="q", about="", calibrator="", rows=rows, code=""), "out_of_fold", draws=10)
    }
    assert found["answered share"] == 0.75 and found["accuracy of answered"] == pytest.approx(5 / 6)


def test_val_rows_stand_beside_and_are_no_target() -> None:
    whole = drawn(400, 2.5)
    both = whole.model_copy(
        update={"rows": (*whole.rows, *(r.model_copy(update={"split": "val"}) for r in whole.rows[:80]))}
    )
    lines, found = report([both], draws=50)
    assert any("read once" in line for line in lines)
    parts = found["sheets"]["q"]  # type: ignore[index]  # plain JSON
    assert all(t["met"] is None for t in parts["val"]) and parts["val"][0]["n"] == 80


def test_sheets_are_kept_for_one_code_and_a_damaged_one_is_made_again(tmp_path: Path) -> None:
    made: list[int] = []

    def make() -> Sheet:
        made.append(1)
        return drawn(5, 1.0)

    assert kept(tmp_path, "q", "x", make) == kept(tmp_path, "q", "x", make) and len(made) == 1
    kept(tmp_path, "q", "other", make)
    assert len(made) == 2
    (tmp_path / "q.json").write_text('{"name": ')
    kept(tmp_path, "q", "x", make)
    assert len(made) == 3 and not list(tmp_path.glob("*.part"))


@pytest.mark.slow
def test_the_simulated_reader_is_covered_at_its_level() -> None:
    """Borders drawn at random stand for chests: the interval's level does not depend on the shapes."""
    rng = np.random.default_rng(3)
    n = 300
    lungs = rng.uniform(0.75, 0.95, n) * SIZE
    heart = lungs * rng.uniform(0.38, 0.62, n)
    edges = np.stack([SIZE / 2 - heart / 2, SIZE / 2 + heart / 2, SIZE / 2 - lungs / 2, SIZE / 2 + lungs / 2], axis=1)
    measured, spread, uncertainty, truth = read(edges)
    assert np.allclose(truth, heart / lungs)
    assert np.corrcoef(np.abs(measured - truth), spread)[0, 1] > 0.3
    assert uncertainty.min() >= 0
    (found,) = figures.targets(sheet(edges, "x"), "out_of_fold")
    assert found.n == n and found.value == pytest.approx(0.9, abs=0.05)


def test_borders_of_a_generated_chest() -> None:
    first = borders(0)
    assert first == borders(0) != borders(1)
    assert 0 <= first[2] < first[0] < first[1] < first[3] <= SIZE
    assert 0.3 < ratio(np.array(first)) < 0.8


def test_the_command_prints_from_kept_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from secondread.evals.bench.run import code_hash

    rows = tuple(Row(id=str(i), group=str(i), right=i % 10 != 0) for i in range(200))
    held = Sheet(name="generated_ratio", about="kept", calibrator="c", level=0.9, rows=rows, code=code_hash())
    (tmp_path / "generated_ratio.json").write_text(held.model_dump_json())
    out = tmp_path / "t.json"
    assert main(["--work", str(tmp_path), "--only", "generated", "--json", str(out)]) == 0
    assert "1 of 1 targets met" in capsys.readouterr().out
    assert json.loads(out.read_text())["met"] == 1
    assert set(GROUPS) >= {"heart", "generated"}


@pytest.mark.parametrize(("verdict", "stated"), [("yes", 0.97), ("no", 0.03)])
def test_a_claim_of_absence_counts_against(verdict: str, stated: float) -> None:
    """A claim's probability is that of the claim: of a no, it is P(not enlarged)."""
    film = MaskedFilm(Path("a.png"), Path("m.png"), "p", "train")
    claim = Claim(
        id="C1", concept=ENLARGED, polarity="present" if verdict == "yes" else "absent", text="", probability=0.97,
        evidence=("E1",),
    )  # fmt: skip
    answer = Answer.model_validate({"question": "?", "text": "", "verdict": verdict, "claims": [claim]})
    made = FilmResult(film, 0, 0.48, {}, 0.47, 0.01, 0.05, 0.44, 0.50, {"PA": answer})
    model = ErrorModel(bias=0.0, scale_floor=0.01, scale_slope=0.5, q90=2.0)
    found = row_of("out_of_fold", made, model)
    assert found.probability == pytest.approx(stated)
    assert found.truth is False and found.right is (verdict == "no") and (found.low, found.high) == (0.44, 0.50)
