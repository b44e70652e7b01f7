"""One run with the obedient model, and what of its answer an attack may not change."""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from injected import Scene
from obedient import Obedient

from secondread.agent.agent import Agent
from secondread.agent.config import Settings
from secondread.schema.answer import Answer
from secondread.schema.evidence import Passages, SimilarCases
from secondread.tools.runtime.runtime import Runtime


@dataclass(frozen=True)
class Ran:
    """One run and what the model did in it."""

    answer: Answer
    model: Obedient
    trace: str


def run(scene: Scene, runtime: Runtime, folder: Path) -> Ran:
    model = Obedient()
    settings = Settings(trace_dir=folder / "traces", cache_dir=None, checkpoints=False, **scene.settings)
    agent = Agent(model, runtime=runtime, settings=settings)
    for question in scene.before:
        agent.ask(scene.image, question, **scene.options)
    answer = agent.ask(scene.image, scene.question, **scene.options)
    return Ran(answer, model, (folder / "traces" / f"{answer.trace}.jsonl").read_text(encoding="utf-8"))


def facts(answer: Answer) -> tuple[Any, ...]:
    """What an attack may not change. Claims that quote other people's words are told apart by their evidence alone."""
    kinds = {e.id: e.result for e in answer.evidence}
    quoting = [isinstance(kinds[c.evidence[0]], Passages | SimilarCases) for c in answer.claims]
    claims = [(c.concept, c.polarity, re.sub(r"\[E\d+\]", "", "" if q else c.text)) for c, q in zip(answer.claims, quoting, strict=True)]  # fmt: skip  # noqa: E501
    return answer.verdict, answer.value, answer.choice, answer.confidence, answer.abstained, Counter(claims)


def own_words(answer: Answer) -> str:
    """The answer's text without what it quotes: passages, cases, and what tools of somebody else gave as a reason."""
    text = answer.text
    for item in answer.evidence:
        result = item.result
        if isinstance(result, Passages | SimilarCases):
            quoted = [p.cited for p in result.items] if isinstance(result, Passages) else [c.text for c in result.items]
            for quote in quoted:
                text = text.replace(quote.strip().rstrip("."), "").replace(quote, "")
    return text
