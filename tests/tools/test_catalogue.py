"""Discovery: plug-ins are isolated, refused ones are listed with the reason, prerequisites are found."""

import sys
from collections.abc import Callable
from importlib.metadata import Distribution, EntryPoint
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from secondread.schema.errors import ToolUnavailable, UsageError
from secondread.schema.evidence import Finding, Findings, Measurements
from secondread.tools import catalogue as module
from secondread.tools.base import Card, Context, Tool, ToolRequest, tool
from secondread.tools.catalogue import Catalogue, catalogue, discover
from secondread.tools.contract import faults, result_types, shortcomings

GOOD = '''
from secondread.schema.evidence import Finding, Findings
from secondread.tools.base import Card, ToolRequest, tool

@tool(
    Card(name="{name}", version="1", summary="A test.", kind="finding", establishes=("x",), licence="{licence}"{more}),
    request=ToolRequest, result=Findings, summary=lambda result: "x",
)
def run(request, ctx):
    """A test."""
    return Findings(items=(Finding(concept="x"),))
'''

Install = Callable[..., None]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Install:
    """`install(module name, source, licence of the package)`: a plug-in as entry points show it."""
    entries: list[EntryPoint] = []
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(module, "entry_points", lambda group: entries if group == "secondread.tools" else [])

    def one(name: str, source: str, licence: str = "Apache-2.0", value: str | None = None) -> None:
        (tmp_path / f"{name}.py").write_text(source)
        monkeypatch.delitem(sys.modules, name, raising=False)
        info = tmp_path / f"{name}-2.1.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 2.1\nLicense: {licence}\n")
        entry = EntryPoint(name=name, value=value or name, group="secondread.tools")
        entries.append(entry._for(Distribution.at(info)))  # type: ignore[attr-defined]  # how the library ties the two

    return one


def reasons(found: Catalogue) -> dict[str, tuple[str, str]]:
    return {p.where: (p.kind, p.reason) for p in found.problems if p.where.startswith("plug-in")}


def test_a_plug_in_joins_the_catalogue_with_its_package_named(install: Install) -> None:
    install("plug_good", GOOD.format(name="plug_good_tool", licence="MIT", more=""))
    found = discover()
    assert "plug_good_tool" in found
    assert found.origin("plug_good_tool") == "plug_good 2.1"
    assert found.origin("film_quality") == "built in"
    assert not reasons(found)


@pytest.mark.parametrize(
    ("name", "source", "licence", "kind", "words"),
    [
        ("plug_broken", "import nothing_of_this_name\n", "MIT", "import", "ModuleNotFoundError"),
        ("plug_leaves", "import sys\nsys.exit(3)\n", "MIT", "import", "SystemExit"),
        ("plug_syntax", "def broken(:\n", "MIT", "import", "SyntaxError"),
        ("plug_twice", GOOD.format(name="film_quality", licence="MIT", more=""), "MIT", "duplicate", "exists already"),
        ("plug_nc", GOOD.format(name="a", licence="CC-BY-NC-4.0", more=""), "MIT", "licence", "non-commercial"),
        ("plug_none", GOOD.format(name="a", licence="", more=""), "MIT", "licence", "not stated"),
        ("plug_hides", GOOD.format(name="a", licence="MIT", more=""), "AGPL-3.0", "licence", "does not say so"),
        (
            "plug_field",
            GOOD.format(name="a", licence="MIT", more=', needs=("heart",)'),
            "MIT",
            "contract",
            "lacks fields",
        ),
    ],
)
def test_a_plug_in_that_cannot_be_used_is_listed_and_hides_nothing(
    install: Install, name: str, source: str, licence: str, kind: str, words: str
) -> None:
    install(name, source, licence)
    install("plug_fine", GOOD.format(name="still_here", licence="MIT", more=""))
    found = discover()
    [(where, (how, reason))] = reasons(found).items()
    assert where.startswith(f"plug-in {name}")
    assert how == kind
    assert words in reason
    assert "still_here" in found
    assert "cardiothoracic_ratio" in found


def test_what_a_plug_in_prints_on_import_does_not_reach_stdout(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    install("plug_loud", "print('hello')\n" + GOOD.format(name="loud", licence="MIT", more=""))
    assert "loud" in discover()
    assert capsys.readouterr().out == ""


def test_an_entry_point_may_name_a_class_or_something_that_is_none(install: Install) -> None:
    install("plug_class", GOOD.format(name="by_class", licence="MIT", more=""), value="plug_class:run")
    install("plug_number", "answer = 42\n", value="plug_number:answer")
    found = discover()
    assert "by_class" in found
    assert reasons(found)["plug-in plug_number"] == ("contract", "int is not a Tool class")


def test_the_user_decides_which_licences_are_used(install: Install) -> None:
    install("plug_nc", GOOD.format(name="restricted", licence="CC-BY-NC-4.0", more=""), "CC-BY-NC-4.0")
    assert "restricted" not in discover()
    with pytest.raises(ToolUnavailable, match="non-commercial"):
        discover().get("restricted")
    assert "restricted" in discover(("permissive", "copyleft", "non_commercial"))


def made(name: str, *, needs: tuple[str, ...] = (), establishes: tuple[str, ...] = (), cost: float = 1.0) -> Tool:
    fields: dict[str, Any] = {
        "__doc__": "A test.",
        "__annotations__": dict.fromkeys(needs, str),
        "__module__": __name__,
    }
    request = type("Request", (ToolRequest,), fields)
    card = Card(
        name=name, version="1", summary=name, kind="finding", establishes=establishes, needs=needs, cost_seconds=cost
    )

    @tool(card, request=request, result=Findings, summary=lambda r: "")
    def one(request: ToolRequest, ctx: Context) -> Findings:
        """A test."""
        return Findings(items=(Finding(concept="x"),))

    return one()


def test_a_need_is_a_tool_or_a_concept_that_the_cheapest_tool_gives() -> None:
    found = Catalogue({n: made(n, establishes=("heart",), cost=c) for n, c in (("slow", 2.0), ("quick", 0.5))})
    assert found.provider("slow") is found.get("slow")
    assert found.provider("heart") is found.get("quick")
    assert found.provider("liver") is None


def test_a_choice_of_tools_takes_what_they_need_along_and_refuses_unknown_names() -> None:
    tools = {t.card.name: t for t in (made("base", establishes=("heart",)), made("top", needs=("heart",)), made("z"))}
    assert Catalogue(tools).only(("top",)).names() == ("base", "top")
    with pytest.raises(UsageError, match="heart"):
        Catalogue(tools).only(("heart",))


def test_faults_of_a_class_are_named() -> None:
    good = type(made("one"))
    assert faults(good) == []
    assert faults(SimpleNamespace())[0].endswith("is not a Tool class")
    assert "promises finding" in faults(type("Other", (good,), {"Result": Measurements}))[0]
    assert "no Card" in faults(type("Bare", (good,), {"card": None}))[0]
    assert "not a ToolRequest" in faults(type("Odd", (good,), {"Request": int}))[0]
    assert "tool_failure" not in result_types()


def test_every_built_in_card_is_complete() -> None:
    found = catalogue()
    assert not found.problems
    short = {name: shortcomings(type(found.get(name))) for name in found.names()}
    assert not {name: told for name, told in short.items() if told}
