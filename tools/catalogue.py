"""One list of every installed tool: built-in ones by folder walk, third-party ones by entry point."""

import contextlib
import importlib
import pkgutil
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, metadata
from inspect import isabstract, isclass, ismodule
from typing import Any, Literal

from secondread.schema.errors import ToolUnavailable, UsageError
from secondread.schema.record import Record
from secondread.tools.base import Card, Tool
from secondread.tools.contract import faults
from secondread.tools.licences import DEFAULT_ALLOWED, card_licences, licence_class, refusal

_NOT_TOOLS = tuple(
    f"secondread.tools.{name}" for name in ("runtime", "remote", "base", "catalogue", "contract", "licences")
)
_CONTRACT = "secondread.tools.base"
"""A module that does not mention the contract defines no tool and is not imported: networks import torch at the top."""
ENTRY_POINT = "secondread.tools"
BUILT_IN = "built in"


class Problem(Record):
    """A module or plug-in that could not be used, and why."""

    where: str
    reason: str
    kind: Literal["import", "contract", "licence", "duplicate", "needs"] = "import"


class Catalogue:
    """The installed tools by name."""

    def __init__(
        self, tools: dict[str, Tool], problems: tuple[Problem, ...] = (), origins: dict[str, str] | None = None
    ) -> None:
        self._tools = dict(sorted(tools.items()))
        self._origins = origins or {}
        self.problems = problems

    def cards(self) -> tuple[Card, ...]:
        """Cards of all tools, by name."""
        return tuple(t.card for t in self._tools.values())

    def names(self) -> tuple[str, ...]:
        """Names of all tools, sorted."""
        return tuple(self._tools)

    def origin(self, name: str) -> str:
        """Where a tool comes from: `built in`, or package and version."""
        return self._origins.get(name, BUILT_IN)

    def get(self, name: str) -> Tool:
        """The tool of this name.

        Raises:
            ToolUnavailable: No such tool is installed; the hint says why when a plug-in of that name was refused.
        """
        try:
            return self._tools[name]
        except KeyError:
            refused = next((p for p in self.problems if p.where.endswith(name)), None)
            hint = f"It was refused: {refused.reason}." if refused else "`secondread tools` lists them."
            raise ToolUnavailable(f"There is no tool named {name!r}.", hint=hint) from None

    def __contains__(self, name: object) -> bool:
        return name in self._tools

    def establishing(self, concept: str) -> list[Tool]:
        """Tools whose card establishes a concept, cheapest first."""
        found = [t for t in self._tools.values() if concept in t.card.establishes]
        return sorted(found, key=lambda t: (t.card.cost_seconds, t.card.name))

    def provider(self, need: str) -> Tool | None:
        """The tool that gives a prerequisite: the one of this name, else the cheapest that establishes the concept."""
        if need in self._tools:
            return self._tools[need]
        found = self.establishing(need)
        return found[0] if found else None

    def only(self, names: tuple[str, ...]) -> "Catalogue":
        """A catalogue of these tools and what they need.

        Raises:
            UsageError: A name is not installed.
        """
        wanted: dict[str, Tool] = {}
        queue = list(names)
        while queue:
            found = self.provider(name) if (name := queue.pop()) not in names else self._tools.get(name)
            if found is None:
                raise UsageError(f"There is no tool named {name!r}.", hint=f"Installed: {', '.join(self._tools)}.")
            if found.card.name not in wanted:
                wanted[found.card.name] = found
                queue.extend(found.card.needs)
        return Catalogue(wanted, self.problems, self._origins)


def classes(module: object, where: str) -> Iterator[type[Tool]]:
    """Tool classes that a module of this name defines itself."""
    for value in vars(module).values():
        if isclass(value) and issubclass(value, Tool) and not isabstract(value) and value.__module__ == where:
            yield value


