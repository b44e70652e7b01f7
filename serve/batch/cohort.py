"""Figures of a whole batch, gathered row by row: prevalence, distributions, agreement, abstention, drift, failures."""

from array import array
from collections import Counter, defaultdict
from itertools import combinations
from typing import TYPE_CHECKING, Any

from secondread.serve.batch.drift import drift
from secondread.serve.batch.figures import Distribution, kappa, share
from secondread.serve.batch.rows import Row, kind_of

if TYPE_CHECKING:
    from secondread.serve.batch.work import Job

MOST_REASONS = 8
"""Reasons listed for one question; the rest is summed up."""
OTHER = "other"
VERDICTS = ("yes", "no", "indeterminate")
Says = dict[tuple[str, str], str]


class Cohort:
    """Takes rows in the order of the cases.

    Args:
        job: Names the questions.
    """

    def __init__(self, job: "Job") -> None:
        self._questions: dict[str, str] = {q.id: q.question for q in job.questions}
        self._kinds: dict[str, Counter[str]] = defaultdict(Counter)
        self._verdicts: dict[str, Counter[str]] = defaultdict(Counter)
        self._choices: dict[str, Counter[str]] = defaultdict(Counter)
        self._reasons: dict[str, Counter[str]] = defaultdict(Counter)
        self._errors: Counter[str] = Counter()
        self._failures: Counter[tuple[str, str]] = Counter()
        self._claims: dict[str, Counter[str]] = defaultdict(Counter)
        self._values: dict[tuple[str, str, str], Distribution] = defaultdict(Distribution)
        self._limits: dict[tuple[str, str, str], float] = {}
        self._agree: dict[tuple[str, str, str], Counter[tuple[str, str]]] = defaultdict(Counter)
        self._calibrated: dict[str, Counter[str]] = defaultdict(Counter)
        self._uncertain: dict[str, array[float]] = defaultdict(lambda: array("d"))
        self._cases = 0
        self._key = ""
        self._said: Says = {}
        self._seen: set[tuple[Any, ...]] = set()

    def add(self, row: Row) -> None:
        """Add a row; rows of one case follow each other."""
        if row["key"] != self._key:
            self._close()
            self._key = row["key"]
            self._cases += 1
        name, kind = row["question_id"], kind_of(row)
        self._questions.setdefault(name, row["question"])
        self._kinds[name][kind] += 1
        if kind == "failed":
            self._errors[row["error"]["code"]] += 1
            return
        if kind == "skipped":
            return
        if kind == "abstained":
            _count(self._reasons[name], row["reason"] or "no reason given")
        if row["verdict"] is not None:
            self._verdicts[name][row["verdict"]] += 1
        if row["choice"] is not None:
            _count(self._choices[name], row["choice"])
        for one in row["tool_failures"]:
            self._failures[one["tool"], one["code"]] += 1
        for claim in row["claims"]:
            if self._new("claim", claim["concept"]):
                self._claims[claim["concept"]][claim["polarity"]] += 1
        for one in row["measurements"]:
            if one["value"] is not None and self._new("value", one["tool"], one["name"], one["structure"]):
                self._measured(one)
        for one in row["findings"]:
            if one["says"] in ("present", "absent"):
                self._said[one["concept"], one["tool"]] = one["says"]

    def _new(self, *what: Any) -> bool:
        """Whether this was not counted for the case yet: two questions to a case often rest on one measurement."""
        if what in self._seen:
            return False
        self._seen.add(what)
        return True

    def _measured(self, one: Row) -> None:
        place = (one["name"], one["structure"] or "", one["unit"])
        self._values[place].add(one["value"])
        if one["threshold"] is not None:
            self._limits[place] = one["threshold"]
            self._said[one["concept"], one["tool"]] = one["says"]
        if one["calibration"] is not None:
            self._calibrated[one["calibration"]][one["says"] or "value"] += 1
            if one["uncertainty"] is not None:
                self._uncertain[one["calibration"]].append(one["uncertainty"])

    def _close(self) -> None:
        """The rows of a case are all there: compare what its tools said of one concept."""
        by_concept: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for (concept, tool), says in self._said.items():
            by_concept[concept].append((tool, says))
        for concept, said in by_concept.items():
            for (one, first), (other, second) in combinations(sorted(said), 2):
                self._agree[concept, one, other][first, second] += 1
        self._said.clear()
        self._seen.clear()

    def figures(self) -> dict[str, Any]:
        """Everything, as JSON values."""
        self._close()
        return {
            "cases": self._cases,
            "questions": [self._question(name, text) for name, text in self._questions.items()],
            "concepts": {name: dict(found) for name, found in sorted(self._claims.items())},
            "measurements": [
                {"name": name, "structure": structure or None, "unit": unit,
                 "threshold": self._limits.get((name, structure, unit)), **found.figures()}
                for (name, structure, unit), found in sorted(self._values.items())
            ],
            "agreement": [
                {"concept": concept, "tools": [one, other], "cases": sum(pairs.values()),
                 "agreed": share(sum(c for (a, b), c in pairs.items() if a == b), sum(pairs.values())),
                 "kappa": kappa(pairs)}
                for (concept, one, other), pairs in sorted(self._agree.items())
            ],
            "drift": [
                drift(name, found, self._uncertain.get(name, ())) for name, found in sorted(self._calibrated.items())
            ],
            "errors": dict(self._errors.most_common()),
            "tool_failures": [{"tool": t, "code": c, "count": n} for (t, c), n in self._failures.most_common()],
        }  # fmt: skip

    def _question(self, name: str, text: str) -> dict[str, Any]:
        kinds, verdicts = self._kinds[name], self._verdicts[name]
        asked = kinds["answered"] + kinds["abstained"]
        return {
            "id": name,
            "question": text,
            **{kind: kinds[kind] for kind in ("answered", "abstained", "skipped", "failed")},
            "verdicts": {word: verdicts[word] for word in VERDICTS},
            "prevalence": share(verdicts["yes"], verdicts["yes"] + verdicts["no"]),
            "choices": dict(self._choices[name].most_common()),
            "abstention": share(kinds["abstained"], asked),
            "reasons": dict(self._reasons[name].most_common()),
        }


def _count(counter: Counter[str], word: str) -> None:
    """Count a word; a new one beyond the most that are listed counts as other."""
    counter[word if word in counter or len(counter) < MOST_REASONS else OTHER] += 1
