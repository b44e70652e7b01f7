"""A chat model's reply -> moves and sentences, without evaluating any of it."""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from pydantic import JsonValue, ValidationError

from secondread.agent.planners.base import Move, Sentence
from secondread.agent.planners.json_values import MAX_REPLY, json_values
from secondread.agent.planners.spellings import spelled_calls
from secondread.schema.errors import PlannerError

MAX_MOVES = 8
MAX_SENTENCES = 24
_CALL = re.compile(r"(?<![\w.])([A-Za-z][A-Za-z0-9_]{0,63})\s*\(([^()\n]{0,600})\)")
_ARGUMENT = re.compile(r"""\s*(?:([A-Za-z_]\w*)\s*[=:]\s*)?("(?:[^"\\]|\\.)*"|'[^']*'|[^,]+?)\s*(?:,|$)""")
_FINAL = {"answer": "answer", "finish": "answer", "abstain": "abstain"}
_TAGGED = re.compile(r"^\s*(?:[-*]\s*)?\[?((?:C\d+)(?:\s*,\s*C\d+)*)\]?\s*[:.)-]*\s+(\S.*)$")


def _plain(value: Any, depth: int = 0) -> JsonValue:
    """A JSON value bounded in depth and length, so that no reply can blow up a trace."""
    if depth > 4:
        raise PlannerError("An argument is nested too deeply.")
    if isinstance(value, str):
        return value[:2000]
    if isinstance(value, bool | int | float) or value is None:
        if (isinstance(value, float) and value != value) or value in (float("inf"), float("-inf")):
            raise PlannerError("An argument is not a finite number.")
        return value
    if isinstance(value, list | tuple):
        return [_plain(v, depth + 1) for v in value[:64]]
    if isinstance(value, dict):
        return {str(k)[:64]: _plain(v, depth + 1) for k, v in list(value.items())[:64]}
    raise PlannerError(f"An argument is a {type(value).__name__}.")


def _typed(name: str, args: Any, why: Any, serves: Any, problems: list[str], known: Collection[str]) -> Move | None:
    """One wanted call as a Move, or None with the problem noted."""
    action = _FINAL.get(name)
    if action is None and name not in known:
        problems.append(f"there is no tool {name[:40]!r}")
        return None
    if isinstance(args, str):
        args = next(json_values(args), args)
    if args is None:
        args = {}
    if not isinstance(args, dict):
        problems.append(f"{name}: the arguments are not an object")
        return None
    told = why if isinstance(why, str) else ""
    if action is not None:
        told = told or next((v for v in args.values() if isinstance(v, str)), "")
        return Move(action=action, why=told[:500])
    try:
        ids = tuple(s for s in serves if isinstance(s, str))[:32] if isinstance(serves, list | tuple) else ()
        plain = _plain(args)
        return Move(action="call", tool=name, args=plain if isinstance(plain, dict) else {}, why=told[:500], serves=ids)
    except (PlannerError, ValidationError) as error:
        problems.append(
            f"{name}: {error.message if isinstance(error, PlannerError) else 'arguments of the wrong type'}"
        )
        return None


def _entries(value: Any) -> Iterator[Mapping[str, Any]]:
    """Objects of a JSON reply that look like moves, whichever usual spelling they have."""
    if isinstance(value, list):
        for item in value[:64]:
            yield from _entries(item)
    elif isinstance(value, dict):
        inner = next((value[k] for k in ("moves", "tool_calls", "calls", "actions") if k in value), None)
        if isinstance(inner, list):
            yield from _entries(inner)
        elif isinstance(value.get("function"), dict):
            yield value["function"]
        elif any(k in value for k in ("tool", "name", "action")):
            yield value


def _from_json(text: str, known: Collection[str], problems: list[str]) -> list[Move]:
    moves: list[Move] = []
    for value in json_values(text):
        for entry in _entries(value):
            action = entry.get("action")
            name = entry.get("tool") or entry.get("name") or (action if action != "call" else None)
            if not isinstance(name, str):
                problems.append("a move names no tool")
                continue
            args = entry.get("args", entry.get("arguments", entry.get("parameters")))
            move = _typed(name, args, entry.get("why"), entry.get("serves"), problems, known)
            if move is not None:
                moves.append(move)
    return moves


def _value(text: str) -> str | int | float | bool | None:
    text = text.strip()
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return found if isinstance(found, str | int | float | bool) else text


