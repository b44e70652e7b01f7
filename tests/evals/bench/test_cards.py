"""Cards come from results alone."""

import json
from pathlib import Path

import pytest

from secondread.evals.bench.cards import write_cards
from secondread.schema.errors import InputError
from secondread.serve.cli.main import main
from secondread.tools.calibrators import shipped


def test_a_card_repeats_the_figures_of_its_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    questions = tmp_path / "testset.json"
    questions.write_text(
        '[{"qid": 1, "image_name": "a.png", "question": "Is there a pneumothorax?", "answer": "No",'
        ' "answer_type": "CLOSED", "question_type": "PRES", "phrase_type": "freeform", "image_organ": "CHEST"}]'
    )
    out = tmp_path / "results" / "one"
    code = main(["eval", "vqa_rad", "--data", str(questions), "--blind", "--subject", "agent", "--out", str(out)])
    assert code == 0, capsys.readouterr().err
    cards = {p.name: p for p in write_cards(tmp_path / "results", tmp_path / "cards")}
    text = cards["agent.md"].read_text()
    lines = [json.loads(line) for line in (out / "scored.jsonl").read_text().splitlines()]
    assert [r["item"] for r in lines] == ["1"] and lines[0]["score"] is None and lines[0]["label"] is False
    model = cards["model_cardiothoracic_ratio.md"].read_text()
    assert "cardiothoracic_ratio@" in model and "calibration_slope" in model
    assert "1 items in 1 groups" in text and "majority (floor)" in text and "VQA-RAD" in text
    assert main(["eval", "cards", "--data", str(tmp_path / "results"), "--out", str(tmp_path / "cards")]) == 0


def test_what_is_no_result_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no result\.json"):
        write_cards(tmp_path, tmp_path / "cards")
    (tmp_path / "result.json").write_text("{")
    with pytest.raises(InputError, match="is no result"):
        write_cards(tmp_path, tmp_path / "cards")


def test_trust_and_robustness_results_stand_in_the_model_card(tmp_path: Path) -> None:
    key = next(k for k in shipped() if k.startswith("cardiothoracic_ratio@"))
    target = {"name": "Brier", "value": 0.05, "low": 0.04, "high": 0.06, "n": 9, "needs": "below 0.2", "met": True}
    sheet = {"about": "Is it?", "calibrator": key, "out_of_fold": [target]}
    (tmp_path / "trust.json").write_text(json.dumps({"sheets": {"heart_size": sheet}, "met": 1, "targets": 1}))
    share = [0.5, 0.4, 0.6, 10]
    pooled = {"3": {"answered": share, "accuracy_of_answered": share, "paired_change": [-0.02, -0.1, 0.0, 5]}}
    told = {"expert": "chest", "asks": "Wide?", "n": 10, "pooled": pooled, "target": {"met": True, "because": "x"}}
    (tmp_path / "robustness.json").write_text(json.dumps(told))
    cards = {p.name: p.read_text() for p in write_cards(tmp_path, tmp_path / "cards")}
    text = cards["model_cardiothoracic_ratio.md"]
    assert "0.0500 [0.0400, 0.0600], n = 9, met: below 0.2" in text
    assert "paired change -0.02 [-0.1, 0], n = 5" in text and "Wide?" in text
    assert "Wide?" not in cards["model_nuclei.md"]
    (tmp_path / "robustness.json").write_text("{")
    with pytest.raises(InputError, match="cannot be read as JSON"):
        write_cards(tmp_path, tmp_path / "cards")
