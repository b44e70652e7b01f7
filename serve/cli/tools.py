"""List the installed expert tools, or show the card of one."""

import argparse
import sys

from secondread.serve.cli.console import one_line, print_json, table


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("name", nargs="?", help="show the card of this tool")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Print the list or the card."""
    from secondread.tools.catalogue import catalogue

    installed = catalogue()
    if args.name is not None:
        return _card(args.name, args.json)
    if args.json:
        print_json([card.model_dump(mode="json") for card in installed.cards()])
    else:
        print(table([(card.name, card.kind, one_line(card.summary, 100)) for card in installed.cards()]))
    for problem in installed.problems:
        print(f"secondread: {problem.where} is not usable: {one_line(problem.reason)}", file=sys.stderr)
    return 0


def _card(name: str, as_json: bool) -> int:
    from secondread.schema.errors import ToolUnavailable, UsageError
    from secondread.tools.catalogue import catalogue

    try:
        tool = catalogue().get(name)
    except ToolUnavailable as error:
        raise UsageError(error.message, hint=error.hint) from None
    card = tool.card
    own = {n: f for n, f in tool.Request.model_json_schema().get("properties", {}).items() if n not in card.needs}
    if as_json:
        print_json({**card.model_dump(mode="json"), "arguments": own})
        return 0
    rows = [
        ("name", f"{card.name} {card.version}"),
        ("summary", one_line(card.summary)),
        ("kind", card.kind),
        ("establishes", ", ".join(card.establishes) or "-"),
        ("valid for", "; ".join(_valid_for(card.modality, card.views, card.population, card.anatomy))),
        ("outside that", "a caveat on the result" if card.outside == "caveat" else "refused"),
        ("needs", ", ".join(card.needs) or "-"),
        ("arguments", ", ".join(own) or "-"),
        ("time", f"about {card.cost_seconds:g} s, at most {card.timeout_seconds:g} s"),
        ("licence", card.licence),
        ("intended use", card.intended_use),
    ]
    if card.weights is not None:
        rows += [
            ("weights", ", ".join(card.weights.files)),
            ("weights licence", card.weights.licence),
            ("weights source", one_line(card.weights.source)),
            ("weights sha256", card.weights.sha256),
        ]
    rows += [("limit", one_line(limit)) for limit in card.limits]
    rows += [("calibration", f"{c.name}: {c.method}; {c.data}, n {c.n}") for c in card.calibration]
    print(table(rows))
    return 0


def _valid_for(modality: tuple[str, ...], views: tuple[str, ...], population: str, anatomy: str) -> list[str]:
    return [
        f"modality {'/'.join(modality) or 'any'}",
        f"view {'/'.join(views) or 'any'}",
        f"population {population}",
        f"anatomy {anatomy}",
    ]
