"""Calls, their keys, and the insertion of missing prerequisites."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from secondread.schema.errors import ToolUnavailable, UsageError
from secondread.schema.evidence import Evidence
from secondread.schema.record import Record, short_hash
from secondread.tools.catalogue import Catalogue


class Call(Record):
    """One wanted tool run."""

    tool: str
    args: dict[str, Any]
    """Fields of the tool's Request except the prerequisites."""


class PlannedCall(Record):
    """A call with its evidence id, key and the evidence ids of its prerequisites."""

    id: str
    key: str
    tool: str
    args: dict[str, Any]
    needs: dict[str, str]
    """Prerequisite (a tool or a concept) -> evidence id."""


def weights_hash(catalogue: Catalogue, tool: str) -> str | None:
    """SHA-256 of the weights that a tool's card names, or None."""
    weights = catalogue.get(tool).card.weights
    return weights.sha256 if weights else None


def call_key(catalogue: Catalogue, tool: str, args: Mapping[str, Any], need_keys: Mapping[str, str]) -> str:
    """Hash of everything a result depends on: tool, version, weights, arguments (image id inside), prerequisites."""
    card = catalogue.get(tool).card
    return short_hash(
        {
            "tool": tool,
            "version": card.version,
            "weights": weights_hash(catalogue, tool),
            "args": dict(args),
            "needs": dict(need_keys),
        },
        24,
    )


def validate(catalogue: Catalogue, call: Call, defaults: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The call's arguments with defaults filled in, checked against the tool's Request.

    Raises:
        ToolUnavailable: No such tool.
        UsageError: An argument is missing, unknown or of the wrong type; the message names it, not its value.
    """
    tool = catalogue.get(call.tool)
    if not isinstance(call.args, dict):
        raise UsageError(f"{call.tool}: the arguments are not an object.")
    unknown_needs = [n for n in tool.card.needs if n in call.args]
    args = {k: v for k, v in call.args.items() if k not in unknown_needs}
    for name, value in defaults.get(call.tool, {}).items():
        args.setdefault(name, value)
    try:
        model = tool.Request.model_validate({**args, **dict.fromkeys(tool.card.needs, "E0")})
    except ValidationError as error:
        what = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'request'}: {e['msg']}" for e in error.errors()[:3])
        raise UsageError(f"{call.tool}: {what}.") from None
    if tool.card.image == "required" and not model.image:
        raise UsageError(f"{call.tool} needs an image id.")
    return model.model_dump(mode="json", exclude=set(tool.card.needs))


def plan(
    calls: Sequence[Call],
    ledger: Mapping[str, Evidence],
    catalogue: Catalogue,
    *,
    next_id: int,
    defaults: Mapping[str, Mapping[str, Any]],
) -> list[PlannedCall]:
    """Order calls after their prerequisites, inserting those that the ledger lacks; equal calls are planned once.

    Ids run on from `next_id` in the order of this list, so they do not depend on which call finishes first.
    """
    planned: list[PlannedCall] = []
    by_key = {e.call_key: e.id for e in ledger.values()}
    keys = {e.id: e.call_key for e in ledger.values()}

    def place(call: Call) -> str:
        args = validate(catalogue, call, defaults)
        card = catalogue.get(call.tool).card
        needs: dict[str, str] = {}
        for name in card.needs:
            source = catalogue.provider(name)
            if source is None:
                raise ToolUnavailable(f"{call.tool} needs {name}, which no installed tool gives.")
            wanted = {"image": args.get("image")} if source.card.image != "none" else {}
            needs[name] = place(Call(tool=source.card.name, args=wanted))
        key = call_key(catalogue, call.tool, args, {n: keys[i] for n, i in needs.items()})
        if key in by_key:
            return by_key[key]
        evidence_id = f"E{next_id + len(planned)}"
        planned.append(PlannedCall(id=evidence_id, key=key, tool=call.tool, args=args, needs=needs))
        by_key[key], keys[evidence_id] = evidence_id, key
        return evidence_id

    for one in calls:
        place(one)
    return planned
