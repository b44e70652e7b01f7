"""Lexical figures through sacrebleu and rouge-score, and entity F1 through the project's own linker.

Lexical overlap is no measure of clinical truth; it is printed because published tables have it.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any


def bleu(pairs: Sequence[tuple[str, str]]) -> float:
    """Corpus BLEU, 0 to 1, of (said, truth) pairs, with sacrebleu's default tokens and lower case."""
    import sacrebleu

    found = sacrebleu.corpus_bleu([s for s, _ in pairs], [[t for _, t in pairs]], lowercase=True)
    return float(found.score) / 100.0


@cache
def _scorer() -> Any:
    from rouge_score import rouge_scorer

    return rouge_scorer.RougeScorer(["rougeL"], use_stemmer=False)


def rouge_l(said: str, truth: str) -> float:
    """ROUGE-L F measure of one pair."""
    return float(_scorer().score(truth, said)["rougeL"].fmeasure)


def entity_f1(said: str, truth: str) -> float | None:
    """F1 over (concept, negated) pairs that the linker finds; None when neither text names one."""
    a, b = _entities(said), _entities(truth)
    if not a and not b:
        return None
    return 2.0 * len(a & b) / (len(a) + len(b))


def _entities(text: str) -> set[tuple[str, bool]]:
    from secondread.kg.graph import core_graph
    from secondread.kg.link import mentions

    return {(m.concept, m.negated) for m in mentions(text, core_graph())}
