"""Free wording -> what is asked: kind, concepts, polarity, side, threshold, choices. Rules only; no model."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from secondread.kg import patterns as say
from secondread.kg import reading
from secondread.kg.asked import Asked, Choice, Question
from secondread.kg.choices import read_choices, sized, split_choices
from secondread.kg.clauses import clauses, segments, strip_politeness
from secondread.kg.follow_up import follow_up
from secondread.kg.graph import Graph
from secondread.kg.link import Mention, mentions
from secondread.kg.quoted import own_words

MAX_CHARACTERS = 20_000
MAX_CLAUSE = 600
"""Characters of one clause that are read; wordings are matched by patterns whose cost grows with its square."""
MAX_CLAUSES = 40
CAPABILITIES = "capabilities_tool"
IMAGE_KIND = "image_kind_tool"
IMAGE_PLANE = "image_plane_tool"
STUDY_CONTENTS = "study_contents_tool"
SIMILAR_CASES = "similar_cases_tool"
LITERATURE = "literature_tool"
STORED_IMAGES = "find_images_tool"
_SHOWN = ("finding", "disease", "device")
"""Kinds of concepts that stored images may show."""
__all__ = ["Asked", "Choice", "Question", "parse"]


class _Read(NamedTuple):
    asked: list[Asked]
    unlinked: list[str] = []  # noqa: RUF012  # a NamedTuple default that nothing changes
    reason: str = ""
    topic: str = "all"


def parse(question: str, graph: Graph, choices: Sequence[str] | None = None) -> Question:
    """What a question asks.

    Args:
        question: Free text; multiple choice may be written into it ("A) yes B) no").
        graph: Whose concepts the words are linked to.
        choices: Answers to choose from; they take the place of any in the text.

    Returns:
        A question of kind `unknown` when nothing in it is understood, never an error.
    """
    stem, written = split_choices(own_words(question[:MAX_CHARACTERS]))
    options = list(choices) if choices else written
    parts: list[_Read] = []
    for clause in clauses(strip_politeness(stem))[:MAX_CLAUSES]:
        parts.append(_followed(clause[:MAX_CLAUSE], _clause(clause[:MAX_CLAUSE], graph), parts, graph))
    asked = list(dict.fromkeys(a for p in parts for a in p.asked))
    reasons = list(dict.fromkeys(p.reason for p in parts if p.reason))
    needs_prior = _PRIOR in reasons
    if needs_prior:
        asked = []
    if sized(options):
        asked = list(dict.fromkeys(_as_finding(a, graph) for a in asked))
    meant = (
        read_choices(
            options, graph, asked, lambda text: _clause(f"{stem[-MAX_CLAUSE:]} {text[:MAX_CLAUSE]}", graph).asked
        )
        if options
        else []
    )
    if meant and _names_no_number(meant) and asked and all(a.kind in ("value", "listing") for a in asked):
        asked = []
    if meant and not asked and not reasons:
        asked = _asked_by(meant)
        meant = read_choices(
            options, graph, asked, lambda text: _clause(f"{stem[-MAX_CLAUSE:]} {text[:MAX_CLAUSE]}", graph).asked
        )
    unlinked = tuple(dict.fromkeys(u for p in parts for u in p.unlinked)) if not meant or not asked else ()
    return Question(
        text=question,
        kind=("choice" if meant else asked[0].kind) if asked else ("presence" if unlinked else "unknown"),
        asked=tuple(asked),
        choices=tuple(meant),
        unlinked=unlinked,
        topic=next((p.topic for p in parts if p.topic != "all"), "all"),
        needs_prior=needs_prior,
        reason="; ".join(reasons) if not asked else "",
    )


def _action(low: str, clause: str, graph: Graph) -> Asked | None:
    """What is to be shown otherwise, and of which structure; None when nothing is."""
    if say.WINDOW.search(low):
        return Asked(kind="listing", concept="window_tool")
    if say.CONTRAST.search(low):
        return Asked(kind="listing", concept="contrast_tool")
    if say.ZOOM.search(low):
        places = [m.concept for m in mentions(clause, graph) if graph.concept(m.concept).kind == "anatomy"]
        if places:
            return Asked(kind="listing", concept="zoom_tool", structure=places[0])
    return None


def _as_finding(one: Asked, graph: Graph) -> Asked:
    """A number asked for with choices "normal" and "enlarged" is a question of the finding that it decides."""
    if graph.concept(one.concept).kind != "measurement":
        return one
    decided = [e.subject for e in graph.neighbors(one.concept, "assessed_by", "in") if "value" in e.qualifiers]
    return Asked(kind="presence", concept=decided[0]) if decided else one


_PRIOR = "it asks about change, which needs an earlier film of the same patient"


def _followed(clause: str, read: _Read, before: Sequence[_Read], graph: Graph) -> _Read:
    """A clause that asks nothing by itself, read as asking for more of what was asked before it."""
    if read.asked or read.reason:
        return read
    more = follow_up(_lowered(clause), [a for part in before for a in part.asked], graph)
    return _Read(more) if more else read


def _lowered(clause: str) -> str:
    return re.sub(r"\s+", " ", clause.lower().replace("\u2019", "'")).strip(" ?.!,:")


def _clause(clause: str, graph: Graph) -> _Read:
    low = _lowered(clause)
    if not low:
        return _Read([])
    if say.CHANGE.search(low):
        return _Read([], reason=_PRIOR)
    if say.IDENTITY.search(low):
        return _Read([], reason="it asks for personal data, which is never read from an image")
    if say.THERAPY.search(low):
        return _Read([], reason="it asks for treatment or outlook, which this program does not give")
    if say.SIMILAR.search(low):
        return _Read([Asked(kind="listing", concept=SIMILAR_CASES)])
    if say.LITERATURE.search(low):
        return _Read([Asked(kind="listing", concept=LITERATURE)])
    action = _action(low, clause, graph)
    if action is not None:
        return _Read([action])
    if say.STUDY.search(low):
        return _Read([Asked(kind="listing", concept=STUDY_CONTENTS)])
    if say.IMAGE_KIND.search(low):
        return _Read([Asked(kind="listing", concept=IMAGE_KIND)])
    if say.PLANE.search(low) and not re.search(r"\b(visuali[sz]ed|seen in)\b", low):
        return _Read([Asked(kind="listing", concept=IMAGE_PLANE)])
    if say.LISTING.search(low):
        return _Read([Asked(kind="listing", concept=CAPABILITIES)])
    if say.CONTRAST_AGENT.search(low):
        return _Read([], reason="it asks about a contrast agent, which no installed tool judges")
    found = mentions(clause, graph)
    if say.DESCRIBE.search(low) and not any(graph.concept(m.concept).kind in (*_SHOWN, "anatomy") for m in found):
        return _Read([Asked(kind="listing", concept=CAPABILITIES)])
    if say.STORED.search(low) and any(graph.concept(m.concept).kind in _SHOWN for m in found):
        return _Read([Asked(kind="listing", concept=STORED_IMAGES)])
    topic = _topic(low, found, graph)
    if topic and found:
        telling = found if topic == "relation" else _telling(found, graph)
        return _Read(list(dict.fromkeys(Asked(kind="knowledge", concept=m.concept) for m in telling)), topic=topic)
    if say.LOCATION.search(low):
        places = reading.places(found, graph)
        if places:
            return _Read(places)
    if say.COMPARISON.search(low):
        compared = reading.comparison(low, found)
        if compared:
            return _Read(compared)
    judged = reading.asks(clause.replace("\u2019", "'"), found, segments(clause), graph)
    if say.VALUE.search(low) and not (judged and re.match(r"(is|are|does|do|has)\b", low)):
        valued = reading.values(low, found, graph)
        if valued:
            return _Read(valued)
    if judged:
        return _Read(judged)
    film = reading.film_quality(low)
    if film:
        return _Read(film)
    if say.ABOUT_FILM.search(low):
        return _Read([reading.usability(low)])
    bare = reading.values(f"measure {low}", found, graph) if _names_a_number(found, graph) else []
    if bare:
        return _Read(bare)
    if found and re.search(r"\b(this|it|film|image|picture|x-?ray|chest)\b", low) and say.NORMAL.search(low):
        return _Read([Asked(kind="presence", concept="abnormality", polarity="absent")])
    if not found and say.ALL_NORMAL.search(low):
        return _Read([Asked(kind="presence", concept="abnormality", polarity="absent")])
    return _Read([], unlinked=reading.unlinked_phrases(low, found) if say.PRESENCE.search(low) else [])


def _names_a_number(found: Sequence[Mention], graph: Graph) -> bool:
    return any(graph.concept(m.concept).kind in ("measurement", "attribute") for m in found)


def _telling(found: Sequence[Mention], graph: Graph) -> list[Mention]:
    """Without plain structures and the word for the film, when something more telling is named."""
    strong = [
        m for m in found if graph.concept(m.concept).kind != "anatomy" and m.concept != "frontal_chest_radiograph"
    ]
    return strong or list(found)


def _topic(low: str, found: Sequence[Mention], graph: Graph) -> str:
    """What a knowledge question wants to know; empty for any other question."""
    if say.RELATION.search(low) and len({m.concept for m in found}) > 1:
        return "relation"
    if say.SUPPORT.search(low) and any(graph.concept(m.concept).kind in ("finding", "disease") for m in found):
        return "support"
    if say.LOOKS.search(low):
        return "meaning"
    if say.LIMITS.search(low):
        return "limits"
    if say.CAUSES.search(low):
        return "causes"
    if say.MEANING.search(low):
        return "meaning"
    if say.HOW_ASSESSED.search(low):
        return "assessment"
    if not say.KNOWLEDGE.search(low):
        return ""
    return "definition"


def _names_no_number(choices: Sequence[Choice]) -> bool:
    """Whether choices name findings although the stem alone asks for a number ("heart size: normal / enlarged")."""
    return any(c.concept for c in choices) and all(c.low is None and c.high is None for c in choices)


def _asked_by(choices: Sequence[Choice]) -> list[Asked]:
    """A list of choices without an understood question asks for the concepts that it names."""
    named = dict.fromkeys(c.concept for c in choices if c.concept)
    return [Asked(kind="presence", concept=c) for c in named]
