"""How the common families of chat models spell tool calls in plain text, read without evaluating any of it.

- Qwen, Hermes: `<tool_call>{"name": .., "arguments": {..}}</tool_call>`, or inside it
  `<function=name><parameter=x>..</parameter></function>`.
- Llama 3 and 4: `<|python_tag|>{"name": .., "parameters": {..}}`, several with `;` between them; the same without the
  mark; `<function=name>{..}</function>`; `[name(x=1), ..]`.
- Mistral: `[TOOL_CALLS][{"name": .., "arguments": {..}}]`, or `[TOOL_CALLS]name[ARGS]{..}` once per call.
- Gemma: a fenced block `tool_code` with `name(x=1)`, or `json`;
  `<start_function_call>call:name{x:..}<end_function_call>`.
"""

import ast
import json
import re
from typing import Any, NamedTuple

from secondread.agent.planners.json_values import MAX_REPLY, json_values

MAX_CALLS = 16
_MAX_CODE = 2_000
"""Characters of one piece of call syntax: its parser is recursive."""
_NAME = r"[A-Za-z_][\w.-]{0,63}"
_THOUGHTS = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
_QWEN = re.compile(r"<tool_call>(.*?)(?:</tool_call>|(?=<tool_call>)|\Z)", re.DOTALL)
_XML = re.compile(rf"<function=({_NAME})>(.*?)(?:</function>|\Z)", re.DOTALL)
_XML_ARGUMENT = re.compile(r"<parameter=([\w.-]{1,64})>\n?(.*?)\n?(?:</parameter>|(?=<parameter=)|\Z)", re.DOTALL)
_LLAMA = re.compile(r"<\|python_tag\|>(.*?)(?:<\|eom_id\|>|<\|eot_id\|>|\Z)", re.DOTALL)
_MISTRAL = re.compile(r"\[TOOL_CALLS\](.*?)(?=\[TOOL_CALLS\]|</s>|\Z)", re.DOTALL)
_MISTRAL_NAMED = re.compile(rf"\s*({_NAME})\s*(?:\[CALL_ID\]\s*\w*\s*)?(?:\[ARGS\])?\s*(?=\{{)(.*)", re.DOTALL)
_FENCED = re.compile(r"```(tool_code|tool_call|json|python)?[ \t]*\n(.*?)(?:```|\Z)", re.DOTALL)
_GEMMA = re.compile(
    rf"<start_function_call>\s*call:({_NAME})(\{{.*?\}})\s*(?:<end_function_call>|(?=<start_function_call>)|\Z)",
    re.DOTALL,
)
_GEMMA_ARGUMENT = re.compile(r"[{,]\s*([\w.-]{1,64}):(?:<escape>(.*?)<escape>|([^,{}<>]*))(?=\s*[,}])", re.DOTALL)


class Spelled(NamedTuple):
    """One call as a model wrote it."""

    name: str
    args: dict[str, Any]


class Spellings(NamedTuple):
    """What a reply holds."""

    calls: tuple[Spelled, ...]
    torn: tuple[str, ...]
    """Begun calls that cannot be read, by name where one can be told."""
    text: str
    """The reply without calls and thoughts."""


def spelled_calls(text: str) -> Spellings:
    """The calls in a reply, in its order, by whichever family's marks it carries.

    A reply with none of the marks has no calls here, except a whole reply that is one JSON call or a list of calls in
    call syntax, which Llama writes without any.
    """
    text = _THOUGHTS.sub("", text[:MAX_REPLY])
    calls: list[Spelled] = []
    torn: list[str] = []
    rest = text
    for pattern, read in ((_MISTRAL, _mistral), (_QWEN, _block), (_LLAMA, _block), (_GEMMA, _gemma), (_XML, _xml)):
        found = list(pattern.finditer(rest))[:MAX_CALLS]
        for match in found:
            read(match, calls, torn)
        if found:
            rest = pattern.sub("", rest)
    if not calls and not torn:
        for match in list(_FENCED.finditer(rest))[:MAX_CALLS]:
            before = len(calls)
            if match[1] in ("json", None, "tool_call"):
                _json_calls(match[2], calls)
            if match[1] in ("tool_code", "python", None) and len(calls) == before:
                _code_calls(match[2], calls)
            if match[1] in ("tool_code", "tool_call") and len(calls) == before:
                torn.append("")
            if len(calls) > before:
                rest = rest.replace(match[0], "")
    if not calls and not torn:
        whole = rest.strip()
        if whole.startswith("{"):
            _json_calls(whole, calls)
        elif re.match(rf"\[\s*{_NAME}\s*\(", whole):
            _code_calls(whole, calls)
        rest = "" if calls else rest
    return Spellings(tuple(calls[:MAX_CALLS]), tuple(torn[:MAX_CALLS]), rest.strip())


