"""One list of every installed tool: built-in ones by folder walk, third-party ones by entry point."""

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from importlib.metadata import entry_points
from inspect import isabstract, isclass
from typing import Any

from secondread.schema.errors import ToolUnavailable, UsageError
from secondread.schema.record import Record
from secondread.tools.base import Card, Tool

_NOT_TOOLS = ("secondread.tools.runtime", "secondread.tools.base", "secondread.tools.catalogue")
_NETWORKS = "network"
"""Modules with this ending define torch modules at their top: a tool imports its own on loading, discovery none."""
ENTRY_POINT = "secondread.tools"


class Problem(Record):
    """A module or plug-in that could not be used, and why."""

    where: str
    reason: str


class Catalogue:
    """The installed tools by name."""

    def __init__(self, tools: dict[str, Tool], problems: tuple[Problem, ...] = ()) -> None:
        self._tools = dict(sorted(tools.items()))
        self.problems = problems

    def cards(self) -> tuple[Card, ...]:
        """Cards of all tools, by name."""
        return tuple(t.card for t in self._tools.values())

    def names(self) -> tuple[str, ...]:
        """Names of all tools, sorted."""
        return tuple(self._tools)

    def get(self, name: str) -> Tool:
        """The tool of this name.

        Raises:
            ToolUnavailable: No such tool is installed.
        """
        try:
            return self._tools[name]
        except KeyError:
            raise ToolUnavailable(f"There is no tool named {name!r}.", hint="`secondread tools` lists them.") from None

    def __contains__(self, name: object) -> bool:
        return name in self._tools

    def establishing(self, concept: str) -> list[Tool]:
        """Tools whose card establishes a concept, cheapest first."""
        found = [t for t in self._tools.values() if concept in t.card.establishes]
        return sorted(found, key=lambda t: (t.card.cost_seconds, t.card.name))

    def only(self, names: tuple[str, ...]) -> "Catalogue":
        """A catalogue of these tools and what they need.

        Raises:
            UsageError: A name is not installed.
        """
        wanted: dict[str, Tool] = {}
        queue = list(names)
        while queue:
            name = queue.pop()
            if name not in self._tools:
                raise UsageError(f"There is no tool named {name!r}.", hint=f"Installed: {', '.join(self._tools)}.")
            if name not in wanted:
                wanted[name] = self._tools[name]
                queue.extend(self._tools[name].card.needs)
        return Catalogue(wanted, self.problems)


def _classes(module: object, where: str) -> Iterator[type[Tool]]:
    for value in vars(module).values():
        if isclass(value) and issubclass(value, Tool) and not isabstract(value) and value.__module__ == where:
            yield value


def discover() -> Catalogue:
    """Import every tool module and plug-in; one that fails is listed under `problems` and hides nothing else."""
    import secondread.tools as package

    tools: dict[str, Tool] = {}
    problems: list[Problem] = []

    def add(cls: type[Tool], where: str) -> None:
        name = cls.card.name
        if name in tools:
            problems.append(Problem(where=where, reason=f"a tool named {name!r} exists already"))
            return
        missing = [n for n in cls.card.needs if n not in cls.Request.model_fields]
        if missing:
            problems.append(Problem(where=where, reason=f"its Request lacks fields for its needs: {missing}"))
            return
        tools[name] = cls()

    for info in pkgutil.walk_packages(package.__path__, "secondread.tools."):
        if info.ispkg or info.name.startswith(_NOT_TOOLS) or info.name.endswith(_NETWORKS):
            continue
        try:
            module = importlib.import_module(info.name)
        except Exception as error:  # one broken module must not hide the others; the reason is listed
            problems.append(Problem(where=info.name, reason=f"{type(error).__name__}: {error}"))
            continue
        for cls in _classes(module, info.name):
            add(cls, info.name)
    for entry in entry_points(group=ENTRY_POINT):
        try:
            loaded = entry.load()
            offered: list[Any] = [loaded] if isclass(loaded) else list(_classes(loaded, loaded.__name__))
            for cls in offered:
                add(cls, entry.value)
        except Exception as error:  # a plug-in is somebody else's code: isolated and listed
            problems.append(Problem(where=f"entry point {entry.name}", reason=f"{type(error).__name__}: {error}"))
    for name, found in list(tools.items()):
        lacking = [n for n in found.card.needs if n not in tools]
        if lacking:
            problems.append(Problem(where=name, reason=f"needs tools that are not installed: {lacking}"))
            del tools[name]
    return Catalogue(tools, tuple(problems))


@cache
def catalogue() -> Catalogue:
    """The catalogue of this process; discovered once."""
    return discover()
