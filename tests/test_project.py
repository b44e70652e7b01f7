"""The project's own promises: packages, import arrows, light start, public names, README commands."""

import ast
import itertools
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

TOP = Path(__file__).parents[1]
PARTS = ("schema", "imaging", "kg", "tools", "agent", "prompts", "serve", "evals", "training", "testing")
BELOW = {
    "schema": set[str](),
    "imaging": {"schema"},
    "kg": {"schema"},
    "prompts": {"schema"},
    "tools": {"schema", "imaging", "kg"},
    "agent": {"schema", "imaging", "kg", "tools", "prompts"},
    "serve": {"schema", "imaging", "kg", "tools", "agent", "prompts", "evals", "training"},
    "evals": {"schema", "imaging", "kg", "tools", "agent", "prompts", "training"},
    "training": {"schema", "imaging", "kg", "tools", "agent", "prompts", "evals"},
    "testing": {"schema", "imaging", "kg", "tools"},
}
"""What each part may import besides itself. `serve` may reach evals and training only inside functions."""

with (TOP / "pyproject.toml").open("rb") as _file:
    PROJECT = tomllib.load(_file)


def folders_with_code() -> Iterator[str]:
    for part in PARTS:
        for folder in (TOP / part, *(TOP / part).rglob("*/")):
            if folder.is_dir() and any(folder.glob("*.py")) and "__pycache__" not in folder.parts:
                relative = folder.relative_to(TOP)
                if relative != Path("agent/facade"):
                    yield ".".join(("secondread", *relative.parts))


def modules() -> Iterator[Path]:
    for part in PARTS:
        yield from (TOP / part).rglob("*.py")


def test_the_package_list_equals_the_folders_on_disk() -> None:
    listed = PROJECT["tool"]["setuptools"]["packages"]
    assert len(listed) == len(set(listed))
    assert set(listed) == {"secondread", *folders_with_code()}
    for name in folders_with_code():
        assert (TOP / Path(*name.split(".")[1:]) / "__init__.py").exists(), f"{name} lacks __init__.py"


def imported(tree: ast.AST, top_level: bool) -> Iterator[str]:
    """Names that a module imports; with `top_level` only those that importing it executes."""
    queue = list(ast.iter_child_nodes(tree))
    while queue:
        node = queue.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif top_level and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        elif top_level and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            queue.extend(node.orelse)
            continue
        queue.extend(ast.iter_child_nodes(node))


def part_of(name: str) -> str | None:
    words = name.split(".")
    return words[1] if words[0] == "secondread" and len(words) > 1 and words[1] in PARTS else None


@pytest.mark.parametrize("part", PARTS)
def test_imports_follow_the_arrows(part: str) -> None:
    for path in (TOP / part).rglob("*.py"):
        if path.is_relative_to(TOP / "agent" / "facade"):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for name in imported(tree, top_level=False):
            found = part_of(name)
            assert found in {None, part, *BELOW[part]}, f"{path.relative_to(TOP)} imports {name}"
        for name in imported(tree, top_level=True):
            assert not (part == "serve" and part_of(name) in ("evals", "training")), f"{path}: {name} at the top"


def loaded_by(code: str) -> set[str]:
    """Top-level names of the modules in memory after some code, in a fresh interpreter."""
    script = f"import sys\n{code}\nprint('\\n'.join(sorted({{m.split('.')[0] for m in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True)
    return set(done.stdout.split())


HEAVY = {"torch", "langgraph", "langchain_core", "pydicom", "monai", "scipy", "mcp"}


def test_importing_the_package_and_help_load_nothing_heavy() -> None:
    assert "secondread" in loaded_by("import secondread")
    assert not loaded_by("import secondread") & {*HEAVY, "numpy", "pydantic"}
    quiet = "import io, contextlib\nwith contextlib.redirect_stdout(io.StringIO()):\n    "
    help_page = f"from secondread.serve.cli.main import main\n{quiet}assert main(['--help']) == 0"
    assert not loaded_by(help_page) & {*HEAVY, "numpy", "pydantic"}


def test_the_catalogue_loads_no_framework() -> None:
    code = (
        "from secondread.tools.catalogue import catalogue\nassert catalogue().names()\nassert not catalogue().problems"
    )
    assert not loaded_by(code) & {"torch", "langgraph", "monai", "mcp"}


def test_public_names_are_listed_and_come_from_the_package() -> None:
    import secondread

    assert dir(secondread) == sorted(secondread.__all__)
    for name in secondread.__all__:
        value = getattr(secondread, name)
        if name != "__version__":
            assert value.__module__.startswith("secondread.")
    assert secondread.__version__ == PROJECT["project"]["version"]
    with pytest.raises(AttributeError):
        secondread.nonsense  # noqa: B018 - the access is what is tested


def test_every_module_says_what_it_is_for() -> None:
    for path in modules():
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), (
            f"{path.relative_to(TOP)} has no docstring"
        )


def test_no_module_is_longer_than_500_lines() -> None:
    long = {str(p.relative_to(TOP)): n for p in modules() if (n := len(p.read_text().splitlines())) > 500}
    assert not long


def readme_commands() -> list[str]:
    """Command lines of the README's first two fenced or indented blocks that start with pip."""
    lines = (line.strip() for line in (TOP / "README.md").read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line.startswith("pip install")]


def test_the_second_readme_command_is_what_ci_runs() -> None:
    commands = readme_commands()
    assert 'secondread ask examples/chest.dcm "Is the heart enlarged?"' in commands[0]
    assert "pytest" in commands[1]
    script = (TOP / ".ci" / "run").read_text(encoding="utf-8")
    assert commands[1] in script.splitlines()


def test_the_readme_shows_what_its_first_command_prints(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from secondread.serve.cli.main import main

    monkeypatch.setenv("SECONDREAD_TRACE_DIR", "none")
    lines = (TOP / "README.md").read_text(encoding="utf-8").splitlines()
    start = next(i for i, line in enumerate(lines) if "secondread ask examples/chest.dcm" in line) + 2
    shown = list(itertools.takewhile(lambda line: line.startswith("    "), lines[start:]))
    code = main(["ask", str(TOP / "examples" / "chest.dcm"), "Is the heart enlarged?", "--out", str(tmp_path / "out")])
    printed = capsys.readouterr().out.splitlines()
    assert code == 0
    for number in (0, 1, -1):  # answer, confidence, notice; figures further down differ in the last digit by processor
        assert shown[number].strip() == printed[number].strip(), "\n".join(printed)


def test_no_module_but_the_settings_reads_the_environment() -> None:
    for path in modules():
        # The settings read it for the program; the ultralytics adapter sets switches that the library reads only there.
        if path in (TOP / "agent" / "config.py", TOP / "tools" / "detect" / "cells" / "yolo.py"):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            reads = isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv")
            assert not reads, f"{path.relative_to(TOP)}, line {getattr(node, 'lineno', 0)} reads the environment"
