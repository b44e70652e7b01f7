"""A benchmark full of defects: each is counted and listed, the run goes on, and a rerun resumes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from secondread.evals.bench.catalogue import reader
from secondread.evals.bench.item import Item, Prediction, Scored
from secondread.evals.bench.report import document, lines
from secondread.evals.bench.run import run
from secondread.evals.bench.summary import strata, strata_of

ROWS = """index,Figure_path,Question,Answer,Choice A,Choice B,Choice C,Choice D,Answer_label
1,a.png,Good?,x,A:a,B:b,C:c,D:d,A
2,b.png,Good too?,x,A:a,B:b,C:c,D:d,B
3,gone.png,Image missing?,x,A:a,B:b,C:c,D:d,A
4,a.png,Wrong letter?,x,A:a,B:b,C:c,D:d,Z
1,a.png,Twice?,x,A:a,B:b,C:c,D:d,A
5,a.png,,x,A:a,B:b,C:c,D:d,A
6,a.png,Cut
"""


@dataclass
class Reader:
    """Always says A."""

    name: str = "agent"
    about: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def ask(self, item: Item, images: Sequence[Path]) -> Prediction:
        self.asked.append(item.id)
        return Prediction(item=item.id, subject=self.name, answer="A", text="A")

    def close(self) -> None:
        pass


def test_defects_are_listed_and_the_run_goes_on(tmp_path: Path) -> None:
    (tmp_path / "test_2.csv").write_text(ROWS)
    for name in ("a.png", "b.png"):
        Image.new("L", (8, 8)).save(tmp_path / name)
    read = reader("pmc_vqa").read(tmp_path, {})
    journal = tmp_path / "out" / "predictions.jsonl"
    first = Reader()
    outcome = run(read, [first], images=tmp_path, journal=journal)
    found = document(outcome, reader("pmc_vqa"))
    assert found["n"] == 2 and found["missing"] == ["3"]
    what = " | ".join(f"{p['where']}: {p['what']}" for p in found["problems"])
    for word in ("'Z' is not among", "comes twice", "question is empty", "record 7: malformed"):
        assert word in what
    assert found["left_out"] == {"missing_image": 1, "bad_records": 4}
    assert "4 bad records" in "\n".join(lines(found))
    kept = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(kept[0] + kept[1][:30])
    again = Reader()
    outcome = run(read, [again], images=tmp_path, journal=journal)
    assert outcome.damaged == 1 and outcome.resumed == 1 and len(outcome.rows["agent"]) == 2


def row(key: int, age: float | None, score: float, held: dict[str, str]) -> Scored:
    item = Item(id=str(key), kind="yes_no", question="?", answer=("yes",), group=str(key), age=age, strata=held)
    return Scored(item=item, prediction=Prediction(item=str(key), subject="x", answer="yes"), score=score)


def test_ages_are_banded_and_sexes_told_apart() -> None:
    assert strata_of(row(1, 17.5, 1.0, {"sex": "F"})) == {"sex": "F", "age band": "0 to 17"}
    assert strata_of(row(1, None, 1.0, {"age": "83"}))["age band"] == "80+"
    assert strata_of(row(1, None, 1.0, {"age": "unknown"})) == {"age": "unknown"}
    rows = [row(n, 30 if n < 6 else 70, float(n < 6), {"sex": "F" if n % 2 else "M", "site": "s"}) for n in range(12)]
    found = strata(rows)
    assert set(found) == {"age band", "sex"}  # one site only is no stratum
    assert [(r["name"], r["value"], r["n"]) for r in found["age band"]] == [("18 to 39", 1.0, 6), ("65 to 79", 0.0, 6)]