def _from_text(text: str, known: Collection[str], problems: list[str]) -> list[Move]:
    """`tool(image=img-..)` or `<tool("img-..")>`; a lone unnamed argument is the image."""
    moves: list[Move] = []
    for match in _CALL.finditer(text[:MAX_REPLY]):
        name = match[1]
        if name not in known and name not in _FINAL:
            continue
        args: dict[str, Any] = {}
        for part in _ARGUMENT.finditer(match[2]):
            if part[2].strip():
                args[part[1] or ("image" if "image" not in args else f"argument_{len(args)}")] = _value(part[2])
        move = _typed(name, args, "", (), problems, known)
        if move is not None:
            moves.append(move)
    return moves


def _checked(
    moves: list[Move], images: Collection[str], needs_image: Collection[str], problems: list[str]
) -> list[Move]:
    """Moves whose image is one of this run; a missing image is filled in when there is only one."""
    kept: list[Move] = []
    for move in moves:
        if move.action == "call":
            image = move.args.get("image")
            if image is None and move.tool in needs_image and len(images) == 1:
                move = move.model_copy(update={"args": {**move.args, "image": next(iter(images))}})
            elif image is not None and (not isinstance(image, str) or image not in images):
                problems.append(f"{move.tool}: there is no image {str(image)[:40]!r}; known: {', '.join(images)}")
                continue
        if all((m.action, m.tool, m.args) != (move.action, move.tool, move.args) for m in kept):
            kept.append(move)
    return kept[:MAX_MOVES]


def moves_of(
    text: str,
    tool_calls: Collection[Mapping[str, Any]],
    *,
    tools: Collection[str],
    images: Collection[str],
    needs_image: Collection[str],
    torn: Collection[str] = (),
) -> list[Move]:
    """Moves of a reply: native tool calls, else JSON in the text, else `tool(arguments)` in the text.

    Usable moves are kept when others in the same reply are not.

    Args:
        text: Of the reply.
        tool_calls: Native calls, each with `name` and `args`.
        tools: Names that may be called.
        images: Ids of this run's images.
        needs_image: Tools that cannot go without one.
        torn: Names of native calls whose arguments are no JSON.

    Raises:
        PlannerError: No usable move; the message says what was wrong with each.
    """
    problems = [f"{name[:40]}: the arguments are no JSON" for name in list(torn)[:8]]
    moves: list[Move] = []
    for call in list(tool_calls)[:64]:
        move = _typed(str(call.get("name")), call.get("args"), "", (), problems, tools)
        if move is not None:
            moves.append(move)
    if not tool_calls:
        spelled = spelled_calls(text)
        problems += [f"{name or 'a call'}: it cannot be read" for name in spelled.torn]
        typed = [_typed(c.name, c.args, "", (), problems, tools) for c in spelled.calls]
        moves = [move for move in typed if move is not None]
        if not spelled.calls and not spelled.torn:
            moves = _from_json(spelled.text, tools, problems) or _from_text(spelled.text, tools, problems)
    kept = _checked(moves, images, needs_image, problems)
    if not kept:
        raise PlannerError("; ".join(dict.fromkeys(problems))[:600] or "no move was found in the reply")
    return kept


def sentences_of(text: str, claims: Collection[str]) -> list[Sentence]:
    """Sentences of a reply, from JSON or from lines that start with claim ids. Unknown claim ids are left out.

    Raises:
        PlannerError: No sentence was found.
    """
    found: list[Sentence] = []
    for value in json_values(text):
        entries = value.get("sentences") if isinstance(value, dict) and "sentences" in value else value
        for entry in entries if isinstance(entries, list) else [entries]:
            said = entry.get("text") if isinstance(entry, dict) else None
            if isinstance(entry, dict) and isinstance(said, str) and said.strip():
                ids = entry.get("claims", entry.get("claim", ()))
                ids = [ids] if isinstance(ids, str) else ids
                named = tuple(i for i in ids if isinstance(i, str) and i in claims) if isinstance(ids, list) else ()
                found.append(Sentence(text=said.strip()[:2000], claims=named))
    if not found:
        for line in text[:MAX_REPLY].splitlines():
            match = _TAGGED.match(line)
            if match:
                named = tuple(i.strip() for i in match[1].split(",") if i.strip() in claims)
                found.append(Sentence(text=match[2].strip()[:2000], claims=named))
    if not found:
        raise PlannerError("no sentence was found in the reply")
    return found[:MAX_SENTENCES]
