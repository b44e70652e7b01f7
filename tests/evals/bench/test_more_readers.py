"""Generated sets in the schema of further benchmarks, scored by hand; what is wrong with a record is listed."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from secondread.evals.bench.catalogue import reader
from secondread.evals.bench.item import Prediction, Read, Scored
from secondread.evals.bench.readers import smmile
from secondread.evals.bench.readers.point_detect_count import nearest
from secondread.evals.bench.score import scored
from secondread.evals.bench.subjects import read_reply
from secondread.serve.cli.main import main


def answered(found: Read, replies: list[str | None]) -> list[Scored]:
    made = []
    for item, reply in zip(found.items, replies, strict=True):
        fields: dict[str, Any] = {"abstained": True} if reply is None else {"text": reply, **read_reply(item, reply)}
        made.append(scored(item, Prediction.model_validate({"item": item.id, "subject": "x", **fields})))
    return made


def values(name: str, rows: list[Scored]) -> dict[str, float | None]:
    return {f.name: f.value for f in reader(name).metric(rows)}


def lines(path: Path, rows: list[str]) -> Path:
    path.write_text("\n".join(rows) + "\n")
    return path


def what(found: Read) -> str:
    return " | ".join(p.what for p in found.problems)


def test_pmc_vqa(tmp_path: Path) -> None:
    head = "index,Figure_path,Question,Answer,Choice A,Choice B,Choice C,Choice D,Answer_label"
    rows = [
        head,
        "1,PMC1_F1.jpg,What is shown?,CT,A:MRI,B:CT,C:PET,D:US,B",
        '2,PMC1_F1.jpg,"Which plane, if any?",axial, A:axial,B:coronal,C:sagittal,D:none,A',
        "3,PMC2_F1.jpg,Where?,x,A:a,B:b,C:c,D:d,E",
        "1,PMC3_F1.jpg,Twice?,x,A:a,B:b,C:c,D:d,A",
    ]
    found = reader("pmc_vqa").read(lines(tmp_path / "test_2.csv", rows), {})
    assert [i.answer for i in found.items] == [("B",), ("A",)] and found.items[0].options["B"] == "CT"
    assert "'E' is not among" in what(found) and "comes twice" in what(found)
    assert values("pmc_vqa", answered(found, ["The answer is B.", "C"])) == {"accuracy": 0.5}


def test_vqa_med(tmp_path: Path) -> None:
    rows = [
        "s1|modality|what modality is shown?|cta - ct angiography",
        "s1|plane|which plane?|axial#transverse",
        "s2|modality|is this an mri?|no",
        "s3|organ|broken",
    ]
    found = reader("vqa_med_2019").read(lines(tmp_path / "VQAMed2019_Test_Questions_w_Ref_Answers.txt", rows), {})
    assert [i.kind for i in found.items] == ["open", "open", "yes_no"] and "3 fields" in what(found)
    got = values("vqa_med_2019", answered(found, ["CTA - CT angiography", "transverse", "Yes"]))
    assert got["strict accuracy"] == pytest.approx(2 / 3)
    assert (got["strict accuracy, modality"], got["strict accuracy, plane"]) == (0.5, 1.0)
    assert got["strict accuracy, organ"] is None


def picture(grey: int) -> str:
    buffer = io.BytesIO()
    Image.new("L", (8, 8), grey).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def test_gmai_mmbench_and_its_pictures(tmp_path: Path) -> None:
    head = "\t".join(
        ["index", "image", "question", "A", "B", "C", "D", "E", "answer", "clinical vqa task", "department"]
    )
    rows = [
        head,
        "\t".join(["1", picture(10), "Which?", "a", "b", "c", "", "", "B", "Counting", "Urology"]),
        "\t".join(["2", "1", "Which now?", "a", "b", "", "", "", "A", "Counting", "Surgery"]),
        "\t".join(["3", picture(30), "Unlabelled?", "a", "b", "", "", "", "", "Counting", "Surgery"]),
        "\t".join(["4", "no base64!", "Broken?", "a", "b", "", "", "", "A", "Counting", "Surgery"]),
    ]
    data, out = lines(tmp_path / "GMAI_val.tsv", rows), tmp_path / "pictures"
    found = reader("gmai_mmbench").read(data, {"unpack": str(out)})
    assert [i.images for i in found.items] == [("1.png",), ("1.png",)]  # the second row refers to the first
    assert sorted(p.name for p in out.iterdir()) == ["1.png"] and Image.open(out / "1.png").getpixel((0, 0)) == 10
    assert "test split without labels" in what(found) and "no base64" in what(found)
    got = values("gmai_mmbench", answered(found, ["B", "B"]))
    assert got["accuracy"] == 0.5 and got["department Urology"] == 1.0 and got["department Surgery"] == 0.0


def test_medq_bench(tmp_path: Path) -> None:
    head = "\t".join(["index", "image", "question", "A", "B", "C", "D", "answer", "modality"])
    rows = [
        head,
        "\t".join(["1", picture(1), "Is there motion blur?", "Yes", "No", "", "", "0", "MRI"]),
        "\t".join(["2", picture(2), "How noisy?", "Low", "Mid", "High", "Very", "D", "CT"]),
    ]
    found = reader("medq_bench").read(lines(tmp_path / "MedqBench_MCQ.tsv", rows), {})
    assert [i.answer for i in found.items] == [("A",), ("D",)]
    got = values("medq_bench", answered(found, ["A", "C"]))
    assert got["accuracy"] == 0.5 and got["modality MRI"] == 1.0
    told = lines(tmp_path / "desc.tsv", ["index\timage\tdescription", f"1\t{picture(1)}\tSlight noise, sharp edges."])
    (item,) = reader("medq_bench").read(told, {}).items
    assert item.kind == "report" and item.strata == {}
    none = reader("medq_bench").read(lines(tmp_path / "x.tsv", ["a\tb", "1\t2"]), {})
    assert not none.items and "no column index" in what(none)


def test_chestagentbench(tmp_path: Path) -> None:
    folder = tmp_path / "questions"
    folder.mkdir()
    text = "What does the film show? A) mass B) effusion C) nodule D) none E) collapse F) oedema"
    about = {"case_id": "17", "type": "single", "difficulty": "hard", "categories": ["detection", "diagnosis"]}
    for n, answer in ((1, "F"), (2, "B")):
        record = {"question": text, "answer": answer, "figures": ["17/fig1.jpg"], "metadata": about}
        (folder / f"17_{n}.json").write_text(json.dumps(record))
    (folder / "18_1.json").write_text(json.dumps({"question": text, "answer": "G", "metadata": about, "figures": []}))
    (folder / "eurorad_metadata.json").write_text("{}")
    found = reader("chestagentbench").read(folder, {})
    assert len(found.items) == 2 and found.items[0].options["F"] == "oedema" and "'G' is not among" in what(found)
    got = values("chestagentbench", answered(found, ["F", "A"]))
    assert got == {"accuracy": 0.5, "accuracy, detection": 0.5, "accuracy, diagnosis": 0.5}


def fenced(value: Any) -> str:
    return f"```json\n{json.dumps(value)}\n```"


def pdc(labels: Any, response: str, image: str) -> str:
    return json.dumps(
        {
            "messages": [{"role": "user", "content": "<image>Look."}, {"role": "assistant", "content": "x"}],
            "images": [{"path": image}],
            "labels": fenced(labels),
            "response": response,
        }
    )


def test_point_detect_count(tmp_path: Path) -> None:
    rows = [
        pdc({"count": 3, "label": "sperm"}, fenced({"counts": 5}), "a.jpg"),
        pdc({"counts": 2, "label": "sperm"}, "there are 2", "b.jpg"),
        pdc([{"bbox_2d": [0, 0, 10, 10], "label": "polyp"}], fenced([{"bbox_2d": [0, 0, 10, 5]}]), "c.jpg"),
        pdc([{"point_2d": [3, 4], "label": "polyp"}], '[{"point_2d": [0, 0], "label"', "d.jpg"),
        pdc(
            [{"point_2d": [3, 4]}, {"point_2d": [10, 10]}],
            fenced([[{"point_2d": [3, 4]}], {"point_2d": [10, 13]}]),
            "e.jpg",
        ),
        '{"messages": [',
        pdc({"words": 1}, "", "f.jpg"),
    ]
    found = reader("point_detect_count").read(lines(tmp_path / "test.jsonl", rows), {})
    assert [i.kind for i in found.items] == ["count", "count", "box", "point", "point"]
    assert "not JSON" in what(found) and "neither boxes" in what(found)
    made = [scored(i, p) for i in found.items if (p := smmile.published(i)) is not None]
    got = values("point_detect_count", made)
    assert got["count: exact, of those read"] == 0.5 and got["count: mean absolute error, of those read"] == 1.0
    assert got["box: mean overlap, of those read"] == 0.5
    assert got["point: replies that were read"] == 0.5  # a lone object that is cut off holds nothing whole
    assert got["point: mean distance to the nearest point said"] == pytest.approx(1.5)
    assert nearest([(3.0, 4.0)], [(0.0, 0.0)]) == [5.0] and nearest([(1.0, 1.0)], []) == []


def test_a_table_with_pictures_runs_through_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = "\t".join(["1", picture(9), "Is there motion blur?", "Yes", "No", "", "", "A", "MRI"])
    data = lines(tmp_path / "m.tsv", ["index\timage\tquestion\tA\tB\tC\tD\tanswer\tmodality", row])
    code = main(
        ["eval", "medq_bench", "--data", str(data), "--option", f"unpack={tmp_path / 'pictures'}", "--subject", "none",
         "--out", str(tmp_path / "out"), "--json"]
    )  # fmt: skip
    found = json.loads(capsys.readouterr().out)
    assert code == 0 and found["n"] == 1 and found["left_out"]["missing_image"] == 0


@pytest.mark.data
def test_the_sample_of_vqa_med_is_read_whole(data_dir: Path) -> None:
    path = data_dir / "benchmarks" / "vqa_med_2019" / "test_sample48.txt"
    if not path.is_file():
        pytest.skip("the sample is not there")
    found = reader("vqa_med_2019").read(path, {})
    assert len(found.items) == 48 and not found.problems
