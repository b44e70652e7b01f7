"""Tool calls in the spellings of the common model families, well formed, torn, and hostile."""

import time

import pytest

from secondread.agent.planners.replies import moves_of
from secondread.agent.planners.spellings import MAX_CALLS, Spelled, spelled_calls
from secondread.schema.errors import PlannerError

ONE = (Spelled("meter", {"image": "img-1"}),)
TWO = (*ONE, Spelled("grader", {"image": "img-2", "level": 3}))
GOOD = {
    "qwen": ('<tool_call>\n{"name": "meter", "arguments": {"image": "img-1"}}\n</tool_call>', ONE),
    "qwen, two": (
        'Two.\n<tool_call>{"name": "meter", "arguments": {"image": "img-1"}}</tool_call>\n'
        '<tool_call>{"name": "grader", "arguments": {"image": "img-2", "level": 3}}</tool_call>',
        TWO,
    ),
    "qwen, not closed": ('<tool_call>\n{"name": "meter", "arguments": {"image": "img-1"}}', ONE),
    "qwen, arguments as text": (
        '<tool_call>{"name": "meter", "arguments": "{\\"image\\": \\"img-1\\"}"}</tool_call>', ONE,
    ),
    "qwen, after thoughts": (
        '<think>call <tool_call>{"name": "x", "arguments": {}}</tool_call>?</think>'
        '<tool_call>{"name": "meter", "arguments": {"image": "img-1"}}</tool_call>',
        ONE,
    ),
    "qwen coder": (
        "<tool_call>\n<function=meter>\n<parameter=image>\nimg-1\n</parameter>\n</function>\n</tool_call>\n"
        "<tool_call>\n<function=grader>\n<parameter=image>img-2</parameter>\n<parameter=level>\n3\n</parameter>\n"
        "</function>\n</tool_call>",
        TWO,
    ),
    "llama": ('<|python_tag|>{"name": "meter", "parameters": {"image": "img-1"}}<|eom_id|>', ONE),
    "llama, two": (
        '<|python_tag|>{"name": "meter", "parameters": {"image": "img-1"}}; '
        '{"name": "grader", "parameters": {"image": "img-2", "level": 3}}',
        TWO,
    ),
    "llama, bare": ('{"name": "meter", "parameters": {"image": "img-1"}}', ONE),
    "llama, typed": ('{"type": "function", "name": "meter", "parameters": {"image": "img-1"}}', ONE),
    "llama, built in": ('<|python_tag|>meter.call(image="img-1")', ONE),
    "llama, list of calls": ('[meter(image="img-1"), grader(image="img-2", level=3)]', TWO),
    "llama, function tag": ('<function=meter>{"image": "img-1"}</function>', ONE),
    "mistral": ('[TOOL_CALLS][{"name": "meter", "arguments": {"image": "img-1"}}]</s>', ONE),
    "mistral, two": (
        '[TOOL_CALLS] [{"name": "meter", "arguments": {"image": "img-1"}, "id": "a1"}, '
        '{"name": "grader", "arguments": {"image": "img-2", "level": 3}}]',
        TWO,
    ),
    "mistral, named": ('[TOOL_CALLS]meter[ARGS]{"image": "img-1"}</s>', ONE),
    "mistral, two named": (
        '[TOOL_CALLS]meter[CALL_ID]abc123[ARGS]{"image": "img-1"}'
        '[TOOL_CALLS]grader[ARGS]{"image": "img-2", "level": 3}',
        TWO,
    ),
    "gemma, code": ('Sure.\n```tool_code\nmeter(image="img-1")\n```', ONE),
    "gemma, printed": ('```tool_code\nprint(default_api.meter(image="img-1"))\n```', ONE),
    "gemma, two lines": ("```tool_code\nmeter(image='img-1')\nx = grader(image='img-2', level=3)\n```", TWO),
    "gemma, json": ('```json\n{"name": "meter", "parameters": {"image": "img-1"}}\n```', ONE),
    "gemma, json list": (
        '```json\n[{"name": "meter", "args": {"image": "img-1"}}, '
        '{"name": "grader", "args": {"image": "img-2", "level": 3}}]\n```',
        TWO,
    ),
    "gemma, function": ("<start_function_call>call:meter{image:<escape>img-1<escape>}<end_function_call>", ONE),
    "gemma, two functions": (
        "<start_function_call>call:meter{image:<escape>img-1<escape>}<end_function_call>"
        "<start_function_call>call:grader{image:<escape>img-2<escape>,level:3}<end_function_call>",
        TWO,
    ),
}  # fmt: skip
TORN = {
    "qwen": '<tool_call>\n{"name": "meter", "arguments": {"image": "im',
    "qwen, empty": "<tool_call></tool_call>",
    "qwen, prose": "<tool_call>call the meter</tool_call>",
    "llama": '<|python_tag|>{"name": "meter", "parameters": {"image": ',
    "llama, code": '<|python_tag|>import os; os.system("true")',
    "mistral": '[TOOL_CALLS][{"name": "meter", "arguments": {"ima',
    "mistral, named": '[TOOL_CALLS]meter[ARGS]{"image": "img',
    "gemma": "```tool_code\nmeter(image=\n```",
    "gemma, not a literal": "```tool_code\nmeter(image=open('/etc/passwd').read())\n```",
    "function tag": "<function=meter>{image</function>",
}
NONE = [
    "",
    "The heart is enlarged.",
    "I would call meter(image).",
    '{"verdict": "yes"}',
    "[1, 2, 3]",
    "```python\nimport os\n```",
    "```\nsome text\n```",
]


