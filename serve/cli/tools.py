"""List the installed expert tools, or show the whole card of one."""

import argparse
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from secondread.serve.cli.console import one_line, print_json, table

if TYPE_CHECKING:
    from secondread.schema.evidence import CalibrationRecord
    from secondread.tools.base import Tool
    from secondread.tools.catalogue import Catalogue


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("name", nargs="?", help="show the card of this tool")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Print the list or the card."""
    from secondread.agent.config import Settings
    from secondread.agent.installed import installed_tools

    installed = installed_tools(Settings.load())
    if args.name is not None:
        return _card(installed, args.name, args.json)
    if args.json:
        print_json(
            {
                "tools": [
                    {**card.model_dump(mode="json"), **_about(installed, card.name)} for card in installed.cards()
                ],
                "refused": [problem.model_dump(mode="json") for problem in installed.problems],
            }
        )
        return 0
    print(table([(c.name, c.kind, _marks(installed, c.name) + one_line(c.summary, 100)) for c in installed.cards()]))
    for problem in installed.problems:
        print(f"secondread: {problem.where} is not usable: {one_line(problem.reason)}", file=sys.stderr)
    return 0


def _about(installed: "Catalogue", name: str) -> dict[str, Any]:
    """Where a tool comes from, and what its licences ask for."""
    from secondread.tools.licences import card_licences

    classes = {part: kind for part, _, kind in card_licences(installed.get(name).card)}
    return {"origin": installed.origin(name), "licence_class": classes}


def _marks(installed: "Catalogue", name: str) -> str:
    """What a list must not hide: a plug-in, a licence that asks for something."""
    about = _about(installed, name)
    marks = [] if about["origin"] == "built in" else [about["origin"]]
    marks += sorted({kind.replace("_", "-") for kind in about["licence_class"].values() if kind != "permissive"})
    return f"[{', '.join(marks)}] " if marks else ""


def _card(installed: "Catalogue", name: str, as_json: bool) -> int:
    from secondread.schema.errors import ToolUnavailable, UsageError

    try:
        tool = installed.get(name)
    except ToolUnavailable as error:
        raise UsageError(error.message, hint=error.hint) from None
    if as_json:
        print_json(
            {
                **tool.card.model_dump(mode="json"),
                **_about(installed, name),
                "request_schema": tool.request_schema(),
                "result_schema": tool.result_schema(),
            }
        )
        return 0
    print(table(_rows(installed, tool)))
    return 0


def _rows(installed: "Catalogue", tool: "Tool") -> list[tuple[str, str]]:
    """The card as rows of a table, with its request and result."""
    from secondread.tools.licences import licence_class

    card = tool.card
    rows = [
        ("name", f"{card.name} {card.version}, {installed.origin(card.name)}"),
        ("summary", one_line(card.summary)),
        ("kind", card.kind),
        ("establishes", ", ".join(card.establishes) or "-"),
        ("valid for", "; ".join(_valid_for(card))),
        ("outside that", "a caveat on the result" if card.outside == "caveat" else "refused"),
        ("needs", ", ".join(card.needs) or "-"),
        ("gates", ", ".join(card.gates) or "-"),
        *_fields("argument", tool.request_schema()),
        *_fields("result", tool.result_schema()),
        ("time", f"about {card.cost_seconds:g} s, at most {card.timeout_seconds:g} s"),
        ("runs", f"on {'/'.join(card.devices)} in {card.precision}, up to {card.max_batch} at once; {_process(card)}"),
        ("repeats", f"within {card.tolerance:g} of its numbers, on any of these devices and in any batch"),
        ("licence", f"{card.licence} ({licence_class(card.licence).replace('_', '-')})"),
        ("intended use", card.intended_use),
    ]
    if card.weights is not None:
        kind = licence_class(card.weights.licence).replace("_", "-")
        rows += [
            ("weights", f"{', '.join(card.weights.files)} ({card.weights.status})"),
            ("weights licence", f"{one_line(card.weights.licence)} ({kind})"),
            ("weights source", one_line(card.weights.source)),
            ("weights sha256", card.weights.sha256),
        ]
    rows += [("limit", one_line(limit)) for limit in card.limits]
    for record in card.calibration:
        rows += [("calibration", line) for line in _calibration(record)]
    if not card.calibration:
        rows.append(("calibration", "none: what it says is support, no probability"))
    return rows


def _process(card: Any) -> str:
    kept = {"disk": "results are kept on disk", "memory": "results are kept in memory", "none": "results are not kept"}
    return f"in {'a process of its own' if card.isolate else 'this process'}; {kept[card.cache]}"


def _valid_for(card: Any) -> list[str]:
    dimension = {2: "single images", 3: "volumes", None: "single images and volumes"}[card.dimension]
    return [
        dimension if card.image != "none" else "no image",
        f"modality {'/'.join(card.modality) or 'any'}",
        f"view {'/'.join(card.views) or 'any'}",
        f"population {card.population}",
        f"anatomy {card.anatomy}",
    ]


def _fields(label: str, schema: dict[str, Any]) -> list[tuple[str, str]]:
    """One row per field of a JSON schema: name, type, whether it must be given, what it says."""
    rows = []
    for name, field in schema.get("properties", {}).items():
        asked = " (required)" if label == "argument" and name in schema.get("required", ()) else ""
        told = one_line(field.get("description", ""), 120)
        rows.append((label, f"{name}: {_type(field)}{asked}{'. ' + told if told else ''}"))
    return rows or [(label, "-")]


def _type(field: dict[str, Any]) -> str:
    """A JSON schema type in words."""
    if "anyOf" in field:
        return " or ".join(dict.fromkeys(_type(one) for one in field["anyOf"]))
    if "$ref" in field:
        return str(field["$ref"].rpartition("/")[2])
    if "enum" in field:
        return "/".join(map(str, field["enum"]))
    if "const" in field:
        return repr(field["const"])
    kind = str(field.get("type", "value"))
    inner = field.get("items") or field.get("additionalProperties")
    return f"{kind} of {_type(inner)}" if isinstance(inner, dict) and inner else kind


def _calibration(record: "CalibrationRecord") -> list[str]:
    """A record: what and on what, then one line per measured figure."""
    lines = [f"{record.name}: {record.method}; {record.data}, n {record.n}, {record.date}"]
    return lines + [f"{record.name}, {name}: {figure}" for name, figure in _figures("", record.figures)]


def _figures(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """Leaves of nested figures; a value with its interval and n is one leaf."""
    if isinstance(value, dict) and "value" not in value:
        for key, inner in value.items():
            yield from _figures(f"{name} {key}".strip().replace("_", " "), inner)
    elif isinstance(value, dict):
        told = [f"{key} {_number(value[key])}" for key in value if key not in ("value", "low", "high")]
        if "low" in value and "high" in value:
            told.insert(0, f"{_number(value['low'])} to {_number(value['high'])}")
        yield name, _number(value["value"]) + (f" ({', '.join(told)})" if told else "")
    elif isinstance(value, list | tuple):
        yield name, ", ".join(map(_number, value))
    else:
        yield name, _number(value)


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else one_line(str(value), 160)
