"""Pictures of a run: what was asked about, and what its cited evidence shows on it."""

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from secondread.schema.answer import Answer
from secondread.schema.errors import SecondReadError
from secondread.schema.evidence import DerivedImage, Evidence
from secondread.serve.report.blocks import Figure

if TYPE_CHECKING:
    from secondread.agent.agent import Agent

LONG_SIDE = 720
"""Pixels of the longer side of an embedded picture."""
MAX_FIGURES = 12
REPLAYED = ("region", "measurement", "finding", "image")
"""Kinds of evidence whose masks and derived images a report of an earlier run makes again."""


def png(picture: Any, long_side: int = LONG_SIDE) -> bytes:
    """A picture as PNG bytes, made smaller where it is larger than `long_side` pixels."""
    shown = picture.convert("RGB")
    shown.thumbnail((long_side, long_side))
    buffer = io.BytesIO()
    shown.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def figures(agent: "Agent", answer: Answer) -> list[Figure]:
    """The asked images, then the overlay of each cited piece of evidence and of each closer look.

    What has left the agent's image store, or shows nothing on an image, is left out.
    """
    from secondread.imaging.draw.render import thumbnail

    store = agent.runtime.store
    asked = [i for i in dict.fromkeys(e.image for e in answer.evidence) if i is not None and i in store]
    made = [
        Figure(name=i, caption=f"Asked about: {i}", png=png(thumbnail(store.pixels(i), LONG_SIDE)))
        for i in asked
        if store.info(i).ref.parent is None and store.info(i).dimension == 2
    ]
    cited = {e for c in answer.claims for e in c.evidence}
    for item in answer.evidence:
        if len(made) >= MAX_FIGURES or (item.id not in cited and item.kind != "image"):
            continue
        try:
            made.append(Figure(name=item.id, caption=f"{item.id} {item.tool}: {item.summary}", png=png(item.overlay())))
        except SecondReadError:
            continue
    return made


def again(agent: "Agent", answer: Answer, events: Sequence[Mapping[str, Any]]) -> Answer:
    """The answer of an earlier run whose evidence can be drawn again, as far as its images are where they were.

    Images are read from the files that the run kept beside the traces; masks and closer looks come from the kept
    results, or are made again by the same tools. What comes out otherwise than recorded is not drawn.
    """
    from functools import partial

    from secondread.agent.durable.private import read_sources
    from secondread.agent.painter import paint
    from secondread.agent.sources import Stated, hand_over

    head = events[0]
    folder = agent.settings.trace_dir
    if folder is None or not head["images"]:
        return answer
    kept = read_sources(folder, head["run"])
    paths = kept.get("image")
    if not paths:
        return answer
    image = paths[0] if len(paths) == 1 else paths
    prior = (kept.get("prior") or [None])[0]
    try:
        handed = hand_over(agent.runtime.store, image, prior, Stated(**kept["stated"]), films=_films(agent, head))
    except SecondReadError:
        return answer
    if [i.ref.id for i in handed.infos] != [i["ref"]["id"] for i in head["images"]]:
        return answer
    same = agent.runtime.submit(_repeated(agent, events)).result()
    for item in answer.evidence:
        if item.id in same:
            item._painter = partial(paint, ledger=answer.evidence, store=agent.runtime.store)
    return answer


def _films(agent: "Agent", head: Mapping[str, Any]) -> bool:
    from secondread.agent.serving import wants_film
    from secondread.kg.asked import Question
    from secondread.kg.graph import core_graph

    return wants_film(Question.model_validate(head["question"]).concepts, agent.runtime.catalogue, core_graph())


async def _repeated(agent: "Agent", events: Iterable[Mapping[str, Any]]) -> set[str]:
    """Ids of the evidence that comes out as it was recorded."""
    from secondread.tools.runtime.calls import PlannedCall

    ledger: dict[str, Evidence] = {}
    same: set[str] = set()
    for event in events:
        if event["type"] != "result":
            continue
        recorded = Evidence.model_validate(event["evidence"])
        ledger[recorded.id] = recorded
        call = PlannedCall.model_validate(event["call"])
        if recorded.kind not in REPLAYED or call.tool not in agent.runtime.catalogue:
            continue
        if recorded.image not in agent.runtime.store:
            continue
        made, _ = await agent.runtime.execute(call, ledger)
        if made.result == recorded.result or isinstance(made.result, DerivedImage):
            same.add(recorded.id)
    return same
