"""Print every setting, its value and where it comes from."""

import argparse

from secondread.serve.cli.console import print_json, table


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Print the settings."""
    from secondread.agent.config import FILE_NAME, PREFIX, resolve

    settings, origin = resolve()
    values = settings.model_dump(mode="json")
    if args.json:
        print_json({name: {"value": value, "from": origin[name]} for name, value in values.items()})
        return 0
    print(table([(name, "none" if value is None else str(value), origin[name]) for name, value in values.items()]))
    print(f"\nSet one by option, by {PREFIX}<NAME> in the environment, or in {FILE_NAME}.")
    return 0
