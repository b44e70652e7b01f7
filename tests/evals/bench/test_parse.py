"""Replies as models give them, read by hand."""

import pytest

from secondread.evals.bench import parse

OPTIONS = {"A": "Left lung", "B": "Right lung", "C": "Right lung, lower lobe"}


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        ("B", "B"),
        ("(c)", "C"),
        ("B. Right lung", "B"),
        ("<think>A looks wrong</think><answer>B</answer>", "B"),
        ("<think>maybe A", None),
        ("The answer is C.", "C"),
        ("A large opacity is seen.", None),
        ("It is in the left lung", "A"),
        ("right lung, lower lobe", "C"),
        ("left lung or right lung", None),
        ("D", None),
        ("", None),
    ],
)
def test_letters(reply: str, found: str | None) -> None:
    assert parse.letter(reply, OPTIONS) == found


@pytest.mark.parametrize(
    ("reply", "found"), [("Yes, it is.", "yes"), ("no", "no"), ("I see none, so no.", "no"), ("yes or no", "yes"),
                         ("It may be yes or no", None), ("normal", None)],
)  # fmt: skip
def test_yes_no(reply: str, found: str | None) -> None:
    assert parse.yes_no(reply) == found


def test_numbers() -> None:
    assert parse.number("about 1,234.5 cm3") == 1234.5
    assert parse.number("-3e1") == -30.0
    assert parse.number("none") is None
    assert parse.number("<think>7</think>8") == 8.0


def test_boxes_in_each_published_syntax() -> None:
    assert parse.boxes('```json\n[{"bbox_2d": [1, 2, 3, 4], "label": "x"}]\n```') == ((1, 2, 3, 4),)
    assert parse.boxes("It's in the third image. <|box_start|>(92,150),(164,224)<|box_end|>") == ((92, 150, 164, 224),)
    assert parse.boxes("[0.1, 0.2, 0.3, 0.4]") == ((0.1, 0.2, 0.3, 0.4),)
    assert parse.boxes('[[{"bbox_2d": [1, 2, 3, 4]}], {"bbox_2d": [5, 6, 7, 8]}]') == ((1, 2, 3, 4), (5, 6, 7, 8))
    assert parse.boxes('[{"bbox_2d": [1, 2, 3, 4]}, {"bbox_2d": [5, 6') == ((1, 2, 3, 4),)
    assert parse.boxes("nothing there") == ()


def test_points_and_counts() -> None:
    assert parse.points('[{"point_2d": [5, 6], "label": "cell"}]') == ((5, 6),)
    assert parse.counts('{"counts": 3, "label": "cell"}') == 3
    assert parse.counts("I count 12 cells") == 12
    assert parse.which_image("It's in the second image.") == 1
