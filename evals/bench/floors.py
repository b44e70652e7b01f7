"""Subjects that never look: the most frequent answer, and the most frequent answer of the question's text.

With a training split both are fitted on it. Without one, `majority` is that of the items themselves (the best any
constant answer could do, so it flatters the floor and never the subject), and `question_only` learns from the items of
all other groups, so that no item sees its own answer.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence

from secondread.evals.bench.item import Item, Prediction
from secondread.evals.bench.parse import normal


def key_of(item: Item) -> str:
    """The answer as one text: the letter, the word, or the joined labels."""
    if item.kind in ("box", "point"):
        return repr(item.boxes or item.points)
    return "|".join(sorted(item.answer)) if item.kind == "labels" else item.answer[0] if item.answer else ""


def family(item: Item) -> str:
    """Items that share their set of answers: the majority is taken within."""
    if item.kind == "labels":
        return "labels:" + "|".join(item.options)
    return item.strata.get("answer_type") or item.kind


class Counts:
    """Answers of items, by family and by question text."""

    def __init__(self, items: Sequence[Item]) -> None:
        self.by_family: dict[str, Counter[str]] = defaultdict(Counter)
        self.by_question: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        for item in items:
            answer = folded(item)
            self.by_family[family(item)][answer] += 1
            self.by_question[family(item), normal(item.question)][answer] += 1

    def majority(self, item: Item) -> str | None:
        """The most frequent answer of the item's family."""
        return top(self.by_family[family(item)])

    def of_question(self, item: Item, without: "Counts | None" = None) -> str | None:
        """The most frequent answer of the same question, else of the family; answers of `without` are taken out."""
        asked = (family(item), normal(item.question))
        same, near = self.by_question[asked], self.by_family[family(item)]
        if without is not None:
            same, near = same - without.by_question[asked], near - without.by_family[family(item)]
        return top(same) or top(near)


def folded(item: Item) -> str:
    """The answer as it is counted: letters as they are, texts without case and punctuation."""
    return key_of(item) if item.kind in ("choice", "labels", "box", "point") else normal(key_of(item))


def top(counts: Counter[str]) -> str | None:
    """The most frequent entry; of equals the first in order of the alphabet, so that runs agree."""
    return min(counts, key=lambda a: (-counts[a], a)) if counts else None


def said(item: Item, subject: str, answer: str | None) -> Prediction:
    """The floor's answer as a prediction."""
    if answer is None:
        return Prediction(item=item.id, subject=subject, unparsed=True)
    if item.kind == "labels":
        return Prediction(item=item.id, subject=subject, text=answer, labels=tuple(answer.split("|")))
    if item.kind in ("box", "point"):
        import ast

        found = tuple(tuple(map(float, p)) for p in ast.literal_eval(answer))
        given = {"boxes": found} if item.kind == "box" else {"points": found}
        return Prediction.model_validate({"item": item.id, "subject": subject, "text": answer, **given})
    return Prediction(item=item.id, subject=subject, text=answer, answer=answer)


def majority(items: Sequence[Item], train: Sequence[Item] | None) -> list[Prediction]:
    """The constant answer per family."""
    counts = Counts(train if train is not None else items)
    return [said(i, "majority", counts.majority(i)) for i in items]


def question_only(items: Sequence[Item], train: Sequence[Item] | None) -> list[Prediction]:
    """The most frequent answer of the question's text, from the training split or from the other groups."""
    if train is not None:
        counts = Counts(train)
        return [said(i, "question_only", counts.of_question(i)) for i in items]
    counts, own = Counts(items), {}
    groups: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        groups[item.group].append(item)
    own = {group: Counts(part) for group, part in groups.items()}
    return [said(i, "question_only", counts.of_question(i, own[i.group])) for i in items]
