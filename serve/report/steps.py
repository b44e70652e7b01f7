"""Events of a trace as steps that a reader can follow."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from secondread.serve.report.blocks import Step

Event = Mapping[str, Any]
MAX_TEXT = 400
"""Characters of one text of the trace."""


def short(text: object, limit: int = MAX_TEXT) -> str:
    """A text on one line, cut in the middle past `limit` characters."""
    line = " ".join(str(text).split())
    return line if len(line) <= limit else f"{line[: limit // 2 - 2]} .. {line[-(limit // 2 - 2) :]}"


def call_of(move: Event) -> str:
    """A move as `tool(argument=value, ..)`, or its action."""
    if move.get("action") != "call":
        return str(move.get("action"))
    args = ", ".join(f"{k}={short(json.dumps(v, ensure_ascii=False), 60)}" for k, v in move.get("args", {}).items())
    return f"{move.get('tool')}({args})"


def steps_of(events: Iterable[Event]) -> tuple[Step, ...]:
    """Every event that tells something, in the order of the trace."""
    made: list[Step] = []
    for event in events:
        write = _WRITERS.get(str(event.get("type")))
        if write is not None:
            made.append(write(event))
    return tuple(made)


def _intake(e: Event) -> Step:
    asked = [
        f"{p['id']}: {p['kind']} of {p['concept']}"
        + (f" ({p['structure']})" if p.get("structure") else "")
        + (f", {p['laterality']}" if p.get("laterality") else "")
        + (f", depends on {p['parent']}" if p.get("parent") else "")
        for p in e["propositions"]
    ]
    end = [f"stops here: {short(e['stop'])}"] if e.get("stop") else []
    return Step("intake", f"{len(asked)} proposition(s)", (*asked, *end))


def _moves(e: Event) -> Step:
    calls = [call_of(m) + (f": {short(m['why'], 160)}" if m.get("why") else "") for m in e["moves"]]
    return Step("think", f"step {e['step']}, by {short(e['by'], 200)}", tuple(calls) or ("ready to answer",))


def _result(e: Event) -> Step:
    item = e["evidence"]
    failed = item["kind"] == "tool_failure"
    needs = [f"needs {n}: {i}" for n, i in e["call"]["needs"].items()]
    title = f"{item['id']} {item['tool']}{' failed' if failed else ''}, {e['seconds']:.2f} s"
    return Step("act", title, (short(item["summary"]), *needs, *(f"caveat: {short(c)}" for c in item["caveats"])))


def _rethink(e: Event) -> Step:
    told = []
    for key, one in e["beliefs"].items():
        p = one.get("probability")
        told.append(f"{key}: {one['outcome']}" + (f", probability {p:.2f}" if p is not None else ""))
    told += [f"revised: {short(line)}" for line in e.get("revised", ())]
    told += [f"closed: {short(line)}" for line in e.get("closed", ())]
    told += [f"critique ({c['kind']}): {short(c['text'])}" for c in e.get("critiques", ())]
    return Step("rethink", "beliefs", tuple(told))


def _rules(e: Event) -> Step:
    lines = [f"{b['rule']}: {short(b['text'])} ({short(b['source'], 120)})" for b in e["broken"]]
    return Step("rules", f"broken; then: {e['then']}", tuple(lines))


def _gate(e: Event) -> Step:
    return Step("gate", f"{len(e['accepted'])} claim(s) accepted", tuple(short(r) for r in e["rejected"]))


def _model(e: Event) -> Step:
    asked = e.get("asked") or {}
    told = [f"{k.replace('_', ' ')}: {short(v, 120)}" for k, v in asked.items() if v not in (None, "", [], {}, 0)]
    return Step("model", f"{e['purpose']}, {e['tokens']} tokens", tuple(told))


_WRITERS: dict[str, Callable[[Event], Step]] = {
    "intake": _intake,
    "second_gate": lambda e: Step("intake", "second look at the gate", (short(e["text"]),)),
    "model": _model,
    "moves": _moves,
    "approval": lambda e: Step(
        "approve", f"a person said {'yes' if e['approved'] else 'no'}", (", ".join(e["tools"]),)
    ),
    "refused": lambda e: Step("act", f"refused: {call_of(e['move'])}", (short(e["reason"]),)),
    "cut": lambda e: Step(
        "act", f"limit of {e['exhausted']} reached", (f"{e['kept']} call(s) of this step were made",)
    ),
    "result": _result,
    "rethink": _rethink,
    "budget": lambda e: Step("think", f"limit of {e['exhausted']} reached"),
    "rules": _rules,
    "gate": _gate,
    "word_failed": lambda e: Step("word", "the planner gave no wording", (short(e["reason"]),)),
    "sentences_refused": lambda e: Step("gate", "sentences refused", tuple(short(p) for p in e["problems"])),
    "words": lambda e: Step(
        "word", f"{len(e['sentences'])} sentence(s)", tuple(short(s["text"]) for s in e["sentences"])
    ),
    "answer": lambda e: Step("answer", "given", (short(e["answer"]["text"]),)),
}
