"""Options that `ask`, `batch` and `mcp` share, and the agent they describe."""

import argparse
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from secondread.schema.errors import UsageError

if TYPE_CHECKING:
    from secondread.agent.agent import Agent
    from secondread.agent.config import Settings

VIEWS = ("PA", "AP", "LATERAL")
PLANES = ("axial", "coronal", "sagittal")


def probability(text: str) -> float:
    """An open probability, for argparse."""
    return number(text, lambda p: 0 < p < 1, "a number between 0 and 1")


def years(text: str) -> float:
    """An age, for argparse."""
    return number(text, lambda a: 0 <= a <= 130, "an age in years from 0 to 130")


def count(text: str) -> int:
    """A number from 1, for argparse."""
    return int(number(text, lambda n: n >= 1 and n == int(n), "a whole number from 1"))


def region(text: str) -> tuple[float, float, float, float]:
    """`x0,y0,x1,y1` in pixels of the image, for argparse."""
    parts = text.split(",")
    try:
        x0, y0, x1, y1 = (float(part) for part in parts)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not x0,y0,x1,y1") from None
    if not all(map(math.isfinite, (x0, y0, x1, y1))) or x1 <= x0 or y1 <= y0:
        raise argparse.ArgumentTypeError(f"{text!r} needs finite numbers with x0 < x1 and y0 < y1")
    return x0, y0, x1, y1


def mask(text: str) -> tuple[str, Any]:
    """`NAME=FILE` or `NAME=FILE:LABEL`, for argparse."""
    name, equals, path = text.partition("=")
    if not equals or not name.strip() or not path:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=FILE or NAME=FILE:LABEL")
    stem, colon, label = path.rpartition(":")
    return name.strip(), ((stem, int(label)) if colon and label.isdecimal() and stem else path)


def choices(text: str) -> tuple[str, ...]:
    """`A,B,..` with at least two different non-empty entries, for argparse."""
    found = tuple(part.strip() for part in text.split(","))
    if len(found) < 2 or not all(found) or len({c.casefold() for c in found}) != len(found):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of two or more different choices, A,B,..")
    return found


def pairs(given: Sequence[str], option: str) -> dict[str, str]:
    """`NAME=VALUE` words as a mapping.

    Raises:
        UsageError: A word is not of that form.
    """
    made = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or not name or not value:
            raise UsageError(f"{one[:80]!r} after {option} is not NAME=VALUE.")
        made[name] = value
    return made


def number(text: str, fits: Callable[[float], bool], what: str) -> float:
    """A number that fits, for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not fits(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not {what}")
    return value


def add_agent_options(parser: argparse.ArgumentParser) -> None:
    """Options that end up in `Settings`."""
    group = parser.add_argument_group("agent")
    group.add_argument(
        "--planner", metavar="P", help="protocol (built in), provider:model, URL of a local server, or a weights folder"
    )
    group.add_argument("--risk", type=probability, metavar="R", help="largest acceptable P(wrong | answered)")
    group.add_argument(
        "--offline", action="store_true", default=None, help="refuse planners on other machines and every connection"
    )
    group.add_argument(
        "--send-pixels", action="store_true", default=None, help="let a remote planner see pixels, not only findings"
    )
    group.add_argument(
        "--corpus", action="append", type=Path, metavar="FOLDER", dest="corpora",
        help="corpus that retrieval tools search; may be given more than once",
    )  # fmt: skip
    group.add_argument(
        "--graph", action="append", type=Path, metavar="FOLDER", dest="graphs",
        help="built graph whose image nodes are walked; may be given more than once",
    )  # fmt: skip
    group.add_argument("--no-cache", action="store_true", help="neither use nor keep results of earlier runs on disk")
    group.add_argument(
        "--no-rethink", dest="rethink", action="store_false", default=None, help="no second look (for experiments)"
    )


def add_image_options(parser: argparse.ArgumentParser) -> None:
    """What the caller knows of the image and the header may lack."""
    group = parser.add_argument_group("stated by you, recorded as stated")
    group.add_argument("--view", type=str.upper, choices=VIEWS, help="projection of the film")
    group.add_argument("--age", type=years, metavar="YEARS", help="age of the patient")


def add_log_option(parser: argparse.ArgumentParser) -> None:
    """Where structured logs go."""
    parser.add_argument(
        "--log-json", type=Path, metavar="FILE", help="append one JSON line per event of the run; no texts, no names"
    )


def settings_of(args: argparse.Namespace) -> "Settings":
    """The settings of a command line."""
    from secondread.agent.config import Settings

    settings = Settings.load(
        planner=args.planner,
        risk=args.risk,
        offline=args.offline,
        send_pixels=args.send_pixels,
        rethink=args.rethink,
        corpora=tuple(args.corpora) if getattr(args, "corpora", None) else None,
        graphs=tuple(args.graphs) if getattr(args, "graphs", None) else None,
    )
    return settings.model_copy(update={"cache_dir": None}) if args.no_cache else settings


def open_agent(settings: "Settings") -> "Agent":
    """The agent that these settings describe."""
    from secondread.agent.agent import Agent

    return Agent(settings.planner, risk=settings.risk, settings=settings)


def output_folder(text: str) -> Any:
    """A folder to write to, checked before any work is done.

    Raises:
        UsageError: It is a file, or lies where nothing can be written.
    """
    import os
    from pathlib import Path

    folder = Path(text)
    nearest = folder.absolute()
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    if not nearest.is_dir():
        raise UsageError(f"{text} cannot be a folder: {nearest} is a file.")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise UsageError(f"{text} cannot be written to.")
    return folder
