"""Run loop, beliefs and gate again on recorded moves and tool results; a changed rule or gate shows as a difference."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from secondread.agent.consistency import Told
from secondread.agent.durable.driving import execute
from secondread.agent.limits import Meter
from secondread.agent.planners.base import Move, Planner, PlannerView, Sentence
from secondread.agent.replay_diff import Change, changes
from secondread.agent.run import Run
from secondread.agent.trace import TraceWriter, of_type, read_trace
from secondread.kg.graph import core_graph
from secondread.kg.rulebook import shipped_rules
from secondread.schema.answer import Answer, Claim
from secondread.schema.errors import ReplayError
from secondread.schema.evidence import Evidence
from secondread.schema.image import ImageInfo
from secondread.schema.record import Record, canonical_json
from secondread.tools.catalogue import Catalogue, catalogue
from secondread.tools.runtime.calls import PlannedCall

IGNORED = ("trace", "budget")
"""Fields of an answer that differ between equal runs: run id, and time used."""


class Difference(Record):
    """One field of the answer that came out otherwise."""

    field: str
    recorded: str
    replayed: str


class ReplayReport(Record):
    """The answer of a replay, and how it differs from the recorded one."""

    run: str
    answer: Answer
    differences: tuple[Difference, ...]
    changes: tuple[Change, ...] = ()
    """The same for a reader: verdict, claims, and which rule made them come out otherwise."""

    @property
    def same(self) -> bool:
        """Whether the replayed answer equals the recorded one."""
        return not self.differences


class RecordedExecutor:
    """Gives recorded results by call key."""

    def __init__(self, events: list[dict[str, Any]], tools: Catalogue) -> None:
        self.catalogue = tools
        self._by_key = {e["call"]["key"]: e["evidence"] for e in of_type(events, "result")}

    async def execute(
        self, call: PlannedCall, ledger: Mapping[str, Evidence], *, timeout: float | None = None
    ) -> tuple[Evidence, float]:
        """The recorded evidence of this call.

        Raises:
            ReplayError: The run that was recorded made no such call.
        """
        if call.key not in self._by_key:
            raise ReplayError(
                f"The trace holds no result of {call.tool} with key {call.key}.",
                hint="Tools, weights or planning have changed since it was recorded.",
            )
        return Evidence.model_validate({**self._by_key[call.key], "id": call.id}), 0.0


class RecordedPlanner:
    """Gives recorded moves by step and recorded wording in order."""

    usage = 0

    def __init__(self, name: str, events: list[dict[str, Any]]) -> None:
        self.name = name
        self._moves = {e["step"]: e["moves"] for e in of_type(events, "moves")}
        self._words = [e["sentences"] for e in of_type(events, "words")]

    async def propose(self, view: PlannerView) -> list[Move]:
        """The moves recorded for this step."""
        return [Move.model_validate(m) for m in self._moves.get(view.step + 1, [])]

    async def word(self, claims: Sequence[Claim], view: PlannerView) -> list[Sentence]:
        """The next recorded wording; an empty one when the record has no more."""
        return [Sentence.model_validate(s) for s in (self._words.pop(0) if self._words else [])]


class RecordedMeter(Meter):
    """Reports the limit that the recorded run reached, at the step where it did."""

    def __init__(self, events: list[dict[str, Any]]) -> None:
        super().__init__(max_steps=10_000, max_calls=100_000, max_tokens=1 << 40, max_seconds=1e9)
        self._ends = next((e["exhausted"] for e in of_type(events, "budget")), None)
        self._steps = len(list(of_type(events, "moves")))
        self._cuts = {e["step"]: (e["kept"], e["exhausted"]) for e in of_type(events, "cut")}

    def exhausted(self) -> str | None:
        """See `Meter.exhausted`."""
        return self._ends if self._ends and self.steps >= self._steps else None

    def admitted(self, planned: int) -> tuple[int, str | None]:
        """See `Meter.admitted`."""
        return self._cuts.get(self.steps, (planned, None))


def replay(path: Path | str, *, tools: Catalogue | None = None) -> ReplayReport:
    """Re-execute a recorded run without its images, models or planner.

    Raises:
        ReplayError: The file is no trace, was cut off before its answer, or asks for a call it does not hold.
    """
    events = read_trace(Path(path))
    recorded = next((e["answer"] for e in of_type(events, "answer")), None)
    if recorded is None:
        raise ReplayError(f"{path} ends before its answer.", hint="The run was cut off.")
    head = events[0]
    planner: Planner = RecordedPlanner(head["planner"], events)
    run = Run(
        executor=RecordedExecutor(events, tools or catalogue()),
        planner=planner,
        fallback=planner if head["planner"] == "protocol" else RecordedPlanner("protocol", events),
        graph=core_graph(),
        meter=RecordedMeter(events),
        trace=TraceWriter(head["run"], None),
        infos={i["ref"]["id"]: ImageInfo.model_validate(i) for i in head["images"]},
        tool_defaults=head["settings"]["defaults"],
        rethink=head["settings"]["rethink"],
        exemplars=head["settings"].get("exemplars", False),
        witnesses_off=frozenset(head["settings"].get("witnesses_off", ())),
        cutoff=head["settings"]["cutoff"],
        approve=frozenset(head["settings"].get("approve", ())),
        rules=shipped_rules(),
        earlier=tuple(Told.model_validate(t) for t in head.get("earlier", ())),
    )
    decisions = {(e["step"], tuple(e["tools"])): e["approved"] for e in of_type(events, "approval")}
    run.decide = lambda asked: decisions.get((run.meter.steps, asked.tools), False)
    answer = asyncio.run(execute(run, head["question"]))
    differences = tuple(_differences(recorded, answer))
    told = changes(Answer.model_validate(recorded), answer, events, run.trace.events) if differences else ()
    return ReplayReport(run=head["run"], answer=answer, differences=differences, changes=told)


def _differences(recorded: dict[str, Any], answer: Answer) -> list[Difference]:
    now = answer.model_dump(mode="json")
    return [
        Difference(field=name, recorded=canonical_json(recorded.get(name)), replayed=canonical_json(now[name]))
        for name in now
        if name not in IGNORED and canonical_json(recorded.get(name)) != canonical_json(now[name])
    ]
