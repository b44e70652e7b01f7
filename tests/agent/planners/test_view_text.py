"""The size of a prompt: bounded, whatever the ledger, the refusals and the texts in them hold."""

import asyncio
from typing import Any

import pytest

from secondread.agent.planners.base import Belief, Critique, Move, PlannerView, Proposition, Refused
from secondread.agent.planners.chat import ChatPlanner
from secondread.agent.planners.scripted import ScriptedChatModel
from secondread.agent.planners.view_text import FULL_CHARS, LINE, MAX_LINES, MAX_VIEW, evidence_text, render
from secondread.schema.errors import PlannerError
from secondread.schema.evidence import Evidence, Passage, Passages
from secondread.schema.image import ImageInfo, ImageRef
from secondread.schema.region import Box

IMAGE = "img-" + "a" * 16


def item(number: int, *, words: int = 30, caveats: int = 2) -> Evidence:
    result = Passages(items=(Passage(id=f"p{number}", text="word " * words, source="s"),))
    says = f"result {number}: " + "word " * words
    shared: dict[str, Any] = {"call_key": f"k{number}", "tool": f"tool_{number}", "tool_version": "1", "image": IMAGE}
    told = ("caveat " * words,) * caveats
    return Evidence(id=f"E{number}", kind="passage", result=result, summary=says, caveats=told, **shared)


def view(count: int, **changes: Any) -> PlannerView:
    image = ImageInfo(ref=ImageRef(id=IMAGE, rows=10, columns=10, grid="g"))
    ledger = tuple(item(n) for n in range(1, count + 1))
    return PlannerView(**{"question": "q", "kind": "presence", "images": (image,), "ledger": ledger, **changes})


def huge() -> PlannerView:
    long = "<data> much text " * 3000
    belief = Belief(reason=long)
    return view(
        0,
        question=long,
        choices=(long,) * 50,
        propositions=tuple(Proposition(id=f"P{n}", concept="c", kind="presence", belief=belief) for n in range(90)),
        ledger=tuple(item(n, words=4000, caveats=30) for n in range(1, 200)),
        critiques=tuple(Critique(kind="conflict", text=long) for _ in range(40)),
        refused=tuple(Refused(move=Move(action="call", tool="t", args={"a": long}), reason=long) for _ in range(40)),
    )


def test_no_view_is_longer_than_the_bound() -> None:
    assert len(render(huge())) <= MAX_VIEW
    assert len(render(huge(), known={f"E{n}" for n in range(200)})) <= MAX_VIEW


def test_new_evidence_is_told_in_full_and_older_evidence_in_a_line() -> None:
    ledger = [item(n) for n in range(1, 5)]
    text = evidence_text(ledger, known={"E1", "E2", "E3"})
    assert text.count("caveat ") == 2 * 30 - 2
    old = [line for line in text.splitlines() if line.startswith(("E1 ", "E2 ", "E3 "))]
    assert len(old) == 3
    assert all(len(line) <= LINE + 60 for line in old)
    assert text.index("E1 tool_1") < text.index("E3 tool_3") < text.index('"E4"')


def test_what_does_not_fit_is_shortened_and_the_oldest_is_counted() -> None:
    text = evidence_text([item(n, words=90) for n in range(1, 61)])
    assert f"{60 - MAX_LINES} older items are not listed." in text
    assert "E20 " not in text
    assert all(f"E{n} " in text or f'"E{n}"' in text for n in range(21, 61))
    assert len(text) <= FULL_CHARS + MAX_LINES * (LINE + 60)


@pytest.mark.parametrize("per_step", [1, 4])
def test_the_prompt_of_step_ten_is_hardly_longer_than_that_of_step_three(per_step: int) -> None:
    """Ten steps with 4 results each: 40 items of evidence at the end; only the new ones are told in full."""
    chat = ChatPlanner(ScriptedChatModel(replies=["answer()"])).for_run()
    sizes = []
    for step in range(1, 11):
        asyncio.run(chat.propose(view(per_step * step, step=step)))
        sizes.append(chat.last.prompt_chars)
    assert sizes[-1] <= MAX_VIEW / 2 + 3000
    assert sizes[-1] - sizes[2] <= 7 * per_step * (LINE + 60), "each older item adds one short line"
    assert sizes[-1] < len(render(view(per_step * 10))) + 3000


def test_a_message_without_a_reply_has_told_nothing() -> None:
    chat = ChatPlanner(ScriptedChatModel(replies=[ValueError(), "answer()", "answer()"])).for_run()
    with pytest.raises(PlannerError):
        asyncio.run(chat.propose(view(2)))
    asyncio.run(chat.propose(view(2)))
    model = chat.model
    assert isinstance(model, ScriptedChatModel)
    assert '"E1"' in str(model.asked[1][1].text), "in full again"
    asyncio.run(chat.propose(view(2)))
    assert '"E1"' not in str(model.asked[2][1].text)
    assert "E1 tool_1" in str(model.asked[2][1].text)


def test_a_critique_says_where_to_look() -> None:
    box = Box(x0=1, y0=2, x1=3, y1=4, grid="g")
    text = render(view(0, critiques=(Critique(kind="closer_look", text="look", region=box),)))
    assert '"box": [' in text
    assert text.count(IMAGE) == 2
