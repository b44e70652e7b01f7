"""The command that prints the figures of the hippocampus networks."""

from pathlib import Path

import pytest

from secondread.evals.hippocampus import main
from secondread.tools.segment.hippocampus.volumes import PARTS, error_models
from secondread.tools.segment.hippocampus.weights import WEIGHTS


def test_a_folder_without_data_is_one_line_and_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", str(tmp_path)]) == 2
    assert capsys.readouterr().out.count("\n") == 1


def test_the_shipped_record_meets_its_floor_and_its_aim() -> None:
    record = WEIGHTS.record("hippocampus")
    front, back = (record.figures[f"Dice {part} hippocampus"] for part in ("anterior", "posterior"))
    assert front["value"] >= 0.87 and back["value"] >= 0.85
    assert record.n >= 200


def test_every_volume_has_an_error_model_that_covers_about_what_it_says() -> None:
    _, records = WEIGHTS.manifest()
    assert set(error_models(records)) == set(PARTS)
    for record in records[1:]:
        found = record.figures["coverage of the 90 % interval, folds left out"]
        assert found["low"] <= 0.9 <= found["high"]


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.timeout(1200)  # reads every row of the set
def test_running_it_again_gives_the_recorded_overlap(data_dir: Path) -> None:
    from secondread.tools.segment.hippocampus.weights import load_networks
    from secondread.training.hippocampus.data import load_cases
    from secondread.training.hippocampus.out_of_fold import rows
    from secondread.training.hippocampus.report import figures

    again = figures(list(rows(load_cases(data_dir / "mr_hippocampus_msd"), load_networks())))
    for name, figure in WEIGHTS.record("hippocampus").figures.items():
        assert again[name]["value"] == pytest.approx(figure["value"], abs=0.002)
