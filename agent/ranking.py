"""Fixed sentences on a ranking: what was found for and against each explanation, side by side."""

from collections.abc import Mapping

from secondread.agent.judging.judgement import Judgement
from secondread.agent.wording import name_of
from secondread.kg.graph import Graph
from secondread.schema.evidence import Evidence, GraphPaths, RankedConcept

MAX_RANKED = 8
"""Explanations named in one answer; the rest stay in the evidence."""


def ranking(judged: Judgement, ledger: Mapping[str, Evidence], graph: Graph, *, weighed: bool) -> list[str]:
    """Sentences on the ranking that a judgement cites; none when there is none.

    Args:
        judged: Of a knowledge proposition.
        ledger: Evidence by id.
        graph: For names.
        weighed: The question asks what speaks for and against, so that nothing found is said too.
    """
    for key in judged.evidence:
        result = ledger[key].result if key in ledger else None
        if isinstance(result, GraphPaths) and result.ranked:
            if weighed:
                return [_for_and_against(one, key, graph) for one in result.ranked]
            names = [name_of(c.concept, graph) for c in result.ranked[:MAX_RANKED]]
            rows = [
                _for_and_against(c, key, graph)
                for c in result.ranked[:MAX_RANKED]
                if c.present or c.opposed or c.missing
            ]
            order = "by what was found and by the relations known" if rows else "by the relations known"
            return [f"Possible explanations, ordered {order}, none of them shown: {', '.join(names)} [{key}].", *rows]
    return []


def _for_and_against(one: RankedConcept, key: str, graph: Graph) -> str:
    """Both sides of one explanation; the finding itself is said to be found or not found."""
    name = name_of(one.concept, graph)
    found = ", ".join("it was found itself" if c == one.concept else name_of(c, graph) for c in one.present)
    against = [name_of(c, graph) for c in one.opposed]
    against += ["it was not found itself" if c == one.concept else f"no {name_of(c, graph)}" for c in one.missing]
    text = f"{name[0].upper()}{name[1:]}: for it {found or 'nothing that was looked at'}; "
    text += f"against it {', '.join(against) or 'nothing that was looked at'} [{key}]."
    if one.present and against:
        text += " Both stand; they are not set off against each other."
    return text
