"""intake: quality gate and guards on every image, the question into propositions, and the reasons to stop at once."""

from typing import Any

from langgraph.runtime import Runtime

from secondread.agent.exemplars import SEARCH
from secondread.agent.hierarchy import with_parents
from secondread.agent.nodes.act import run_planned
from secondread.agent.nodes.second_gate import look_inside_frame
from secondread.agent.nodes.valid import FRONTAL, film_reason, header_reason, shut_out
from secondread.agent.planners.base import Proposition
from secondread.agent.propositions import FILM_FREE, asides, needs_image, propositions
from secondread.agent.run import Run
from secondread.agent.serving import fits, gates_of, serving
from secondread.agent.state import LoopState
from secondread.kg.questions import Question
from secondread.schema.evidence import Evidence
from secondread.schema.image import ImageInfo
from secondread.tools.runtime.calls import Call, plan

GATES = ("film_quality", "chest_film_guard")
"""Run on any single image that may be a film, so that a question no tool serves still gets the image's own reason."""


async def intake(state: LoopState, runtime: Runtime[Run]) -> dict[str, Any]:
    """Run the gates, read the question, and decide whether the loop may start."""
    run = runtime.context
    question = Question.model_validate(state["question"])
    props = propositions(question)
    if all(p.kind != "knowledge" for p in props):
        props = with_parents(props, run.graph)
    if state["images"]:
        props += asides(question, run.executor.catalogue.cards(), run.graph)
    new: dict[str, Evidence] = {}
    images = list(state["images"])
    filmed = film_propositions(props, run.infos[images[0]], run) if images else []
    if images and (filmed or (needs_image(question) and any(map(about_film, props))) or not props):
        calls = [
            Call(tool=name, args={"image": image})
            for image in images
            if run.infos[image].dimension == 2
            for name in GATES
            if name in run.executor.catalogue
        ]
        planned = plan(calls, {}, run.executor.catalogue, next_id=1, defaults=run.tool_defaults)
        run.emit("intake", "quality gate and guards")
        run.meter.calls += len(planned)
        for name in GATES:  # in turn: side by side, short tools spend their time waiting for each other's threads
            new |= await run_planned([c for c in planned if c.tool == name], new, run)
    known = header_reason(run.infos[images[0]]) if images else None
    if new and run.rethink and known is None and all(p.kind != "quality" for p in props):
        gates = tuple(n for n in GATES if n in run.executor.catalogue)
        images[0], new = await look_inside_frame(images[0], new, run, gates)
    new |= await found_alike(images, props, new, run)
    stop = stop_reason(question, props, filmed, images, new, run)
    if stop is None and images:
        props = [p.model_copy(update={"open": p.open and shut_out(p, images[0], new, run) is None}) for p in props]
    run.trace.add("intake", propositions=[p.model_dump(mode="json") for p in props], stop=stop)
    return {
        "images": images,
        "propositions": [p.model_dump(mode="json") for p in props],
        "evidence": {k: v.model_dump(mode="json") for k, v in new.items()},
        "beliefs": {},
        "stop": stop,
    }


async def found_alike(
    images: list[str], props: list[Proposition], evidence: dict[str, Evidence], run: Run
) -> dict[str, Evidence]:
    """Similar cases for a planner to learn from, where it is shown any; the built-in planner has no use for them."""
    wanted = run.exemplars and run.planner is not run.fallback and SEARCH in run.executor.catalogue
    if not wanted or not images or all(p.kind in FILM_FREE for p in props):
        return {}
    call = Call(tool=SEARCH, args={"image": images[0]})
    planned = plan([call], evidence, run.executor.catalogue, next_id=len(evidence) + 1, defaults=run.tool_defaults)
    run.meter.calls += len(planned)
    return await run_planned(planned, evidence, run)


def about_film(prop: Proposition) -> bool:
    """Whether a proposition asks about the film itself: its quality, or whether it is a chest film at all."""
    return prop.kind == "quality" or prop.concept == FRONTAL


def film_propositions(props: list[Proposition], info: ImageInfo, run: Run) -> list[Proposition]:
    """Propositions that only tools behind the film gates could answer, or no tool at all."""
    found = []
    cards = run.executor.catalogue.cards()
    for prop in props:
        if prop.kind in FILM_FREE or about_film(prop):
            continue
        names = serving(prop.concept, cards, run.graph, limits=False, structure=prop.structure)
        if not names and run.graph.has(prop.concept) and run.graph.concept(prop.concept).kind == "measurement":
            continue  # no tool takes this measure of any image: the graph says what is missing
        free = [n for n in names if n not in GATES and not gates_of([n], run.executor.catalogue)]
        if not any(fits(run.executor.catalogue.get(n).card, info) for n in free):
            found.append(prop)
    return found


def stop_reason(
    question: Question,
    props: list[Proposition],
    filmed: list[Proposition],
    images: list[str],
    gates: dict[str, Evidence],
    run: Run,
) -> str | None:
    """Why no tool should look any further, in plain words; None to go on."""
    if question.needs_prior or (not props and question.reason):
        return question.reason
    if not props:
        unlinked = f" ({', '.join(question.unlinked[:3])})" if question.unlinked else ""
        return f"nothing in the question{unlinked} is a concept that this program knows"
    if not needs_image(question):
        return None
    if not images:
        return "the question is about an image and none was given"
    asked = [p for p in props if p.kind not in FILM_FREE and not about_film(p)]
    if len(filmed) < len(asked) or not asked:
        return None
    found = film_reason(images[0], run.infos[images[0]], gates)
    return found[0] if found is not None else None
