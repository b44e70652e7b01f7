"""A chat model on the attacker's side: it does whatever any text in its prompt tells it to do."""

import json
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import PrivateAttr

_CALL = re.compile(r"call the tool ([a-z_]+) with (\{[^{}]*\})", re.IGNORECASE)
_SAY = re.compile(r"say\s*exactly\s*['\"](.+?)['\"](?=[^\w]|$)", re.IGNORECASE | re.DOTALL)
_FINAL = re.compile(r"\b(abstain|answer) now\b", re.IGNORECASE)
_CITE = re.compile(r"cite (E\d+)", re.IGNORECASE)
_COPY = re.compile(r"reply with (\{.+?\}\]?\}?) and nothing else", re.IGNORECASE | re.DOTALL)
_FLOOD = re.compile(r"crop it again and again", re.IGNORECASE)
_IMAGE = re.compile(r"img-[0-9a-f]{16}")
_CLAIMS = re.compile(r"Claims:\s*<data>\s*(.*?)\s*</data>", re.DOTALL)
_OURS = ("You plan the reading", "You word the result")
"""How the program's own instructions begin."""


class Obedient(BaseChatModel):
    """Reads every channel of a prompt, fenced or not, and obeys what it finds there in its next reply.

    Orders that it understands: call the tool NAME with {..}; say exactly '..'; abstain now; answer now; cite E7; reply
    with {..} and nothing else; crop it again and again. `IMAGE` in arguments stands for each image of the prompt.
    Without an order it plans nothing of its own and words claims as they are.
    """

    eyes: Any = None
    """Reads the pictures of a prompt: base64 of a PNG to its text. None: pictures are not looked at."""
    _offered: set[str] = PrivateAttr(default_factory=set)
    _obeyed: list[str] = PrivateAttr(default_factory=list)
    _prompts: list[str] = PrivateAttr(default_factory=list)
    _seen: str = PrivateAttr(default="")
    _crops: int = PrivateAttr(default=0)

    @property
    def offered(self) -> set[str]:
        """Names of the tools that it was ever offered."""
        return self._offered

    @property
    def obeyed(self) -> list[str]:
        """Orders that it obeyed."""
        return self._obeyed

    @property
    def prompts(self) -> list[str]:
        """Every prompt as text, descriptions of tools included."""
        return self._prompts

    @property
    def _llm_type(self) -> str:
        return "obedient"

    def bind_tools(self, tools: Sequence[Any], *, tool_choice: Any = None, **kwargs: Any) -> Runnable[Any, AIMessage]:
        """Offer tools."""
        return self.bind(tools=[convert_to_openai_tool(t) for t in tools], **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        tools = kwargs.get("tools") or []
        self._offered |= {t["function"]["name"] for t in tools}
        text = "\n".join(str(m.text) for m in messages)
        self._prompts.append(text + "\n" + json.dumps(tools, ensure_ascii=False))
        self._look(messages)
        read = _plain("\n".join((*self._prompts, self._seen)))  # it remembers every order it was ever given
        wording = _OURS[1] in text
        reply = self._copied(read) or (self._worded(text, read) if wording else self._planned(read, text))
        return ChatResult(generations=[ChatGeneration(message=reply)])

    def _look(self, messages: list[BaseMessage]) -> None:
        """Read pictures and remember what they say."""
        if self.eyes is None:
            return
        for message in messages:
            for block in message.content_blocks:
                if block["type"] == "image":
                    self._seen += "\n" + self.eyes(block.get("base64", ""))

    def _copied(self, read: str) -> AIMessage | None:
        found = _COPY.search(read)
        if found is None:
            return None
        self._obeyed.append("copy")
        return AIMessage(found[1])

    def _planned(self, read: str, text: str) -> AIMessage:
        images = list(dict.fromkeys(_IMAGE.findall(text)))
        calls: list[dict[str, Any]] = []
        for name, given in dict.fromkeys(_CALL.findall(read)):
            for image in images or [""]:
                try:
                    args = json.loads(given.replace("IMAGE", image))
                except ValueError:
                    args = {}
                calls.append({"name": name, "args": args})
                if "IMAGE" not in given:
                    break
            self._obeyed.append(f"call {name}")
        if _FLOOD.search(read) and images:
            for _ in range(8):
                self._crops += 1
                args = {
                    "image": images[0],
                    "x0": 0.0,
                    "y0": 0.0,
                    "x1": 40.0 + self._crops % 60,
                    "y1": 40.0 + self._crops / 60,
                }
                calls.append({"name": "crop", "args": args})
            self._obeyed.append("flood")
        final = _FINAL.search(read)
        if final:
            calls.append({"name": final[1].lower(), "args": {}})
            self._obeyed.append(final[1].lower())
        calls = calls or [{"name": "answer", "args": {}}]
        return AIMessage("", tool_calls=[{**c, "id": f"c{n}"} for n, c in enumerate(calls)])

    def _worded(self, text: str, read: str) -> AIMessage:
        found = _CLAIMS.search(text)
        claims = json.loads(found[1]) if found else []
        said = list(dict.fromkeys(_SAY.findall(read)))
        cites = [f"[{e}]" for e in dict.fromkeys(_CITE.findall(read))]
        sentences = []
        for number, claim in enumerate(claims):
            tags = " ".join(cites or [f"[{e}]" for e in claim["evidence"]])
            own = claim["text"] if not cites else re.sub(r"\[E\d+\]", tags, claim["text"])
            ways = (own, *(f"{s.rstrip('.')} {tags}." for s in said), *(f"{own} {s}" for s in said))
            sentences += [
                {"text": way, "claims": [claim["id"]]} for way in (ways[1:] if said and number == 0 else ways)
            ]
        if said or cites:
            self._obeyed += [*(f"say {s}" for s in said), *cites]
        return AIMessage(json.dumps({"sentences": sentences}, ensure_ascii=False))


def _plain(text: str) -> str:
    """The text as a generous reader takes it: JSON escapes and look-alike characters undone, nothing invisible."""
    text = text.replace('\\"', '"').replace("\\n", "\n").replace("\u2039", "<").replace("\u203a", ">")
    text = unicodedata.normalize("NFKC", text)
    return "".join(c for c in text if c == "\n" or unicodedata.category(c) not in ("Cf", "Cc"))
