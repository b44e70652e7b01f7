"""Messages through a tokenizer's own chat template: with its tools, and with control tokens in texts broken up."""

import json
import re
from collections.abc import Sequence
from typing import Any

from langchain_core.messages import BaseMessage

_ROLES = {"system": "system", "human": "user", "ai": "assistant"}


def template_of(tokenizer: Any, *, tools: bool) -> str:
    """The template used for a prompt with or without tools; empty when the tokenizer has none."""
    found = tokenizer.chat_template
    if isinstance(found, dict):
        found = (found.get("tool_use") if tools else None) or found.get("default") or ""
    return str(found or "")


def takes_tools(tokenizer: Any) -> bool:
    """Whether the template writes the tools that it is given."""
    return re.search(r"\{[%{].*\btools\b", template_of(tokenizer, tools=True), re.DOTALL) is not None


def prompt_of(tokenizer: Any, messages: Sequence[BaseMessage], tools: Sequence[dict[str, Any]] | None = None) -> str:
    """The prompt text. Without a template: role names and a final `assistant:`.

    A template that takes no system message gets it at the head of the first user message. Whatever looks like one of
    the tokenizer's control tokens in a message is broken up: it would end the message and begin another one.

    Raises:
        Exception: Whatever the template raises for roles in this order.
    """
    control = control_tokens(tokenizer)
    turns = [{"role": _ROLES.get(m.type, "user"), "content": inert(str(m.text), control)} for m in messages]
    template = template_of(tokenizer, tools=bool(tools))
    if not template:
        return "\n\n".join(f"{t['role']}: {t['content']}" for t in turns) + "\n\nassistant:"
    extra: dict[str, Any] = {"tools": json.loads(inert(json.dumps(tools), control))} if tools else {}
    how = {
        "chat_template": template,
        "tokenize": False,
        "add_generation_prompt": True,
        "enable_thinking": False,
        **extra,
    }
    try:
        return str(tokenizer.apply_chat_template(turns, **how))
    except Exception:  # a template's own refusal; jinja's error or whatever the template raises
        if len(turns) < 2 or turns[0]["role"] != "system":
            raise
        head, first, *rest = turns
        merged = {"role": first["role"], "content": f"{head['content']}\n\n{first['content']}"}
        return str(tokenizer.apply_chat_template([merged, *rest], **how))


def control_tokens(tokenizer: Any) -> tuple[str, ...]:
    """Tokens with a meaning of their own, the longest first; white space and single characters are none."""
    added = [str(t) for t in getattr(tokenizer, "added_tokens_decoder", {}).values()]
    found = {t for t in (*tokenizer.all_special_tokens, *added) if len(t.strip()) > 2 and not t.strip().isalnum()}
    return tuple(sorted(found, key=lambda t: (-len(t), t)))


def inert(text: str, control: Sequence[str]) -> str:
    """A text in which no control token stands whole: a blank follows its first character."""
    for token in control:
        while token in text:
            broken = token[0] + " " + token[1:]
            if token in broken:
                break
            text = text.replace(token, broken)
    return text
