"""From a request to its answer: images, run, loop; and a run that was cut off or paused, taken up where it stood."""

import asyncio
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from secondread.agent.consistency import Told
from secondread.agent.durable.journal import JournalledExecutor, JournalledPlanner
from secondread.agent.durable.private import known_run, paths_of, read_sources, source_key, write_sources
from secondread.agent.given import given_masks
from secondread.agent.limits import Meter
from secondread.agent.outbound import audited, reach
from secondread.agent.painter import paint
from secondread.agent.planners.tally import remarks
from secondread.agent.run import Approval, Executor, Run
from secondread.agent.serving import wants_film
from secondread.agent.sessions.turns import session_key
from secondread.agent.settled import tool_defaults, trace_path
from secondread.agent.sources import Handed, Stated, hand_over
from secondread.agent.state import STATE_SCHEMA, LoopState
from secondread.agent.trace import TRACE_SCHEMA, TraceWriter, answer_of, mend, of_type, read_trace
from secondread.kg.asked import Question
from secondread.kg.graph import core_graph
from secondread.kg.questions import parse
from secondread.kg.rulebook import shipped_rules
from secondread.schema.answer import Answer
from secondread.schema.errors import ApprovalNeeded, ReplayError, StoreError, UsageError
from secondread.schema.evidence import DerivedImage, Evidence
from secondread.tools.runtime.cache import handles
from secondread.tools.runtime.calls import PlannedCall
from secondread.tools.runtime.offline import guarded

if TYPE_CHECKING:
    from secondread.agent.agent import Agent
    from secondread.agent.durable.checkpoints import Checkpoints

Emit = Callable[[str, str], None]
Decide = Callable[[Approval], bool | None]


@dataclass(frozen=True)
class Request:
    """What one run is asked."""

    image: Any
    question: str
    prior: Any = None
    stated: Stated = field(default_factory=Stated)
    masks: Mapping[str, Any] | None = None
    choices: Sequence[str] | None = None
    session: str | None = None
    approve: frozenset[str] = frozenset()
    decide: Decide | None = None
    tokens: bool = False
    """Emit the text of a model's replies as it comes, under the name `token`."""
    earlier: tuple[Told, ...] = ()
    """What was answered before in the same conversation."""


async def begin(agent: "Agent", request: Request, emit: Emit) -> Answer:
    """Ask a question; errors as for `Agent.ask`."""
    with guarded(reach(agent)):
        return await _begun(agent, request, emit)


async def _begun(agent: "Agent", request: Request, emit: Emit) -> Answer:
    graph = core_graph()
    parsed = parse(request.question, graph, request.choices)
    handed = await _handed(agent, request, parsed)
    request = replace(request, earlier=same_study(request, [i.ref.id for i in handed.infos]))
    run_id = uuid.uuid4().hex[:16]
    defaults, notes = await _defaults(agent, request, handed)
    unknown = sorted(request.approve - set(agent.runtime.catalogue.names()))
    if unknown:
        raise UsageError(f"No installed tool is called {', '.join(unknown)}.", hint="`secondread tools` lists them.")
    alone = isinstance(request.image, Handed)  # many studies keep a journal of their own
    checkpoints = None if alone else agent.checkpoints()
    trace = TraceWriter(run_id, trace_path(agent.settings, run_id))
    run = _run_of(agent, trace, handed, defaults, request, emit)
    if agent.settings.trace_dir is not None and not alone:
        write_sources(agent.settings.trace_dir, run_id, _sources(request))
    trace.add(
        "run",
        schema=TRACE_SCHEMA,
        run=run_id,
        session=session_key(request.session) if request.session else None,
        question=parsed.model_dump(mode="json"),
        images=[i.model_dump(mode="json") for i in handed.infos],
        planner=run.planner.name,
        settings={
            "risk": agent.risk,
            "cutoff": run.cutoff,
            "rethink": run.rethink,
            "exemplars": run.exemplars,
            "witnesses_off": sorted(run.witnesses_off),
            "defaults": defaults,
            "approve": sorted(request.approve),
        },
        earlier=[t.model_dump(mode="json") for t in request.earlier],
    )
    if checkpoints is not None:
        checkpoints.keep(run_id, defaults, agent.runtime.store)
    return await _driven(agent, run, parsed, notes, checkpoints, resume=False)


def same_study(request: Request, images: Sequence[str]) -> tuple[Told, ...]:
    """What was told before of the images or the files that are asked about, oldest first."""
    key = source_key(request)
    kept = [t for t in request.earlier if set(t.images) & set(images) or (key and t.source == key)]
    return tuple(t.model_copy(update={"source": ""}) for t in kept if t.said or t.claimed)


async def take_up(agent: "Agent", run_id: str, image: Any, prior: Any, decide: Decide | None, emit: Emit) -> Answer:
    """Go on with a run that was cut off or paused; errors as for `Agent.resume`."""
    with guarded(reach(agent)):
        return await _taken_up(agent, run_id, image, prior, decide, emit)


