"""intake: quality gate and guards on every image, the question into propositions, and the reasons to stop at once."""

from typing import Any

from langgraph.runtime import Runtime

from secondread.agent.nodes.act import run_planned
from secondread.agent.nodes.second_gate import FRONTAL, look_inside_frame
from secondread.agent.planners.base import Proposition
from secondread.agent.propositions import needs_image, propositions
from secondread.agent.run import Run
from secondread.agent.state import LoopState
from secondread.kg.questions import Question
from secondread.schema.evidence import Evidence, Findings, QualityReport
from secondread.schema.image import ImageInfo
from secondread.tools.runtime.calls import Call, plan

OTHER_MODALITIES = ("CT", "MR", "US", "PT", "NM", "XA", "MG", "OP", "ES", "SM")
"""DICOM modalities that never hold a chest film."""
GATES = ("film_quality", "chest_film_guard")


async def intake(state: LoopState, runtime: Runtime[Run]) -> dict[str, Any]:
    """Run the gates, read the question, and decide whether the loop may start."""
    run = runtime.context
    question = Question.model_validate(state["question"])
    props = propositions(question)
    new: dict[str, Evidence] = {}
    if state["images"] and (needs_image(question) or not props):
        calls = [
            Call(tool=name, args={"image": image})
            for image in state["images"]
            for name in GATES
            if name in run.executor.catalogue
        ]
        planned = plan(calls, {}, run.executor.catalogue, next_id=1, defaults=run.tool_defaults)
        run.emit("intake", "quality gate and guards")
        run.meter.calls += len(planned)
        new = await run_planned(planned, {}, run)
    images = list(state["images"])
    known = header_reason(run.infos[images[0]]) if images else None
    if new and run.rethink and known is None and all(p.kind != "quality" for p in props):
        gates = tuple(n for n in GATES if n in run.executor.catalogue)
        images[0], new = await look_inside_frame(images[0], new, run, gates)
    stop = stop_reason(question, props, images, list(new.values()), run)
    run.trace.add("intake", propositions=[p.model_dump(mode="json") for p in props], stop=stop)
    return {
        "images": images,
        "propositions": [p.model_dump(mode="json") for p in props],
        "evidence": {k: v.model_dump(mode="json") for k, v in new.items()},
        "beliefs": {},
        "stop": stop,
    }


def stop_reason(
    question: Question, props: list[Proposition], images: list[str], gates: list[Evidence], run: Run
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
    about_film = all(p.kind == "quality" or p.concept == FRONTAL for p in props)
    info = run.infos[images[0]]
    known = header_reason(info)
    if known and not about_film:
        return known
    for item in gates:
        if item.image != images[0]:
            continue
        if isinstance(item.result, QualityReport) and item.result.overall == "reject" and not about_film:
            return "the image is not usable: " + "; ".join(item.result.reasons)
        if isinstance(item.result, Findings):
            frontal = item.result.get(FRONTAL)
            if frontal is not None and frontal.polarity == "absent" and not about_film:
                return "this does not look like a frontal chest film" + (f": {frontal.note}" if frontal.note else "")
    return None


def header_reason(info: ImageInfo) -> str | None:
    """Why the header or the caller's statement rules the image out as a frontal chest film, or None."""
    if info.view == "LATERAL":
        said = "stated by the caller" if info.view_source == "stated" else "from the header"
        return f"this is a lateral view ({said}); the installed tools read frontal chest films"
    if info.modality in OTHER_MODALITIES:
        return f"this is a {info.modality} image; the installed tools read frontal chest films"
    return None
