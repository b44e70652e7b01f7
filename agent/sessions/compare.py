"""The value of one image set beside that of an earlier one of the same conversation; each keeps its evidence."""

from collections.abc import Mapping

from secondread.schema.answer import Answer, Claim, Value
from secondread.schema.evidence import Evidence
from secondread.schema.units import Probability


def compared(current: Answer, earlier: Answer) -> Answer:
    """One answer about two images.

    Nothing is measured here. That two values differ is said when their intervals do not overlap, and only then: the
    intervals of two measurements that overlap allow that nothing has changed.

    Args:
        current: Of the later image.
        earlier: Of the image it is compared with, by the same question.
    """
    shift = max((int(e.id[1:]) for e in current.evidence), default=0)
    names = {e.id: f"E{int(e.id[1:]) + shift}" for e in earlier.evidence}
    evidence = (*current.evidence, *(_renamed(e, names) for e in earlier.evidence))
    first = len(current.claims)
    claims = (
        *current.claims,
        *(_claim(c, f"C{first + number}", names) for number, c in enumerate(earlier.claims, 1)),
    )
    told, verdict, why = _change(current.value, earlier.value)
    values = {"now": current.value, "then": earlier.value}
    cited = {
        key: _cites(one.claims, value.name, names if key == "then" else {})
        for (key, value), one in zip(values.items(), (current, earlier), strict=True)
        if value is not None
    }
    parts = [told] if why is None else [f"No verdict: {why}."]
    for key, words in (("now", "This image"), ("then", "Earlier image")):
        value = values[key]
        if value is not None:
            parts.append(f"{words}: {value.name.replace('_', ' ')} {_shown(value)}{cited.get(key, '')}.")
    notes = (f"The earlier image was read in run {earlier.trace}.", *current.warnings)
    return current.model_copy(
        update={
            "text": " ".join(parts),
            "verdict": verdict,
            "value": None,
            "choice": None,
            "confidence": None,
            "confidence_method": "" if why else _method(current.value),
            "abstained": why is not None,
            "abstain_reason": why,
            "claims": claims,
            "evidence": evidence,
            "warnings": tuple(dict.fromkeys((*notes, *earlier.warnings))),
        }
    )


def _change(now: Value | None, then: Value | None) -> tuple[str, str | None, str | None]:
    """What is told, the verdict on "has it changed", and why there is none."""
    for value, which in ((now, "this image"), (then, "the earlier image")):
        if value is None:
            return "", "indeterminate", f"nothing was measured on {which} that could be compared"
    assert now is not None and then is not None
    if (now.name, now.unit) != (then.name, then.unit):
        return "", "indeterminate", "the two questions measured different things"
    name = now.name.replace("_", " ")
    if None in (now.low, now.high, then.low, then.high) or now.level != then.level:
        return "", "indeterminate", f"the {name} has no interval here, so a difference cannot be told from error"
    assert now.low is not None and now.high is not None and then.low is not None and then.high is not None
    if now.low > then.high:
        return f"The {name} is higher than on the earlier image: the intervals do not overlap.", "yes", None
    if now.high < then.low:
        return f"The {name} is lower than on the earlier image: the intervals do not overlap.", "yes", None
    return "", "indeterminate", f"the intervals of the {name} overlap, so a difference cannot be told from error"


def _method(value: Value | None) -> str:
    level: Probability | None = value.level if value is not None else None
    return f"no probability of a change: intervals at {level:.0%} that do not overlap" if level else ""


def _shown(value: Value) -> str:
    unit = "" if value.unit == "1" else f" {value.unit}"
    if value.low is None or value.high is None:
        return f"{value.value:.2f}{unit}"
    level = f", {value.level:.0%} interval" if value.level else ""
    return f"{value.value:.2f}{unit} ({value.low:.2f}-{value.high:.2f}{level})"


def _cites(claims: tuple[Claim, ...], concept: str, names: Mapping[str, str]) -> str:
    found = [names.get(e, e) for c in claims if c.concept == concept for e in c.evidence]
    return "".join(f" [{e}]" for e in dict.fromkeys(found))


def _renamed(item: Evidence, names: Mapping[str, str]) -> Evidence:
    return item.model_copy(update={"id": names[item.id]})


def _claim(claim: Claim, id: str, names: Mapping[str, str]) -> Claim:
    text = claim.text
    for old in sorted(names, key=len, reverse=True):
        text = text.replace(f"[{old}]", f"[\0{names[old]}]")
    return claim.model_copy(
        update={"id": id, "text": text.replace("\0", ""), "evidence": tuple(names[e] for e in claim.evidence)}
    )