async def _taken_up(agent: "Agent", run_id: str, image: Any, prior: Any, decide: Decide | None, emit: Emit) -> Answer:
    path = trace_path(agent.settings, known_run(run_id))
    checkpoints = agent.checkpoints()
    if path is None or checkpoints is None or agent.settings.trace_dir is None:
        raise UsageError("Runs are not kept: the setting trace_dir or checkpoints is off.")
    if not path.exists():
        raise ReplayError(f"There is no run {run_id} in {path.parent}.")
    events = read_trace(path)
    answered = answer_of(events)
    if answered is not None:
        checkpoints.finish(run_id)
        return answered
    mend(path)
    head = events[0]
    request = _request_again(agent, run_id, head, image, prior, decide)
    handed = await _handed(agent, request, Question.model_validate(head["question"]))
    if [i.ref.id for i in handed.infos] != [i["ref"]["id"] for i in head["images"]]:
        raise ReplayError(f"Run {run_id} was about other images.", hint="Hand over those that it was asked about.")
    defaults = head["settings"]["defaults"]
    values = (await agent_loop(checkpoints).aget_state(_config(run_id, 1))).values
    spent = values.get("spent", {"steps": 0, "calls": 0, "tokens": 0, "seconds": 0.0})
    trace = TraceWriter(run_id, path, recorded=events, settled=values.get("traced", 1), seconds=spent["seconds"])
    run = _run_of(agent, trace, handed, defaults, request, emit)
    run.meter.restore(spent)
    run.executor = JournalledExecutor(run.executor, events)
    checkpoints.restore(run_id, agent.runtime.store)
    await _derive_again(agent, events, run)
    for image_id in values.get("images", ()):
        for event in of_type(events, "result"):
            item = event["evidence"]
            if image_id not in run.infos and item["kind"] == "image" and item["result"]["image"] == image_id:
                run.enter_crop(item["image"], DerivedImage.model_validate(item["result"]))
    return await _driven(
        agent, run, Question.model_validate(head["question"]), handed.notes, checkpoints, resume=bool(values)
    )


def agent_loop(checkpoints: "Checkpoints | None") -> Any:
    """The compiled loop, with checkpoints where there are any."""
    from secondread.agent.graph import loop

    return loop() if checkpoints is None else loop().copy(update={"checkpointer": checkpoints})


async def execute(
    run: Run, question: dict[str, Any], checkpoints: "Checkpoints | None" = None, *, resume: bool = False
) -> Answer:
    """Drive one run through the compiled loop.

    Raises:
        ApprovalNeeded: A tool waits for a person's yes, and nobody could be asked.
    """
    state: LoopState = {
        "schema": STATE_SCHEMA,
        "run": run.trace.run,
        "question": question,
        "images": list(run.infos),
        "refused": [],
        "evidence": {},
        "looked": [],
        "repairs": 0,
    }
    limit = 5 * (run.meter.snapshot().max_steps + 4) + 12
    how: dict[str, Any] = {} if checkpoints is None else {"durability": "sync"}
    given = None if resume else state
    final = await agent_loop(checkpoints).ainvoke(given, _config(run.trace.run, limit), context=run, **how)
    if final.get("__interrupt__"):
        asked = final["__interrupt__"][0].value
        raise ApprovalNeeded(
            f"Run {run.trace.run} waits for a yes to {', '.join(asked['tools'])}.",
            hint=f"`secondread resume {run.trace.run} --yes` or `--no`.",
            run=run.trace.run,
            tools=tuple(asked["tools"]),
        )
    return Answer.model_validate(final["answer"])


def _config(run: str, limit: int) -> dict[str, Any]:
    return {"recursion_limit": limit, "configurable": {"thread_id": run}}


async def _handed(agent: "Agent", request: Request, parsed: Question) -> Handed:
    if isinstance(request.image, Handed):
        return request.image
    films = wants_film(parsed.concepts, agent.runtime.catalogue, core_graph())
    return await asyncio.to_thread(
        hand_over, agent.runtime.store, request.image, request.prior, request.stated, films=films
    )


async def _defaults(
    agent: "Agent", request: Request, handed: Handed
) -> tuple[dict[str, dict[str, Any]], tuple[str, ...]]:
    """Arguments that settings and caller give to tools, and what is to be said of what was handed over."""
    defaults = tool_defaults(agent.settings)
    if not request.masks:
        return defaults, handed.notes
    if not handed.infos:
        raise UsageError("An outline needs an image.")
    given, placed = await asyncio.to_thread(
        given_masks, agent.runtime.store, handed.infos[0], request.masks, core_graph()
    )
    defaults["given_masks"] = {"masks": {k: m.model_dump(mode="json") for k, m in given.items()}}
    return defaults, (*handed.notes, *placed)