@pytest.mark.parametrize("name", GOOD)
def test_every_spelling_is_read(name: str) -> None:
    text, expected = GOOD[name]
    found = spelled_calls(text)
    assert found.calls == expected
    assert found.torn == ()
    assert not any(mark in found.text for mark in ("tool_call", "TOOL_CALLS", "python_tag", "tool_code", "function"))


@pytest.mark.parametrize("name", GOOD)
def test_every_spelling_becomes_moves(name: str) -> None:
    text, expected = GOOD[name]
    moves = moves_of(text, [], tools={"meter", "grader"}, images=("img-1", "img-2"), needs_image=())
    assert [(m.tool, m.args) for m in moves] == [(c.name, c.args) for c in expected]


@pytest.mark.parametrize("name", TORN)
def test_a_torn_call_is_no_call_and_is_told(name: str) -> None:
    found = spelled_calls(TORN[name])
    assert found.calls == ()
    assert len(found.torn) == 1
    with pytest.raises(PlannerError, match=r"no JSON|no move|no tool|cannot be read"):
        moves_of(TORN[name], [], tools={"grader"}, images=("img-1",), needs_image=())


@pytest.mark.parametrize("text", NONE)
def test_text_without_calls_stays_text(text: str) -> None:
    assert spelled_calls(text) == ((), (), text.strip())


def test_good_calls_beside_torn_ones_are_kept() -> None:
    found = spelled_calls(GOOD["qwen"][0] + '<tool_call>{"name": "grader", "arguments": </tool_call>')
    assert found.calls == ONE
    assert found.torn == ("grader",)


@pytest.mark.parametrize(
    "piece",
    ["<tool_call>", "[TOOL_CALLS]", "<|python_tag|>", "```json\n", "```tool_code\nf(", "<function=f>", "[f(", "{",
     "<think>", "<start_function_call>call:f{", "<parameter=a>", "<tool_call><function=f><parameter=a>",
     "[TOOL_CALLS]f[ARGS]{", "<start_function_call>call:f{a:1,"],
)  # fmt: skip
def test_hostile_replies_end_soon(piece: str) -> None:
    started = time.monotonic()
    found = spelled_calls(piece * 40_000)
    assert time.monotonic() - started < 10
    assert len(found.calls) <= MAX_CALLS
    assert len(found.torn) <= MAX_CALLS
