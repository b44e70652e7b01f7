"""Generated sets in the true schema of each benchmark, scored by hand."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from secondread.evals.bench.catalogue import READERS, reader
from secondread.evals.bench.item import Figure, Item, Prediction, Read, Scored
from secondread.evals.bench.readers import smmile
from secondread.evals.bench.score import scored
from secondread.evals.bench.subjects import read_reply
from secondread.schema.errors import UsageError

Reply = str | None


def read(name: str, path: Path, **options: str) -> Read:
    return reader(name).read(path, options)


def answered(items: Sequence[Item], replies: Sequence[Reply]) -> list[Scored]:
    """Replies as a model gives them, through the parser; None is an abstention."""
    made = []
    for item, reply in zip(items, replies, strict=True):
        fields: dict[str, Any] = {"abstained": True} if reply is None else {"text": reply, **read_reply(item, reply)}
        made.append(scored(item, Prediction.model_validate({"item": item.id, "subject": "x", **fields})))
    return made


def values(figures: Sequence[Figure]) -> dict[str, float | None]:
    return {f.name: f.value for f in figures}


def written(path: Path, value: Any) -> Path:
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def rad(qid: int, answer: str, kind: str, question: str = "Is it?") -> dict[str, Any]:
    return {
        "qid": qid, "image_name": f"{qid}.jpg", "image_organ": "CHEST", "answer": answer, "answer_type": kind,
        "question_type": "PRES", "question": question, "phrase_type": "freeform",
    }  # fmt: skip


def test_vqa_rad(tmp_path: Path) -> None:
    rows = [rad(1, "Yes", "CLOSED"), rad(2, "No", "CLOSED "), rad(3, "Left lung.", "OPEN"), rad(4, "axial", "OPEN")]
    found = read("vqa_rad", written(tmp_path / "testset.json", rows))
    assert [i.kind for i in found.items] == ["yes_no", "yes_no", "open", "open"]
    got = values(reader("vqa_rad").metric(answered(found.items, ["yes", "Yes.", "left lung", None])))
    assert got == {"closed accuracy": 0.5, "open accuracy": 0.5}


def slake(qid: int, answer: str, kind: str, language: str = "en") -> dict[str, Any]:
    return {
        "img_id": qid, "img_name": f"xmlab{qid}/source.jpg", "question": "Where?", "answer": answer,
        "q_lang": language, "location": "Lung", "modality": "X-Ray", "answer_type": kind, "base_type": "vqa",
        "triple": ["vhead", "_", "_"], "qid": qid, "content_type": "Position",
    }  # fmt: skip


def test_slake(tmp_path: Path) -> None:
    rows = [
        slake(1, "Yes", "CLOSED"),
        slake(2, "Upper left", "OPEN"),
        slake(3, "CT", "CLOSED"),
        slake(4, "x", "OPEN", "zh"),
    ]
    path = written(tmp_path / "test.json", rows)
    found = read("slake", path)
    assert len(found.items) == 3 and len(read("slake", path, language="all").items) == 4
    got = values(reader("slake").metric(answered(found.items, ["no", "upper, left", "CT"])))
    assert got == {"closed accuracy": 0.5, "open accuracy": 1.0}


def confusing(first: str = "A", second: str = "B") -> dict[str, Any]:
    return {
        "im_1": "train/a.jpg", "im_2": "train/b.jpg", "im_1_local": 1, "im_2_local": 2, "cap_1": "", "cap_2": "",
        "category_1": ["Cerebral"], "category_2": ["Spine"], "BiomedCLIP_sim": 0.9, "DINO_sim": 0.5,
        "question": "Where?", "option_A": "left", "option_B": "right", "im_1_correct": first, "im_2_correct": second,
        "AI_question": "Which?", "AI_option_A": "l", "AI_option_B": "r",
    }  # fmt: skip


def test_mediconfusion(tmp_path: Path) -> None:
    """Pair 1 right, pair 2 confused, pair 3 both wrong, pair 4 half right with one reply unreadable."""
    path = written(tmp_path / "dataset.json", {str(k): confusing() for k in range(1, 5)})
    found = read("mediconfusion", path)
    replies = ["A", "B", "A", "(A)", "B", "A", "the left", "perhaps"]
    got = values(reader("mediconfusion").metric(answered(found.items, replies)))
    assert got["set accuracy (both of a pair right)"] == 0.25
    assert got["confusion (same option for both, of pairs with two answers)"] == pytest.approx(1 / 3)
    assert got["individual accuracy"] == 0.5
    assert read("mediconfusion", path, images="local").items[0].images == ("1.jpg",)


SIDES = ("left", "right", "unspecified")


def about(path: str, options: Sequence[str], kind: str = "single_choice") -> dict[str, Any]:
    return {"answer_type": kind, "options": list(options), "path": path}


def report() -> list[Any]:
    yes = ["Any sign in the lung?", ["yes"]]
    opacity = ["Is there opacity in the lung?", ["yes"]]
    return [
        [*yes, [], about("lung_signs", ["yes", "no"])],
        [*opacity, [yes], about("lung_signs_opacity", ["yes", "no"])],
        ["In which part?", ["left", "right"], [yes, opacity], about("lung_signs_opacity_body", SIDES, "multi_choice")],
        ["Any sign in the bone?", ["no"], [], about("bone_signs", ["yes", "no"])],
    ]  # fmt: skip


def test_rad_restruct_walks_the_subjects_own_answers(tmp_path: Path) -> None:
    folder = tmp_path / "val_qa_pairs"
    folder.mkdir()
    written(folder / "7.json", report())
    written(tmp_path / "id_to_img_mapping.json", {"7": ["CXR7_IM-1"]})
    found = read("rad_restruct", tmp_path)
    assert [i.kind for i in found.items] == ["yes_no", "yes_no", "labels", "yes_no"]
    assert found.items[0].images == ("CXR7_IM-1.png",)
    metric = reader("rad_restruct").metric
    right = values(metric(answered(found.items, ["yes", "yes", "right, left", "no"])))
    assert right["report accuracy (every answer right)"] == 1.0 and right["micro F1 over answers"] == 1.0
    # "no" at the first question: what is said below it does not count, though it is right by itself
    lost = values(metric(answered(found.items, ["no", "yes", "right, left", "no"])))
    assert lost["question accuracy"] == 0.25
    assert lost["level 1 accuracy"] == 0.5 and lost["level 2 accuracy"] == 0.0 and lost["level 3 accuracy"] == 0.0
    # true answers: yes, yes, left, right, no; given: no, no, unspecified, no -> one of four right: 2 * 1 / (5 + 4)
    assert lost["micro F1 over answers"] == pytest.approx(2 / 9)


def problem(key: str, order: int, answer: str) -> dict[str, Any]:
    return {"problem_id": key, "order": order, "image": f"{key}{order}.png", "question": "What?", "answer": answer}


def test_smmile_problems(tmp_path: Path) -> None:
    rows = [problem("p", 2, "Black."), problem("p", 1, "Red."), problem("p", 0, "White."), problem("q", 0, "Red.")]
    path = written(tmp_path / "smmile.jsonl", "\n".join(map(json.dumps, rows)))
    found = read("smmile", path)
    assert [len(i.examples) for i in found.items] == [2, 0]
    assert found.items[0].examples[0] == ("p0.png", "What?", "White.") and found.items[0].answer == ("Black.",)
    assert values(reader("smmile").metric(answered(found.items, ["black", "blue"])))["accuracy"] == 0.5
    chosen = read("smmile", path, format="mcqa")  # a problem without examples has one option: no question
    assert [i.id for i in chosen.items] == ["p"] and len(chosen.problems) == 1
    assert chosen.items[0].options == {"A": "Black.", "B": "Red.", "C": "White."} and chosen.items[0].answer == ("A",)


def test_smmile_published_predictions(tmp_path: Path) -> None:
    head = (
        "problem_id,final_question,true_answer,correct_option,selected_option,is_correct,generated_answer,full_response"
    )
    rows = ["1,Q?,Black,D,C,False,Red,<answer>C</answer>", "2,Q?,Left,B,B,True,Left,<answer>B</answer>"]
    found = read("smmile", written(tmp_path / "gpt_icl_mcqa.csv", "\n".join([head, *rows])))
    made = [scored(i, p) for i in found.items if (p := smmile.published(i))]
    got = values(reader("smmile").metric(made))
    assert got == {"accuracy": 0.5, "letters read otherwise than in the file": 0.0}


def tumour(qid: str, subtype: str, kind: str, answer: str, **more: Any) -> dict[str, Any]:
    return {
        "qid": qid, "image_id": "BDMAP_1", "spacing": "[0.83 0.83 5.0]", "shape": "(512, 512, 116)", "sex": "F",
        "age": "63", "question": "How?", "answer": answer,
        "mc_question": "How large is it? A: Normal B: Mild C: Severe", "correct_option": "B", "organ": "spleen",
        "lesion": False, "question_type": kind, "question_subtype": subtype,
        "requires_tools": ["segment_organ", "measure"], **more,
    }  # fmt: skip


def test_deeptumorvqa(tmp_path: Path) -> None:
    rows = [
        tumour("1", "organ volume measurement", "measurement", "200"),
        tumour("2", "organ volume measurement", "measurement", "100"),
        tumour("3", "organ HU measurement", "measurement", "50"),
        tumour("4", "liver lesion existence", "recognition", "Yes"),
        tumour("5", "splenomegaly grading", "medical reasoning", "Normal (no splenomegaly)"),
    ]
    path = written(tmp_path / "test_qa.json", {"version": "2.0", "questions": rows})
    letters = read("deeptumorvqa", path)
    assert letters.items[0].question == "How large is it?"
    assert letters.items[0].options == {"A": "Normal", "B": "Mild", "C": "Severe"}
    assert letters.items[0].images == ("ct/BDMAP_1/ct.nii.gz",) and letters.items[0].meta["spacing"] == [
        0.83,
        0.83,
        5.0,
    ]
    assert letters.items[0].meta["shape"] == [512, 512, 116] and letters.items[0].strata["age"] == "60-79"
    free = read("deeptumorvqa", path, format="freeform")
    assert [i.kind for i in free.items] == ["number", "number", "number", "yes_no", "open"]
    replies = ["150 cm3", "no idea", "50", "Yes", "normal"]
    made = [
        r.model_copy(update={"item": r.item.model_copy(update={"group": r.item.id})})
        for r in answered(free.items, replies)
    ]
    got = values(reader("deeptumorvqa").metric(made))
    assert got["measurement, question-weighted"] == pytest.approx((0.75 + 0 + 1) / 3)
    assert got["measurement, macro over subtypes"] == pytest.approx((0.375 + 1) / 2)
    assert got["overall, question-weighted"] == pytest.approx((0.75 + 0 + 1 + 1 + 0) / 5)
    assert got["categories, partial match"] == 1.0


BAD: dict[str, Callable[[], Any]] = {
    "vqa_rad": lambda: [rad(1, "yes", "CLOSED"), rad(1, "no", "CLOSED"), rad(2, "", "OPEN"), {"qid": 3}, 5],
    "slake": lambda: [slake(1, "Yes", "CLOSED"), slake(1, "No", "CLOSED"), slake(2, " ", "OPEN"), {"qid": 3}, None],
    "mediconfusion": lambda: {"1": confusing(), "2": confusing("A", "A"), "3": confusing("C", "B"), "4": {}, "5": 1},
    "deeptumorvqa": lambda: [
        tumour("1", "x", "recognition", "Yes"), tumour("1", "x", "recognition", "Yes"),
        tumour("2", "x", "recognition", "Yes", correct_option="E"), {"qid": 3}, [],
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(BAD))
def test_bad_records_are_listed_and_the_good_one_stays(name: str, tmp_path: Path) -> None:
    found = read(name, written(tmp_path / "test.json", BAD[name]()))
    assert {i.id.split("/")[0] for i in found.items} == {"1"}
    assert len(found.problems) == 4 and all(p.where and p.what for p in found.problems)


def test_every_reader_says_what_it_is() -> None:
    for one in READERS.values():
        assert one.expects and one.licence and one.status in ("complete", "format")


@pytest.mark.data
def test_true_samples(data_dir: Path) -> None:
    folder = data_dir / "benchmarks"
    if not folder.is_dir():
        pytest.skip(f"no benchmark samples in {folder}: an older copy of the research data")
    known = {"vqa_rad": 50, "slake": 40, "mediconfusion": 50, "rad_restruct": 342, "smmile": 50, "deeptumorvqa": 1}
    for name, n in known.items():
        found = read(name, folder / name)
        assert len(found.items) == n and not found.problems


@pytest.mark.data
def test_floors_of_the_true_samples(data_dir: Path) -> None:
    """The majority counted here by another way: the commonest closed answer, the commonest open text."""
    from secondread.evals.bench.floors import majority, question_only

    folder = data_dir / "benchmarks"
    if not folder.is_dir():
        pytest.skip(f"no benchmark samples in {folder}: an older copy of the research data")
    rows = json.loads((folder / "vqa_rad" / "sample50.json").read_text())
    closed = Counter(r["answer"].lower() for r in rows if r["answer_type"] == "CLOSED")
    found = read("vqa_rad", folder / "vqa_rad")
    got = values(
        reader("vqa_rad").metric([scored(i, p) for i, p in zip(found.items, majority(found.items, None), strict=True)])
    )
    assert got["closed accuracy"] == pytest.approx(max(closed.values()) / sum(closed.values()))
    pairs = read("mediconfusion", folder / "mediconfusion")
    for floor in (majority, question_only):
        rows_ = [scored(i, p) for i, p in zip(pairs.items, floor(pairs.items, None), strict=True)]
        got = values(reader("mediconfusion").metric(rows_))
        assert got["set accuracy (both of a pair right)"] == 0.0
        assert got["confusion (same option for both, of pairs with two answers)"] == 1.0


def test_the_list_names_every_reader_and_what_no_reader_takes(capsys: pytest.CaptureFixture[str]) -> None:
    from secondread.evals.bench.catalogue import UNREAD
    from secondread.serve.cli.main import main

    assert main(["eval", "list", "--json"]) == 0
    listed = {one["name"]: one["status"] for one in json.loads(capsys.readouterr().out)}
    assert listed == {r.name: r.status for r in READERS.values()} | dict.fromkeys(UNREAD, "none")
    assert not READERS.keys() & UNREAD.keys()
    with pytest.raises(UsageError, match="No reader takes"):
        reader("medvision")
