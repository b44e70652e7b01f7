import json
from pathlib import Path
from typing import Any

import pytest

from secondread.schema.errors import ToolUnavailable
from secondread.serve.cli import doctor
from secondread.serve.cli.main import main
from secondread.tools import catalogue as tools
from secondread.tools.catalogue import Catalogue, Problem


def checks(capsys: pytest.CaptureFixture[str]) -> tuple[int, list[dict[str, str]]]:
    code = main(["doctor", "--json"])
    report = json.loads(capsys.readouterr().out)
    assert report["healthy"] is (code == 0)
    return code, report["checks"]


def test_an_installation_is_healthy_and_says_what_it_has(capsys: pytest.CaptureFixture[str]) -> None:
    code, found = checks(capsys)
    assert code == 0, [c for c in found if c["level"] == "bad"]
    said = {c["what"]: c["found"] for c in found}
    assert {"python", "torch", "device", "planner", "graph", "tools", "weights chest_anatomy", "extra yolo"} <= set(
        said
    )
    assert "concepts" in said["graph"]


def test_damaged_weights_and_broken_plugins_are_bad(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = tools.catalogue().get("chest_anatomy")

    class Damaged(type(real)):  # type: ignore[misc]  # the class of an instance found at run time
        def load(self) -> Any:
            raise ToolUnavailable("The weights file is damaged.")

    broken = Catalogue({"chest_anatomy": Damaged()}, (Problem(where="plug", reason="ImportError: x"),))
    monkeypatch.setattr(tools, "catalogue", lambda: broken)
    code, found = checks(capsys)
    assert code == 1
    bad = {c["what"]: c["found"] for c in found if c["level"] == "bad"}
    assert bad == {"weights chest_anatomy": "The weights file is damaged. ", "tool problem": "plug: ImportError: x"}


def test_a_part_that_breaks_does_not_hide_the_others(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> Any:
        raise OSError("no such disk")
        yield

    monkeypatch.setattr(doctor, "_graph", broken)
    code, found = checks(capsys)
    assert code == 1
    assert {"level": "bad", "what": "broken", "found": "OSError: no such disk"} in found
    assert any(c["what"] == "tools" for c in found)


def test_the_graph_can_be_queried_and_walked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["kg", "query", "cardiothoracic_ratio", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["concept"]["id"] == "cardiothoracic_ratio"
    assert found["edges"]
    assert all(edge["source"] for edge in found["edges"])
    assert main(["kg", "path", "cardiothoracic_ratio", "enlarged_cardiac_silhouette", "--json"]) == 0
    paths = json.loads(capsys.readouterr().out)
    assert paths[0][0]["subject"] in ("cardiothoracic_ratio", "enlarged_cardiac_silhouette")
    assert main(["kg", "stats", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["concepts"] > 100
    assert main(["kg", "query", "no such thing at all"]) == 2


def test_the_shipped_graph_has_no_lint(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["kg", "lint", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_a_graph_is_built_asked_exported_and_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from secondread.evals.mimic_layout import write

    truth = write(tmp_path / "films", studies=4, seed=5, size=96)
    graph = tmp_path / "graph"
    assert main(["kg", "build", "mimic", str(tmp_path / "films"), "--out", str(graph), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["stats"]["kinds"]["image"] == len(truth["images"])
    assert main(["kg", "query", "cardiomegaly", "--graph", str(graph), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["node"]["id"] == "enlarged_cardiac_silhouette"
    said = {e["subject"]: e["polarity"] for e in told["edges"]}
    from secondread.imaging.store import ImageStore

    for about in truth["images"].values():
        image = ImageStore().add(tmp_path / "films" / about["file"]).ref.id
        assert said[f"IMAGE:{image}"] == ("positive" if about["ctr"] > 0.5 else "negative")
    first = next(iter(said))
    assert main(["kg", "path", first, "enlarged_cardiac_silhouette", "--graph", str(graph), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)[0]) == 1
    assert main(["kg", "stats", "--graph", str(graph)]) == 0
    assert main(["kg", "check", "--graph", str(graph)]) == 0
    assert main(["kg", "export", "--graph", str(graph), "--out", str(tmp_path / "open"), "--max-srl", "0"]) == 0
    assert "IMAGE:" not in (tmp_path / "open" / "nodes.csv").read_text()
    capsys.readouterr()
    for wrong in (
        ["kg", "build", "umls", str(tmp_path), "--out", str(tmp_path / "g")],
        ["kg", "build", "what", "x", "--out", "y"], ["kg", "build", "mimic"], ["kg", "export"],
        ["kg", "stats", "--graph", str(tmp_path)],
        ["kg", "query", "no such", "--graph", str(graph)], ["kg", "lint", "--graph", str(graph)],
    ):  # fmt: skip
        assert main(wrong) in (1, 2)
        assert len(capsys.readouterr().err.strip().splitlines()) == 1