class _Discovery:
    """Collects tools and what was wrong with others."""

    def __init__(self, allowed: Sequence[str]) -> None:
        self.allowed = allowed
        self.tools: dict[str, Tool] = {}
        self.origins: dict[str, str] = {}
        self.problems: list[Problem] = []

    def refuse(self, where: str, reason: str, kind: Any) -> None:
        self.problems.append(Problem(where=where, reason=reason, kind=kind))

    def add(self, cls: Any, where: str, origin: str = BUILT_IN, package_licence: str = "") -> None:
        wrong = faults(cls)
        if wrong:
            return self.refuse(where, "; ".join(wrong), "contract")
        card: Card = cls.card
        if origin != BUILT_IN:
            where = f"{where}, tool {card.name}"
        unsaid = _unsaid(card, package_licence)
        reason = unsaid or refusal(card, self.allowed)
        if reason:
            return self.refuse(where, reason, "licence")
        if card.name in self.tools:
            return self.refuse(where, f"a tool named {card.name!r} exists already", "duplicate")
        made = cls()
        self.tools[card.name], self.origins[card.name] = made, origin
        return None

    def built_in(self) -> None:
        import secondread.tools as package

        for info in pkgutil.walk_packages(package.__path__, "secondread.tools."):
            if info.ispkg or info.name.startswith(_NOT_TOOLS) or _CONTRACT not in _source(info):
                continue
            try:
                module = importlib.import_module(info.name)
                for cls in classes(module, info.name):
                    self.add(cls, info.name)
            except Exception as error:  # one broken module must not hide the others; the reason is listed
                self.refuse(info.name, f"{type(error).__name__}: {error}", "import")

    def plug_in(self, entry: EntryPoint) -> None:
        where = f"plug-in {entry.name}"
        try:
            # What a plug-in prints must not end up in the JSON of a command.
            with contextlib.redirect_stdout(sys.stderr):
                loaded = entry.load()
            name, version, licence = _package(entry)
            for cls in _offered(loaded):
                self.add(cls, where, f"{name} {version}", licence)
        except (Exception, SystemExit) as error:  # a plug-in is somebody else's code: isolated and listed
            self.refuse(where, f"{type(error).__name__}: {error}", "import")

    def lacking(self) -> None:
        """Drop tools whose prerequisites are not installed, until none is left."""
        again = True
        while again:
            again = False
            for name, found in list(self.tools.items()):
                known = Catalogue(self.tools)
                missing = [n for n in found.card.needs if known.provider(n) is None]
                if missing:
                    self.refuse(name, f"needs tools that are not installed: {', '.join(missing)}", "needs")
                    del self.tools[name]
                    again = True


def _source(info: pkgutil.ModuleInfo) -> str:
    """The text of a module; that of the contract's name when it cannot be had, so that the module is imported."""
    spec = info.module_finder.find_spec(info.name, None)
    get_source = getattr(spec.loader if spec is not None else None, "get_source", None)
    try:
        return str(get_source(info.name)) if get_source is not None else _CONTRACT
    except (ImportError, SyntaxError, OSError):
        return _CONTRACT


def _offered(loaded: Any) -> list[Any]:
    """Tool classes of what an entry point names: a class, a module, or a list of classes."""
    if ismodule(loaded):
        return list(classes(loaded, loaded.__name__))
    return list(loaded) if isinstance(loaded, list | tuple) else [loaded]


def _package(entry: EntryPoint) -> tuple[str, str, str]:
    """Name, version and licence text of the package behind an entry point."""
    if entry.dist is None:
        return entry.value.partition(":")[0], "unknown", ""
    try:
        about = metadata(entry.dist.name)
    except PackageNotFoundError:
        about = entry.dist.metadata
    stated = next((about[key] for key in ("License-Expression", "License") if key in about), "")
    classifiers = [c.rpartition("::")[2].strip() for c in about.get_all("Classifier") or () if c.startswith("License")]
    return entry.dist.name, entry.dist.version, stated.splitlines()[0] if stated else ", ".join(classifiers)


def _unsaid(card: Card, package_licence: str) -> str | None:
    """Why a card hides what the licence of its package asks for, or None."""
    if not package_licence:
        return None
    package = licence_class(package_licence)
    told = {kind for _, _, kind in card_licences(card)}
    if package in ("copyleft", "non_commercial") and package not in told:
        return f"its package is under {package_licence} ({package.replace('_', '-')}) and its card does not say so"
    return None


def discover(allowed: Sequence[str] = DEFAULT_ALLOWED) -> Catalogue:
    """Import every tool module and plug-in; one that fails is listed under `problems` and hides nothing else.

    Args:
        allowed: Licences that the user accepts, see `secondread.tools.licences.refusal`.
    """
    found = _Discovery(allowed)
    found.built_in()
    for entry in sorted(entry_points(group=ENTRY_POINT), key=lambda e: (e.name, e.value)):
        found.plug_in(entry)
    found.lacking()
    return Catalogue(found.tools, tuple(found.problems), found.origins)


@cache
def _discovered(allowed: tuple[str, ...]) -> Catalogue:
    return discover(allowed)


def catalogue(allowed: Sequence[str] = DEFAULT_ALLOWED) -> Catalogue:
    """The catalogue of this process under a choice of licences; discovered once."""
    return _discovered(tuple(allowed))
