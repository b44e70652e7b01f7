"""Curves over severity, relative robustness, and the paired change at severity 3."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondread.evals.metrics import clopper_pearson, ece
from secondread.evals.out_of_fold import bootstrap_groups
from secondread.evals.robustness.corruptions import SEVERITIES
from secondread.schema.record import Record
from secondread.schema.units import Probability

Floats = NDArray[np.float64]
CLEAN = "clean"
JUDGED = 3
"""Severity of the target."""
ALLOWED_FALL = 0.03
LEAST_ANSWERED = 0.25
"""Of the answered share on clean images: an expert that answers less passes by silence, and fails."""
DRAWS = 1000


class Ask(Record):
    """One answer under the protocol."""

    case: str
    group: str
    corruption: str
    """`clean` with severity 0, or a name of `corruptions.STRENGTHS`."""
    severity: int
    answered: bool
    right: bool
    confidence: Probability | None = None
    error: float | None = None
    why: str = ""


Figures = dict[str, Any]


def part_figures(asks: Sequence[Ask]) -> Figures:
    """Answered share, accuracy of answered and of all, stated against found, error; for one corruption and severity."""
    n = len(asks)
    answered = [a for a in asks if a.answered]
    right = sum(a.right for a in answered)
    told: Figures = {
        "n": n,
        "answered": _share(len(answered), n),
        "accuracy_of_answered": _share(right, len(answered)),
        "accuracy_of_all": _share(right, n),
    }
    sure = [(a.confidence, a.right) for a in answered if a.confidence is not None]
    if sure:
        p, y = np.array([c for c, _ in sure], float), np.array([r for _, r in sure], bool)
        told["stated"] = float(p.mean())
        told["stated_less_found"] = float(p.mean() - y.mean())
        told["ece"] = ece(p, y)
    errors = [a.error for a in answered if a.error is not None]
    if errors:
        told["median_relative_error"] = float(np.median(errors))
    return told


def _share(hits: int, n: int) -> list[float] | None:
    """Share, Clopper-Pearson interval and n; None for n = 0."""
    return None if n == 0 else [hits / n, *clopper_pearson(hits, n), n]


def summary(asks: Sequence[Ask], draws: int = DRAWS) -> Figures:
    """All figures of one expert.

    Args:
        asks: Clean and corrupted, every case of a corrupted one also clean.
        draws: Bootstrap samples.
    """
    clean = {a.case: a for a in asks if a.corruption == CLEAN}
    names = list(dict.fromkeys(a.corruption for a in asks if a.corruption != CLEAN))
    told: Figures = {CLEAN: part_figures(list(clean.values())), "corruptions": {}}
    for name in names:
        found = {str(s): [a for a in asks if a.corruption == name and a.severity == s] for s in SEVERITIES}
        told["corruptions"][name] = {s: part_figures(part) for s, part in found.items() if part}
    told["pooled"] = {
        str(s): {
            **part_figures(part),
            "relative_robustness": relative_robustness(part, clean, draws),
            "paired_change": paired_change(part, clean, draws),
        }
        for s in SEVERITIES
        if (part := [a for a in asks if a.severity == s and a.corruption != CLEAN])
    }
    told["target"] = target(told)
    return told


def relative_robustness(part: Sequence[Ask], clean: dict[str, Ask], draws: int = DRAWS) -> list[float] | None:
    """1 - (clean - corrupted) / clean accuracy over all, no answer counting as wrong; 95 % bootstrap over groups."""
    rows = np.array([[_score(clean[a.case]), _score(a)] for a in part], float)
    if len(rows) == 0 or rows[:, 0].sum() == 0:
        return None
    return _bootstrapped(
        rows, [a.group for a in part], lambda d: float(d[:, 1].sum() / max(d[:, 0].sum(), 1e-9)), draws
    )


def _ratio(rows: Floats) -> float:
    before = float(rows[:, 0].sum())
    return float(rows[:, 1].sum()) / before if before else float("nan")


def paired_change(part: Sequence[Ask], clean: dict[str, Ask], draws: int = DRAWS) -> list[float] | None:
    """Accuracy of corrupted answers less that of the same images' clean answers, where both were given.

    Returns:
        [change, low, high, n pairs] with a 95 % bootstrap over groups; None without a pair.
    """
    both = [(clean[a.case], a) for a in part if a.answered and clean[a.case].answered]
    if not both:
        return None
    rows = np.array([[before.right, after.right] for before, after in both], float)
    groups = [after.group for _, after in both]
    return [*_bootstrapped(rows, groups, lambda d: float((d[:, 1] - d[:, 0]).mean()), draws), len(both)]


def _bootstrapped(rows: Floats, groups: Sequence[str], statistic: Callable[[Floats], float], draws: int) -> list[float]:
    return list(bootstrap_groups(rows, groups, statistic, draws=draws))


def _score(one: Ask) -> float:
    return float(one.answered and one.right)


def target(told: Figures) -> Figures:
    """Whether the fall at severity 3 stays within three points, and not by silence."""
    at = told["pooled"].get(str(JUDGED))
    before = (told[CLEAN]["answered"] or [0.0])[0]
    if at is None or at["paired_change"] is None:
        return {"met": False, "because": "nothing was answered both clean and at severity 3"}
    share, change = at["answered"][0], at["paired_change"][0]
    if share < LEAST_ANSWERED * before:
        return {"met": False, "because": f"only {share:.0%} answered, of {before:.0%} clean: silence is no robustness"}
    return {"met": change >= -ALLOWED_FALL, "because": f"paired change {change:+.3f}, {share:.0%} answered"}


def lines(name: str, asks: str, told: Figures) -> list[str]:
    """The report for a terminal."""
    out = [
        f"{name}: {asks}",
        f"  {'':<16} {'sev':>3}  {'answered':>24}  {'accuracy of answered':>24}  stated-found  ECE",
    ]
    out.append(_line(CLEAN, "-", told[CLEAN]))
    for corruption, by in told["corruptions"].items():
        out += [_line(corruption, s, part) for s, part in by.items()]
    for severity, part in told["pooled"].items():
        out.append(_line("pooled", severity, part))
    for severity, part in told["pooled"].items():
        out.append(
            f"  severity {severity}: relative robustness {_three(part['relative_robustness'])}, "
            f"paired change of answered {_three(part['paired_change'])}"
        )
    verdict = told["target"]
    word = "met" if verdict["met"] else "NOT MET"
    out.append(f"  target (paired fall at severity {JUDGED} <= 3 points): {word}, {verdict['because']}")
    return out


def _line(name: str, severity: str, part: Figures) -> str:
    off = part.get("stated_less_found")
    tail = f"{off:+12.3f}  {part['ece']:.3f}" if off is not None else f"{'-':>12}"
    answered, accuracy = _three(part["answered"]), _three(part["accuracy_of_answered"])
    return f"  {name:<16} {severity:>3}  {answered:>27}  {accuracy:>27}  {tail}"


def _three(found: list[float] | None) -> str:
    return (
        "-"
        if found is None
        else f"{found[0]:.3f} [{found[1]:.3f}, {found[2]:.3f}]" + (f" n {int(found[3])}" if len(found) == 4 else "")
    )
