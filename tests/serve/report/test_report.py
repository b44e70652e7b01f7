"""The page of a run: whole, escaped, in one file, from a run that ends now and from one that ended before."""

import re
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from detectors import agent_with, detector, picture
from PIL import Image

from secondread.agent.agent import Agent
from secondread.agent.planners.base import Move
from secondread.agent.planners.scripted import ScriptedPlanner
from secondread.agent.trace import answer_of, read_trace
from secondread.schema.answer import Answer
from secondread.schema.errors import ReplayError, UsageError
from secondread.serve.cli.report import trace_of
from secondread.serve.report.blocks import Figure, Heading, Paragraph, Step, Steps, Table
from secondread.serve.report.html import html
from secondread.serve.report.markdown import markdown
from secondread.serve.report.page import page
from secondread.serve.report.pictures import again, figures
from secondread.serve.report.write import report_path, write_page, write_report

EVIL = '<script>alert(1)</script> | **bold** [x](javascript:1) <img src=x onerror=1> & "q"'
QUESTION = "Is there a rib fracture? Where is it?"


class Tags(HTMLParser):
    """Every tag with its attributes, and the text outside of tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def made(tmp_path: Path) -> Iterator[tuple[Agent, Answer, Path]]:
    """A run with a refused move, on a picture whose file name is a person's."""
    calls: Counter[str] = Counter()
    path = tmp_path / "JaneDoe.png"
    Image.fromarray((picture() * 255).astype("uint8")).save(path)
    finder = detector("rib_finder", {"rib_fracture": 0.93}, calls, place=True)
    planner = ScriptedPlanner([[Move(action="call", tool="oracle", args={})]])
    traces = tmp_path / "traces"
    with agent_with(finder, planner=planner, trace_dir=traces, checkpoints=False) as agent:
        yield agent, agent.ask(path, QUESTION), tmp_path


def test_the_page_tells_the_whole_run(made: tuple[Agent, Answer, Path]) -> None:
    agent, answer, folder = made
    write_report(agent, answer, folder / "r.html")
    text = (folder / "r.html").read_text()
    seen = Tags(text)
    for told in (
        QUESTION, answer.text, answer.notice, answer.trace, "calibrated by rib_finder", "columns 4 to 20",
        "no installed tool is called 'oracle'", "Refused moves", "Step by step", "P2: location of rib_fracture",
        "depends on P1", "Budget", "Apache-2.0", "rib_finder", "0.93",
    ):  # fmt: skip
        assert told in seen.text, told
    pictures = [a["src"] for t, a in seen.tags if t == "img"]
    assert len(pictures) == 2
    assert all(src and src.startswith("data:image/png;base64,") for src in pictures)
    assert not [t for t, _ in seen.tags if t in ("script", "link", "iframe", "a")]
    assert "JaneDoe" not in text
    assert str(folder) not in text
    assert (folder / "r.html").stat().st_mode & 0o077 == 0


def test_an_earlier_run_gives_the_same_page_while_its_image_is_there(made: tuple[Agent, Answer, Path]) -> None:
    agent, answer, folder = made
    trace = folder / "traces" / f"{answer.trace}.jsonl"
    events = read_trace(trace)
    recorded = answer_of(events)
    assert recorded is not None
    fresh = Agent(settings=agent.settings, runtime=agent.runtime)
    blocks = page(recorded, events, figures(fresh, again(fresh, recorded, events)), agent.runtime.catalogue)
    now = page(answer, events, figures(agent, answer), agent.runtime.catalogue)
    assert [b.name for b in blocks if isinstance(b, Figure)] == [b.name for b in now if isinstance(b, Figure)]
    assert html(blocks) == html(now)


def test_an_image_that_is_gone_leaves_a_page_without_pictures(made: tuple[Agent, Answer, Path]) -> None:
    _, answer, folder = made
    (folder / "JaneDoe.png").unlink()
    events = read_trace(folder / "traces" / f"{answer.trace}.jsonl")
    recorded = answer_of(events)
    assert recorded is not None
    with agent_with(trace_dir=folder / "traces", checkpoints=False) as fresh:
        assert figures(fresh, again(fresh, recorded, events)) == []
        assert "not installed here" in html(page(recorded, events, [], fresh.runtime.catalogue))


def test_markdown_has_its_pictures_beside_it(made: tuple[Agent, Answer, Path]) -> None:
    agent, answer, folder = made
    write_report(agent, answer, folder / "r.md")
    text = (folder / "r.md").read_text()
    assert text.startswith(f"# {QUESTION}")
    for name in re.findall(r"\]\((r_files/[^)]+\.png)\)", text):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")
    assert (folder / "r_files" / "E1.png").is_file()
    write_report(agent, answer, folder / "r.md")  # again, over itself
    assert not list(folder.glob(".secondread-*"))


BLOCKS = [
    Heading(EVIL, 1), Paragraph(EVIL, "answer"), Table((EVIL, "b"), ((EVIL, EVIL),)),
    Figure("E1", EVIL, b"\x89PNG"), Steps((Step(EVIL, EVIL, (EVIL,)),)),
]  # fmt: skip


def test_nothing_written_by_others_is_markup() -> None:
    seen = Tags(html(BLOCKS))
    assert {t for t, _ in seen.tags} <= {
        "html", "head", "meta", "title", "style", "body", "h1", "p", "div", "table", "tr", "th", "td", "figure", "img",
        "figcaption", "ol", "li", "span", "ul"}  # fmt: skip
    assert not [a for _, attributes in seen.tags for a in attributes if a.startswith("on")]
    assert seen.text.count("<script>alert(1)</script>") == 10
    marked = markdown(BLOCKS, "files")
    assert "<script" not in marked
    assert "**bold**" not in marked
    assert "](javascript" not in marked
    rows = [line for line in marked.split("\n") if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {3}


def test_bad_targets_are_refused_before_any_work(tmp_path: Path) -> None:
    for name, said in (("r.pdf", "neither HTML nor Markdown"), ("no/such/r.html", "no such folder")):
        with pytest.raises(UsageError, match=said):
            report_path(str(tmp_path / name))
    with pytest.raises(UsageError, match="cannot be written"):
        write_page(BLOCKS, tmp_path / "gone" / "r.html")


def test_a_run_that_is_not_there_is_named(made: tuple[Agent, Answer, Path]) -> None:
    agent, answer, folder = made
    assert trace_of(answer.trace, agent.settings) == folder / "traces" / f"{answer.trace}.jsonl"
    with pytest.raises(ReplayError, match="no trace of run"):
        trace_of("0" * 16, agent.settings)
