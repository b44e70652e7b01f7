"""What sentences assert of a finding."""

import pytest

from secondread.kg.text.assertion import judge, rules


def said(sentence: str, mention: str) -> str:
    start = sentence.lower().index(mention.lower())
    return judge(sentence, start, start + len(mention)).assertion


@pytest.mark.parametrize(
    ("sentence", "mention", "assertion"),
    [
        ("No pleural effusion.", "pleural effusion", "absent"),
        ("No focal consolidation, effusion, or pneumothorax.", "pneumothorax", "absent"),
        ("No focal consolidation, effusion, or pneumothorax.", "effusion", "absent"),
        ("There is no evidence of pneumothorax but a large effusion.", "pneumothorax", "absent"),
        ("There is no evidence of pneumothorax but a large effusion.", "effusion", "present"),
        ("No change in the effusion.", "effusion", "present"),
        ("Not only effusion but also edema.", "effusion", "present"),
        ("Pneumothorax was ruled out.", "Pneumothorax", "absent"),
        ("Rule out pneumothorax.", "pneumothorax", "uncertain"),
        ("Effusion cannot be excluded.", "Effusion", "uncertain"),
        ("Possible small effusion.", "effusion", "uncertain"),
        ("r/o pneumonia", "pneumonia", "uncertain"),
        ("History of pneumonia.", "pneumonia", "historical"),
        ("s/p lobectomy", "lobectomy", "historical"),
        ("Mother had tuberculosis.", "tuberculosis", "family"),
        ("Small left effusion.", "effusion", "present"),
        ("NO PNEUMOTHORAX IS SEEN.", "PNEUMOTHORAX", "absent"),
        ("The lungs are clear. Edema is new.", "Edema", "present"),
        ("Without change, the effusion persists.", "effusion", "present"),
        ("Pneumonia, no effusion.", "Pneumonia", "present"),
        ("The heart is enlarged; there is no edema.", "enlarged", "present"),
        ("No edema: effusion on the left.", "effusion", "present"),
    ],
)
def test_phrases_act_within_their_reach(sentence: str, mention: str, assertion: str) -> None:
    assert said(sentence, mention) == assertion


def test_the_phrase_that_decides_is_named() -> None:
    assert judge("No evidence of edema.", 15, 20).rule == "no evidence of"


@pytest.mark.parametrize("sentence", ["", "___", "\x00\x00", "\U0001f600" * 50, "no " * 5000, "н" * 500])
def test_any_text_is_read(sentence: str) -> None:
    judge(sentence, 0, min(3, len(sentence)))


def test_every_phrase_is_quoted_text() -> None:
    assert all(words for phrases in rules().by_first.values() for words, _, _ in phrases)