def _block(match: re.Match[str], calls: list[Spelled], torn: list[str]) -> None:
    """The inside of a marked block: JSON, XML or call syntax."""
    inside = match[1]
    before = len(calls)
    xml = list(_XML.finditer(inside))
    for one in xml:
        _xml(one, calls, torn)
    if xml:
        return
    if "{" in inside:
        _json_calls(inside, calls)
    if len(calls) == before:
        _code_calls(inside, calls)
    if len(calls) == before:
        named = re.search(rf'"name"\s*:\s*"({_NAME})"', inside)
        torn.append(named[1] if named else "")


def _mistral(match: re.Match[str], calls: list[Spelled], torn: list[str]) -> None:
    named = _MISTRAL_NAMED.match(match[1])
    if named is None:
        _block(match, calls, torn)
        return
    args = next(json_values(named[2]), None)
    if isinstance(args, dict):
        calls.append(Spelled(named[1], args))
    else:
        torn.append(named[1])


def _gemma(match: re.Match[str], calls: list[Spelled], torn: list[str]) -> None:
    args = {m[1]: m[2] if m[2] is not None else _scalar(m[3]) for m in _GEMMA_ARGUMENT.finditer(match[2])}
    calls.append(Spelled(match[1], args))


def _xml(match: re.Match[str], calls: list[Spelled], torn: list[str]) -> None:
    """`<function=name>` with parameters as elements, or as one JSON object."""
    inside = match[2]
    parameters = {m[1]: _scalar(m[2]) for m in _XML_ARGUMENT.finditer(inside)}
    if not parameters and "{" in inside:
        found = next(json_values(inside), None)
        if not isinstance(found, dict):
            torn.append(match[1])
            return
        parameters = found
    calls.append(Spelled(match[1], parameters))


def _json_calls(text: str, calls: list[Spelled]) -> None:
    """Calls written as JSON objects, alone, in lists, or under `tool_calls`."""
    for value in json_values(text):
        wrapped = value.get("tool_calls") if isinstance(value, dict) else None
        for entry in wrapped if isinstance(wrapped, list) else value if isinstance(value, list) else [value]:
            if not isinstance(entry, dict):
                continue
            inner = entry.get("function")
            entry = inner if isinstance(inner, dict) else entry
            name = entry.get("name", inner if isinstance(inner, str) else None)
            args: Any = next((entry[k] for k in ("arguments", "parameters", "args") if k in entry), {})
            if isinstance(args, str):
                args = next(json_values(args), None)
            if isinstance(name, str) and re.fullmatch(_NAME, name) and isinstance(args, dict):
                calls.append(Spelled(name, args))


def _code_calls(text: str, calls: list[Spelled]) -> None:
    """Calls in the syntax of Python with keyword arguments that are plain values; anything else is passed over."""
    text = text.strip()
    if len(text) > _MAX_CODE:
        return
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for statement in body:
        value = statement.value if isinstance(statement, ast.Expr | ast.Assign) else None
        nodes = value.elts if isinstance(value, ast.List | ast.Tuple) else [value]
        for node in nodes:
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print" and node.args:
                node = node.args[0]
            if not isinstance(node, ast.Call):
                continue
            func = node.func  # `default_api.name(..)` and `name.call(..)` are spellings of `name(..)`
            if isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name):
                name = func.value.id if func.attr == "call" else func.attr
            elif isinstance(func, ast.Name):
                name = func.id
            else:
                continue
            try:
                args = {k.arg: ast.literal_eval(k.value) for k in node.keywords if k.arg is not None}
            except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
                continue
            if not node.args and all(_plain(v) for v in args.values()):
                calls.append(Spelled(name, args))


def _plain(value: Any) -> bool:
    """Whether a literal is a JSON value."""
    if isinstance(value, dict):
        return all(isinstance(k, str) and _plain(v) for k, v in value.items())
    return all(map(_plain, value)) if isinstance(value, list) else value is None or isinstance(value, str | int | float)


def _scalar(text: str) -> Any:
    text = text.strip()
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
