"""Cards come from results alone."""

from pathlib import Path

import pytest

from secondread.evals.bench.cards import write_cards
from secondread.schema.errors import InputError
from secondread.serve.cli.main import main


def test_a_card_repeats_the_figures_of_its_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    questions = tmp_path / "testset.json"
    questions.write_text(
        '[{"qid": 1, "image_name": "a.png", "question": "Is there a pneumothorax?", "answer": "No",'
        ' "answer_type": "CLOSED", "question_type": "PRES", "phrase_type": "freeform", "image_organ": "CHEST"}]'
    )
    out = tmp_path / "results" / "one"
    code = main(["eval", "vqa_rad", "--data", str(questions), "--blind", "--subject", "agent", "--out", str(out)])
    assert code == 0, capsys.readouterr().err
    (card,) = write_cards(tmp_path / "results", tmp_path / "cards")
    text = card.read_text()
    assert "1 items in 1 groups" in text and "majority (floor)" in text and "VQA-RAD" in text
    assert main(["eval", "cards", "--data", str(tmp_path / "results"), "--out", str(tmp_path / "cards")]) == 0


def test_what_is_no_result_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no result\.json"):
        write_cards(tmp_path, tmp_path / "cards")
    (tmp_path / "result.json").write_text("{")
    with pytest.raises(InputError, match="is no result"):
        write_cards(tmp_path, tmp_path / "cards")
