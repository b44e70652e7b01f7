"""The command that prints the figures of the vessel networks."""

from pathlib import Path

import pytest

from secondread.evals.vessels import main
from secondread.tools.segment.vessels.values import UNITS, error_models
from secondread.tools.segment.vessels.weights import WEIGHTS


def test_a_folder_without_data_is_one_line_and_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", str(tmp_path)]) == 2
    assert capsys.readouterr().out.count("\n") == 1


def test_the_shipped_record_meets_its_aim() -> None:
    record = WEIGHTS.record("vessels")
    assert record.figures["Dice against the first observer"]["value"] >= 0.76
    assert record.n == 22


def test_every_measure_has_an_error_model() -> None:
    assert set(error_models(WEIGHTS.manifest()[1])) == set(UNITS)


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.timeout(1200)  # reads every row of the set
def test_running_it_again_gives_the_recorded_overlap(data_dir: Path) -> None:
    from secondread.tools.segment.vessels.weights import load_networks
    from secondread.training.vessels.data import load_eyes
    from secondread.training.vessels.out_of_fold import rows
    from secondread.training.vessels.report import figures

    again = figures(list(rows(load_eyes(data_dir / "retina_chase_db1"), load_networks())))
    for name, figure in WEIGHTS.record("vessels").figures.items():
        assert again[name]["value"] == pytest.approx(figure["value"], abs=0.003)
