"""The scripts and notebooks of examples/ run as they stand."""

from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.timeout(180)
def test_the_notebook_runs_and_says_what_it_found(monkeypatch: pytest.MonkeyPatch) -> None:
    nbclient = pytest.importorskip("nbclient")
    import nbformat

    monkeypatch.setenv("PYTHONPATH", "")
    notebook: Any = nbformat.read(EXAMPLES / "many_films.ipynb", as_version=4)
    ran = nbclient.NotebookClient(notebook, timeout=150, resources={"metadata": {"path": str(EXAMPLES)}}).execute()
    said = "".join(output.get("text", "") for cell in ran.cells for output in cell.get("outputs", ()))
    assert "sharp films; darkest" in said
    assert not any(cell.get("outputs") for cell in nbformat.read(EXAMPLES / "many_films.ipynb", as_version=4).cells)
