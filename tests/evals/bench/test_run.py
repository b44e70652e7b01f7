"""The runner: isolation, resume, parallel runs, floors, shuffled images, and the report."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from secondread.evals.bench.catalogue import reader
from secondread.evals.bench.html import page
from secondread.evals.bench.item import Item, Prediction, Read
from secondread.evals.bench.report import document, dump, lines
from secondread.evals.bench.run import SHUFFLED, Outcome, run
from secondread.schema.errors import InputError, ToolError

N = 12


@dataclass
class Looker:
    """Says yes when the image's first pixel is bright; fails where it is told to."""

    name: str = "agent"
    about: dict[str, Any] = field(default_factory=dict)
    fails: frozenset[str] = frozenset()
    asked: list[str] = field(default_factory=list)

    def ask(self, item: Item, images: Sequence[Path]) -> Prediction:
        self.asked.append(item.id)
        if item.id in self.fails:
            raise ToolError("broke")
        if item.id == "3":
            return Prediction(item=item.id, subject=self.name, abstained=True)
        bright = bool(np.asarray(Image.open(images[0]))[0, 0] > 100)
        said = "yes" if bright else "no"
        return Prediction(item=item.id, subject=self.name, answer=said, confidence=0.75, calibrator="c@1", text=said)

    def close(self) -> None:
        pass


@pytest.fixture
def bench(tmp_path: Path) -> Read:
    """Even items have a bright image and the answer yes."""
    items = []
    for n in range(N):
        Image.fromarray(np.full((8, 8), 200 if n % 2 == 0 else 20, np.uint8)).save(tmp_path / f"{n}.png")
        items.append(
            Item(
                id=str(n), kind="yes_no", question="Is it bright?", images=(f"{n}.png",), group=f"g{n}",
                answer=("yes" if n % 2 == 0 else "no",), strata={"modality": "CT" if n < 6 else "MR"},
            )
        )  # fmt: skip
    return Read(items=tuple(items), sha256="0")


def done(read: Read, folder: Path, subject: Looker, **more: Any) -> Outcome:
    return run(read, [subject], images=folder, journal=folder / "out" / "predictions.jsonl", **more)


def value(found: dict[str, Any], subject: str, name: str) -> float:
    return float(next(f["value"] for f in found["subjects"][subject]["figures"] if f["name"].startswith(name)))


def test_one_failing_item_leaves_the_others_alone(bench: Read, tmp_path: Path) -> None:
    found = document(done(bench, tmp_path, Looker(fails=frozenset({"5"}))), reader("vqa_rad"))
    assert value(found, "agent", "failed") == pytest.approx(1 / N)
    assert value(found, "agent", "abstained") == pytest.approx(1 / N)
    assert value(found, "agent", "accuracy over all items") == pytest.approx(10 / N)
    assert value(found, "agent", "accuracy of answered") == 1.0
    assert found["subjects"]["agent"]["errors"] == {"tool_error: broke": 1}


def test_floors_are_always_there(bench: Read, tmp_path: Path) -> None:
    found = document(done(bench, tmp_path, Looker()), reader("vqa_rad"))
    assert {"majority", "question_only", SHUFFLED} <= set(found["subjects"])
    assert value(found, "majority", "accuracy over all") == 0.5
    assert value(found, "question_only", "accuracy over all") == 0.0  # leave-one-out: the others lean the other way
    assert value(found, SHUFFLED, "accuracy over all") < value(found, "agent", "accuracy over all")
    text = "\n".join(lines(found))
    assert "majority (floor)" in text and "shuffled_image (floor)" in text and "by modality" in text


def test_a_rerun_asks_only_what_is_missing(bench: Read, tmp_path: Path) -> None:
    first = Looker(fails=frozenset({"5"}))
    done(bench, tmp_path, first)
    journal = tmp_path / "out" / "predictions.jsonl"
    kept = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(kept[:4]) + kept[4][: len(kept[4]) // 2])  # cut off in the middle of a line
    again = Looker()
    outcome = done(bench, tmp_path, again)
    assert outcome.resumed == 4 and outcome.damaged == 1
    assert sorted(again.asked[: N - 4]) == sorted(set(map(str, range(N))) - {"0", "1", "2", "3"})
    third = Looker()
    assert done(bench, tmp_path, third).resumed == 2 * N and not third.asked


def test_another_configuration_takes_nothing_over(bench: Read, tmp_path: Path) -> None:
    done(bench, tmp_path, Looker())
    outcome = done(bench, tmp_path, Looker(about={"risk": 0.1}))
    assert outcome.stale == 2 * N and outcome.resumed == 0


def test_parallel_runs_give_the_same(bench: Read, tmp_path: Path) -> None:
    one = done(bench, tmp_path, Looker())
    (tmp_path / "out" / "predictions.jsonl").unlink()
    four = done(bench, tmp_path, Looker(), jobs=4)
    assert [r.score for r in one.rows["agent"]] == [r.score for r in four.rows["agent"]]


def test_missing_images_are_listed(bench: Read, tmp_path: Path) -> None:
    (tmp_path / "4.png").unlink()
    found = document(done(bench, tmp_path, Looker()), reader("vqa_rad"))
    assert found["n"] == N - 1 and found["missing"] == ["4"]
    for n in range(N):
        (tmp_path / f"{n}.png").unlink(missing_ok=True)
    with pytest.raises(InputError, match="Not one"):
        done(bench, tmp_path, Looker())


def test_strata_and_limit(bench: Read, tmp_path: Path) -> None:
    outcome = done(bench, tmp_path, Looker(), where={"modality": "mr"}, limit=3)
    assert len(outcome.items) == 3 and {i.strata["modality"] for i in outcome.items} == {"MR"}
    with pytest.raises(InputError, match="No item"):
        done(bench, tmp_path, Looker(), where={"modality": "US"})


def test_calibration_figures_by_hand(bench: Read, tmp_path: Path) -> None:
    """Eleven answers, all right, all with confidence 0.75."""
    found = document(done(bench, tmp_path, Looker()), reader("vqa_rad"))
    assert value(found, "agent", "Brier") == pytest.approx(0.0625)
    assert value(found, "agent", "ECE, equal widths") == pytest.approx(0.25)
    assert value(found, "agent", "negative log") == pytest.approx(-np.log(0.75))
    assert value(found, "agent", "area under risk") == 0.0
    assert found["subjects"]["agent"]["calibrators"] == ["c@1"]


def test_the_page_stands_alone_and_shows_pictures(bench: Read, tmp_path: Path) -> None:
    Image.fromarray(np.full((8, 8), 20, np.uint8)).save(tmp_path / "0.png")  # now the looker is wrong about item 0
    outcome = done(bench, tmp_path, Looker())
    found = document(outcome, reader("vqa_rad"))
    assert json.loads(dump(found)) == json.loads(dump(found))
    text = page(found, tmp_path)
    assert "data:image/jpeg;base64," in text and "<svg" in text and "http" not in text
    assert "confidence 0.75" in text
    risky = found["subjects"]["agent"]["risk_coverage"]
    assert risky == [(1.0, pytest.approx(1 / 11))]


def test_text_of_the_set_cannot_break_the_page(bench: Read, tmp_path: Path) -> None:
    hurt = bench.items[0].model_copy(update={"question": "<script>alert(1)</script>", "answer": ("no",)})
    found = document(
        done(bench.model_copy(update={"items": (hurt, *bench.items[1:])}), tmp_path, Looker()), reader("vqa_rad")
    )
    assert "<script>" not in page(found, tmp_path)
