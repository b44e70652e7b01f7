"""What a replay gives otherwise than the record, for a reader: which answer, which claim, and which rule made it so."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any, Literal

from secondread.agent.trace import of_type
from secondread.schema.answer import Answer, Claim
from secondread.schema.record import Record

Event = dict[str, Any]


class Change(Record):
    """One thing that came out otherwise."""

    about: Literal["verdict", "answer", "proposition", "claim", "rule", "sentence", "warning"]
    subject: str
    """Proposition, claim or rule id; empty for the answer as a whole."""
    recorded: str
    replayed: str
    because: str = ""
    """The rule of the gate, the clinical rule or the judgement that says so, where one does."""

    @property
    def lines(self) -> tuple[str, ...]:
        """The change in a few lines."""
        head = f"{self.about} {self.subject}".rstrip()
        told = [f"{head}", f"  was: {self.recorded or '-'}", f"  is:  {self.replayed or '-'}"]
        return tuple([*told, f"  because: {self.because}"] if self.because else told)


def changes(recorded: Answer, replayed: Answer, before: list[Event], now: list[Event]) -> tuple[Change, ...]:
    """Every difference that a reader can follow, the answer first.

    Args:
        recorded: The answer of the record.
        replayed: The answer of the replay.
        before: Events of the record.
        now: Events of the replay.
    """
    return (
        *_answer(recorded, replayed),
        *_propositions(before, now),
        *_rules(before, now),
        *_claims(recorded, replayed, before, now),
        *_sentences(before, now),
        *_warnings(recorded, replayed),
    )


def _answer(recorded: Answer, replayed: Answer) -> Iterator[Change]:
    old, new = _verdict(recorded), _verdict(replayed)
    if old != new:
        yield Change(about="verdict", subject="", recorded=old, replayed=new)
    if recorded.text != replayed.text:
        yield Change(
            about="answer", subject="", recorded=_marked(recorded.text, replayed.text),
            replayed=_marked(replayed.text, recorded.text),
        )  # fmt: skip


def _verdict(answer: Answer) -> str:
    sure = f", confidence {answer.confidence:.2f}" if answer.confidence is not None else ""
    told = answer.choice or answer.verdict or "told"
    return f"{told}{sure}" + (f", abstained: {answer.abstain_reason}" if answer.abstained else "")


def _marked(text: str, other: str) -> str:
    """A text with what the other one lacks in brackets."""
    words, others = text.split(" "), other.split(" ")
    out: list[str] = []
    for kind, a, b, _, _ in SequenceMatcher(None, words, others, autojunk=False).get_opcodes():
        piece = " ".join(words[a:b])
        if piece:
            out.append(piece if kind == "equal" else f"[[{piece}]]")
    return " ".join(out)


def _propositions(before: list[Event], now: list[Event]) -> Iterator[Change]:
    old, new = _outcomes(before), _outcomes(now)
    for key in sorted({*old, *new}):
        if old.get(key) != new.get(key):
            yield Change(about="proposition", subject=key, recorded=old.get(key, ""), replayed=new.get(key, ""),
                         because="it is judged otherwise on the same evidence")  # fmt: skip


def _outcomes(events: list[Event]) -> dict[str, str]:
    last = [e["beliefs"] for e in of_type(events, "rethink")][-1:]
    return {
        key: one["outcome"] + (f", probability {one['probability']:.3f}" if one.get("probability") is not None else "")
        for beliefs in last
        for key, one in beliefs.items()
    }


def _rules(before: list[Event], now: list[Event]) -> Iterator[Change]:
    old, new = _broken(before), _broken(now)
    for rule in sorted({*old, *new}):
        if (rule in old) != (rule in new):
            told = old.get(rule) or new.get(rule) or ""
            state = ("broken", "kept") if rule in old else ("kept", "broken")
            yield Change(about="rule", subject=rule, recorded=state[0], replayed=state[1], because=told)


def _broken(events: list[Event]) -> dict[str, str]:
    return {b["rule"]: b["text"] for e in of_type(events, "rules") for b in e["broken"]}


def _claims(recorded: Answer, replayed: Answer, before: list[Event], now: list[Event]) -> Iterator[Change]:
    new = {_key(c): c for c in replayed.claims}
    old = {_key(c): c for c in recorded.claims}
    for key, claim in old.items():
        other = new.get(key)
        if other is None:
            yield Change(about="claim", subject=claim.id, recorded=_told(claim), replayed="",
                         because=_dropped(claim.id, now) or "it is not made any more")  # fmt: skip
        elif _told(claim) != _told(other):
            yield Change(about="claim", subject=claim.id, recorded=_told(claim), replayed=_told(other))
    for key, claim in new.items():
        if key not in old:
            why = _dropped(claim.id, before)
            yield Change(about="claim", subject=claim.id, recorded="", replayed=_told(claim),
                         because=f"when recorded: {why}" if why else "it was not made when recorded")  # fmt: skip


def _key(claim: Claim) -> tuple[str, str]:
    return claim.id, claim.concept


def _told(claim: Claim) -> str:
    sure = f" (probability {claim.probability:.3f})" if claim.probability is not None else ""
    return f"{claim.concept} {claim.polarity}: {claim.text}{sure}"


def _dropped(claim: str, events: Sequence[Event]) -> str:
    """Why the gate dropped a claim, with the names of its rules."""
    for event in events:
        if event["type"] != "gate":
            continue
        found = next((r for r in event["rejected"] if r.startswith(f"Claim {claim} ")), None)
        if found is not None:
            rules: Mapping[str, Sequence[str]] = event.get("rules", {})
            named = f" (gate rule {', '.join(rules[claim])})" if claim in rules else ""
            return f"{found.rstrip('.')}{named}"
    return ""


def _sentences(before: list[Event], now: list[Event]) -> Iterator[Change]:
    old = {p for e in of_type(before, "sentences_refused") for p in e["problems"]}
    new = {p for e in of_type(now, "sentences_refused") for p in e["problems"]}
    for problem in sorted(old - new):
        yield Change(about="sentence", subject="", recorded=f"refused: {problem}", replayed="let out")
    for problem in sorted(new - old):
        yield Change(about="sentence", subject="", recorded="let out", replayed=f"refused: {problem}")


def _warnings(recorded: Answer, replayed: Answer) -> Iterator[Change]:
    for one in recorded.warnings:
        if one not in replayed.warnings:
            yield Change(about="warning", subject="", recorded=one, replayed="")
    for one in replayed.warnings:
        if one not in recorded.warnings:
            yield Change(about="warning", subject="", recorded="", replayed=one)