def _run_of(
    agent: "Agent", trace: TraceWriter, handed: Handed, defaults: Mapping[str, Any], request: Request, emit: Emit
) -> Run:
    from secondread.agent.risk import cutoff_for

    s = agent.settings
    meter = Meter(max_steps=s.max_steps, max_calls=s.max_calls, max_tokens=s.max_tokens, max_seconds=s.max_seconds)
    executor: Executor = agent.runtime
    return Run(
        executor=executor,
        planner=agent.planner
        if agent.planner is agent.fallback
        else JournalledPlanner(agent.planner, trace, meter, token=partial(emit, "token") if request.tokens else None),
        fallback=agent.fallback,
        graph=core_graph(),
        meter=meter,
        trace=trace,
        infos={i.ref.id: i for i in handed.infos},
        tool_defaults=defaults,
        tool_timeout=s.tool_timeout_s,
        rethink=s.rethink,
        exemplars=s.exemplars,
        witnesses_off=frozenset(s.witnesses_off),
        cutoff=cutoff_for(agent.risk)[0],
        emit=emit,
        approve=request.approve,
        decide=request.decide,
        rules=shipped_rules(),
        earlier=request.earlier,
    )


async def _driven(
    agent: "Agent",
    run: Run,
    parsed: Question,
    notes: Sequence[str],
    checkpoints: "Checkpoints | None",
    *,
    resume: bool,
) -> Answer:
    """Run the loop and finish the answer: notes on what was handed over, pictures."""
    from secondread.agent.risk import cutoff_for

    if checkpoints is not None:
        run.keep = partial(_keep, checkpoints, run.trace.run, agent)
    try:
        with audited(agent, run.trace.run):
            answer = await execute(run, parsed.model_dump(mode="json"), checkpoints, resume=resume)
        warning = cutoff_for(agent.risk)[1]
        helped = remarks(run.trace.events, run.planner.name) if run.planner is not run.fallback else ()
        told = tuple(dict.fromkeys((*answer.warnings, *notes, *helped, *([warning] if warning else []))))
        if told != answer.warnings:
            run.trace.add("notes", warnings=list(told))
            answer = answer.model_copy(update={"warnings": told})
    finally:
        run.trace.close()
    if checkpoints is not None:
        checkpoints.finish(run.trace.run)
    for item in answer.evidence:
        item._painter = partial(paint, ledger=answer.evidence, store=agent.runtime.store)
    return answer


def _keep(checkpoints: "Checkpoints", run: str, agent: "Agent", evidence: Evidence) -> None:
    if evidence.kind in ("region", "measurement", "finding"):
        checkpoints.keep(run, evidence.result.model_dump(mode="json"), agent.runtime.store)


def _sources(request: Request) -> dict[str, Any]:
    """What it takes to hand over the same again, in JSON; None for what was no file."""
    s = request.stated
    return {
        "image": paths_of(request.image),
        "prior": paths_of(request.prior),
        "stated": {
            "view": s.view,
            "age": s.age,
            "region": list(s.region) if s.region is not None else None,
            "series": s.series,
            "slice": s.slice,
            "plane": s.plane,
        },
        "choices": list(request.choices) if request.choices else None,
        "session": request.session,
    }


def _request_again(
    agent: "Agent", run: str, head: Mapping[str, Any], image: Any, prior: Any, decide: Decide | None
) -> Request:
    assert agent.settings.trace_dir is not None
    kept = read_sources(agent.settings.trace_dir, run)
    if image is None and head["images"]:
        image = kept.get("image")
        if not image:
            raise UsageError(f"Where the images of run {run} are is not known.", hint="Hand them over again.")
        image = image[0] if len(image) == 1 else image
        prior = prior or ((kept.get("prior") or [None])[0])
    stated = Stated(**kept["stated"]) if kept else Stated()
    return Request(
        image=image,
        question=head["question"]["text"],
        prior=prior,
        stated=stated,
        choices=kept.get("choices"),
        session=kept.get("session"),
        approve=frozenset(head["settings"].get("approve", ())),
        decide=decide,
        earlier=tuple(Told.model_validate(t) for t in head.get("earlier", ())),
    )


async def _derive_again(agent: "Agent", events: Sequence[dict[str, Any]], run: Run) -> None:
    """Enter crops, windows and slices into the image store again; their recipe is recorded, their pixels are not.

    Raises:
        StoreError: Masks of a recorded result are not kept any more.
    """
    ledger: dict[str, Evidence] = {}
    for event in of_type(list(events), "result"):
        item = Evidence.model_validate(event["evidence"])
        ledger[item.id] = item
        if isinstance(item.result, DerivedImage) and item.result.image not in agent.runtime.store:
            await agent.runtime.execute(PlannedCall.model_validate(event["call"]), ledger)
    store = agent.runtime.store
    gone = [e.id for e in ledger.values() if not all(map(store.blobs.holds, handles(e.result.model_dump(mode="json"))))]
    if gone:
        raise StoreError(f"Masks of {', '.join(gone)} of run {run.trace.run} are not kept any more.", hint="Ask again.")
