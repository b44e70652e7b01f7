"""The figures of one subject over its scored rows, the same for every benchmark."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from secondread.evals.bench.figures import Floats, mean_figure, plain, share_figure, statistic_figure
from secondread.evals.bench.item import Figure, Scored
from secondread.evals.bench.score import overlap, relative_accuracy, token_f1
from secondread.evals.metrics import brier, ece, ece_when_perfect

ADAPTIVE_BINS = 10
AGE_BANDS = (0, 18, 40, 65, 80)
"""Lower ends of the age bands, years."""
SMALLEST_STRATUM = 5
"""Items below which a stratum is not printed."""


def figures(rows: Sequence[Scored]) -> list[Figure]:
    """Accuracy, answered share, failures, confidence, texts, numbers, boxes, cost; each where it applies."""
    n = len(rows)
    scores, groups = [r.score for r in rows], [r.item.group for r in rows]
    answered = [r for r in rows if r.prediction.answered]
    found = [mean_figure("accuracy over all items (no answer counts as wrong)", scores, groups)]
    binary = all(s in (0.0, 1.0) for s in scores)
    if binary:
        found.append(share_figure("accuracy, items taken as independent", int(sum(scores)), n))
    found += [
        share_figure("answered share", len(answered), n),
        mean_figure("accuracy of answered", [r.score for r in answered], [r.item.group for r in answered]),
        share_figure("abstained", sum(r.prediction.abstained for r in rows), n),
        share_figure("unparsed replies", sum(r.prediction.unparsed and not r.prediction.abstained for r in rows), n),
        share_figure("failed", sum(r.prediction.error is not None for r in rows), n),
    ]
    found += _classes(rows)
    found += confidence_figures([(r.prediction.confidence, r.score, r.item.group) for r in answered])
    found += _texts(answered)
    found += _numbers(rows)
    found += _boxes(rows)
    seconds = [r.prediction.seconds for r in rows]
    found += [
        plain("seconds per item, mean", float(np.mean(seconds)), n),
        plain("seconds per item, 95th percentile", float(np.quantile(seconds, 0.95)), n),
        plain("calls per item, mean", float(np.mean([r.prediction.calls for r in rows])), n),
        plain("tokens per item, mean", float(np.mean([r.prediction.tokens for r in rows])), n),
    ]
    return found


def _classes(rows: Sequence[Scored]) -> list[Figure]:
    """Macro F1 of yes/no items and of items with the same few options."""
    from sklearn.metrics import f1_score

    found = []
    part = [r for r in rows if r.item.kind == "yes_no"]
    if part:
        truth = [r.item.answer[0] for r in part]
        said = [(r.prediction.answer or "none") if r.prediction.answered else "none" for r in part]
        codes = np.array([[_code(t), _code(s)] for t, s in zip(truth, said, strict=True)], float)

        def macro(d: Floats) -> float:
            return float(f1_score(d[:, 0], d[:, 1], labels=[0, 1], average="macro", zero_division=0.0))

        found.append(statistic_figure("macro F1 of yes/no", codes, [r.item.group for r in part], macro, 200))
        rights = [t == "yes" for t in truth]
        for name, wanted in (("sensitivity", "yes"), ("specificity", "no")):
            hits = sum(s == wanted for t, s in zip(truth, said, strict=True) if t == wanted)
            found.append(
                share_figure(f"{name} (yes/no)", hits, sum(rights) if wanted == "yes" else len(rights) - sum(rights))
            )
        found += _auroc(part)
    return found


def _code(word: str) -> float:
    return {"no": 0.0, "yes": 1.0}.get(word, 2.0)


def _auroc(part: Sequence[Scored]) -> list[Figure]:
    """AUROC of P(yes), where the subject states a confidence."""
    from sklearn.metrics import roc_auc_score

    said = [r for r in part if r.prediction.answered and r.prediction.confidence is not None]
    if len({r.item.answer[0] for r in said}) < 2:
        return []
    rows = np.array([[p_yes(r), r.item.answer[0] == "yes"] for r in said], float)

    def area(d: Floats) -> float:
        return float(roc_auc_score(d[:, 1], d[:, 0])) if 0 < d[:, 1].sum() < len(d) else float("nan")

    return [statistic_figure("AUROC of P(yes), answered", rows, [r.item.group for r in said], area, 200)]


def p_yes(row: Scored) -> float:
    """P(yes) from answer and confidence."""
    sure = row.prediction.confidence or 0.0
    return sure if row.prediction.answer == "yes" else 1.0 - sure


def confidence_figures(rows: Sequence[tuple[float | None, float, str]]) -> list[Figure]:
    """Calibration of P(right): Brier, NLL, ECE, AURC. Rows: confidence, score, group."""
    with_one = [(c, s, g) for c, s, g in rows if c is not None]
    found = [share_figure("answers with a confidence", len(with_one), len(rows))] if rows else []
    if not with_one:
        return found
    pairs = np.array([[c, s >= 1.0] for c, s, _ in with_one], float)
    groups = [g for _, _, g in with_one]
    low, high = ece_when_perfect(pairs[:, 0], draws=500)
    return [
        *found,
        statistic_figure("Brier of P(right)", pairs, groups, lambda d: brier(d[:, 0], d[:, 1] > 0.5), 300),
        statistic_figure("negative log-likelihood of P(right)", pairs, groups, nll, 300),
        Figure(
            name="ECE, equal widths",
            value=ece(pairs[:, 0], pairs[:, 1] > 0.5),
            low=low,
            high=high,
            n=len(pairs),
            method="range that a perfectly calibrated model of these confidences would show",
        ),
        plain("ECE, equal counts", adaptive_ece(pairs), len(pairs)),
        statistic_figure("area under risk-coverage", pairs, groups, aurc, 300),
    ]


def nll(pairs: Floats) -> float:
    """Mean negative log-likelihood, probabilities clipped to [1e-6, 1 - 1e-6]."""
    p = np.clip(pairs[:, 0], 1e-6, 1 - 1e-6)
    return float(-np.mean(pairs[:, 1] * np.log(p) + (1 - pairs[:, 1]) * np.log(1 - p)))


def adaptive_ece(pairs: Floats, bins: int = ADAPTIVE_BINS) -> float:
    """ECE over bins of equal counts (Nixon et al. 2019)."""
    order = pairs[np.argsort(pairs[:, 0], kind="stable")]
    parts = [p for p in np.array_split(order, min(bins, len(order))) if len(p)]
    return float(sum(len(p) * abs(p[:, 0].mean() - p[:, 1].mean()) for p in parts) / len(order))


def risk_coverage(pairs: Floats) -> list[tuple[float, float]]:
    """(coverage, risk) when the surest are answered first; equal confidences are answered together."""
    order = pairs[np.argsort(-pairs[:, 0], kind="stable")]
    wrong = np.cumsum(1 - order[:, 1])
    ends = [i for i in range(len(order)) if i == len(order) - 1 or order[i, 0] != order[i + 1, 0]]
    return [((i + 1) / len(order), float(wrong[i]) / (i + 1)) for i in ends]


def aurc(pairs: Floats) -> float:
    """Area under the risk-coverage curve as a step function (Geifman and El-Yaniv 2017)."""
    area, before = 0.0, 0.0
    for coverage, risk in risk_coverage(pairs):
        area += (coverage - before) * risk
        before = coverage
    return area


def _texts(answered: Sequence[Scored]) -> list[Figure]:
    part = [r for r in answered if r.item.kind in ("open", "report") and r.prediction.answer]
    if not part:
        return []
    from secondread.evals.bench.text_metrics import bleu, entity_f1, rouge_l

    pairs = [(r.prediction.answer or "", r.item.answer[0]) for r in part]
    groups = [r.item.group for r in part]
    found = [
        mean_figure("token F1 of texts", [token_f1(s, t) for s, t in pairs], groups),
        mean_figure("ROUGE-L of texts", [rouge_l(s, t) for s, t in pairs], groups),
        plain("BLEU of texts (corpus)", bleu(pairs), len(pairs)),
    ]
    entities = [f for s, t in pairs if (f := entity_f1(s, t)) is not None]
    if entities:
        found.append(
            plain("entity F1 by the linker (texts that name an entity)", float(np.mean(entities)), len(entities))
        )
    return found


def _numbers(rows: Sequence[Scored]) -> list[Figure]:
    from secondread.evals.bench.parse import number

    part = [r for r in rows if r.item.kind in ("number", "count")]
    if not part:
        return []
    pairs = [
        (number(r.prediction.answer or "") if r.prediction.answered else None, number(r.item.answer[0])) for r in part
    ]
    groups = [r.item.group for r in part]
    found = [mean_figure("mean relative accuracy of numbers", [relative_accuracy(s, t) for s, t in pairs], groups)]
    for tolerance in (0.05, 0.10, 0.20, 0.50):
        hits = sum(s is not None and t is not None and abs(s - t) <= tolerance * abs(t) for s, t in pairs)
        found.append(share_figure(f"numbers within {tolerance:.0%}", hits, len(pairs)))
    errors = [(abs(s - t), g) for (s, t), g in zip(pairs, groups, strict=True) if s is not None and t is not None]
    found.append(share_figure("success rate of numbers", len(errors), len(pairs)))
    found.append(mean_figure("mean absolute error of read numbers", [e for e, _ in errors], [g for _, g in errors]))
    spans = [(r.prediction.meta.get("interval"), t) for r, (_, t) in zip(part, pairs, strict=True)]
    covered = [i[0] <= t <= i[1] for i, t in spans if i and t is not None]
    if covered:
        found.append(share_figure("coverage of stated intervals", sum(covered), len(covered)))
    return found


def _boxes(rows: Sequence[Scored]) -> list[Figure]:
    part = [r for r in rows if r.item.kind == "box"]
    if not part:
        return []
    found = [overlap(r.item.boxes, r.prediction.boxes) for r in part]
    groups = [r.item.group for r in part]
    return [
        mean_figure("mean IoU of boxes", found, groups),
        *(share_figure(f"IoU at {t}", sum(o >= t for o in found), len(found)) for t in (0.3, 0.5, 0.7)),
    ]


def strata(rows: Sequence[Scored]) -> dict[str, list[dict[str, Any]]]:
    """Accuracy and answered share by every stratum that is known, with at least `SMALLEST_STRATUM` items."""
    found: dict[str, list[dict[str, Any]]] = {}
    known = [(row, strata_of(row)) for row in rows]
    for name in sorted({k for _, held in known for k, v in held.items() if v}):
        parts: dict[str, list[Scored]] = defaultdict(list)
        for row, held in known:
            if held.get(name):
                parts[held[name]].append(row)
        if not 1 < len(parts) <= 60:
            continue
        table = []
        for value, part in sorted(parts.items()):
            if len(part) < SMALLEST_STRATUM:
                continue
            accuracy = mean_figure(value, [r.score for r in part], [r.item.group for r in part])
            share = sum(r.prediction.answered for r in part) / len(part)
            table.append({**accuracy.model_dump(mode="json"), "answered": share})
        if len(table) > 1:
            found[name] = table
    return found


def strata_of(row: Scored) -> dict[str, str]:
    """Strata of an item, its age as a band."""
    held = dict(row.item.strata)
    text = held.pop("age", "")
    years = row.item.age
    if years is None and text:
        try:
            years = float(text)
        except ValueError:
            held["age"] = text
    if years is not None:
        held["age band"] = next(
            (f"{a} to {b - 1}" for a, b in pairwise(AGE_BANDS) if a <= years < b), f"{AGE_BANDS[-1]}+"
        )
    return held


def confusion(rows: Sequence[Scored]) -> dict[str, Any] | None:
    """Truth against answer for yes/no and lettered items, abstention and failure as columns of their own."""
    part = [r for r in rows if r.item.kind in ("yes_no", "choice")]
    if not part:
        return None

    def said(row: Scored) -> str:
        made = row.prediction
        return (made.answer or "unparsed") if made.answered else "abstained" if made.abstained else "failed or unparsed"

    counts = Counter((r.item.answer[0], said(r)) for r in part)
    truths, answers = sorted({t for t, _ in counts}), sorted({s for _, s in counts})
    return {"truth": truths, "said": answers, "counts": [[counts[t, s] for s in answers] for t in truths]}
