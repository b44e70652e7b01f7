"""One question to a chat model: bounded tries, the forms of a reply that the model takes, and a count of all of it."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

from secondread.agent.planners.failures import Failure, failure_of
from secondread.agent.planners.fences import tame
from secondread.agent.planners.tally import Tally
from secondread.schema.errors import PlannerError

REPAIRS = 2
"""Further tries after a reply that cannot be read."""
RETRIES = 2
"""Further tries after a failure that may pass: a rate limit, an error of the server, a lost connection."""
DOWN = 2
"""Questions in a row that a model may leave without any reply before a run no longer asks it."""
MAX_WAIT = 20.0
"""Longest wait in seconds that a server may ask for before the next try."""
MAX_STREAM = 40_000
"""Characters of a streamed reply that are awaited."""
Mode = Literal["tools", "schema", "text"]
T = TypeVar("T")


@dataclass(frozen=True)
class Form:
    """One way to ask: the model as it is called, and the system message that goes with it."""

    mode: Mode
    """`tools`: native tool calls; `schema`: the reply is held to a JSON schema; `text`: JSON is asked for in words."""
    model: Any
    system: str


@dataclass
class Ability:
    """What a model turned out not to take; the runs of one planner share it."""

    refused: set[str] = field(default_factory=set)
    """Forms of reply, or `picture`."""


class Asker:
    """Asks one chat model.

    Args:
        name: How errors call it.
        timeout: Seconds for one request, whether its reply comes at once or token by token.
        ability: Shared between the runs of one planner.
        token: Takes the text of a reply as it comes; None asks for whole replies.
        patience: Questions in a row without a reply before it gives up for good; None: never.
    """

    def __init__(
        self,
        name: str,
        timeout: float,
        ability: Ability,
        *,
        token: Callable[[str], None] | None = None,
        patience: int | None = None,
    ) -> None:
        self.name = name
        self.usage = 0
        """Tokens used: as the model counts them, else a quarter of the characters."""
        self.last = Tally()
        """Of the latest question."""
        self._timeout, self._ability, self._token, self._patience = timeout, ability, token, patience
        self._down = 0

    async def ask(
        self,
        forms: Sequence[Form],
        human: HumanMessage,
        plain: HumanMessage,
        parse: Callable[[AIMessage], T],
        repair: Callable[[str, Mode], str],
        saw: Callable[[str], None] = lambda said: None,
    ) -> T:
        """A reply that `parse` can read.

        A request is repeated after a failure that may pass, in the next form when this one is refused, and with the
        problem named when the reply cannot be read; each of these a bounded number of times.

        Args:
            forms: Ways to ask, the best first; one that was refused before is left out, but never the last.
            human: The message; if it holds a picture, it is sent once, however that goes.
            plain: The same without pictures.
            parse: Raises PlannerError for a reply that it cannot read.
            repair: Problem and form to the message that asks again.
            saw: Takes the words of the reply to the picture.

        Raises:
            PlannerError: No reply could be read.
        """
        self.last = tally = Tally()
        if self._patience is not None and self._down >= self._patience:
            tally.given_up = 1
            raise PlannerError(f"{self.name} is not asked again in this run: {self._down} questions had no reply.")
        left = [f for f in forms[:-1] if f.mode not in self._ability.refused] + [forms[-1]]
        message, retries, repairs, stepped = human, RETRIES, REPAIRS, list[str]()
        talk: list[BaseMessage] = []
        while True:
            form, pictured = left[0], message is not plain
            message_sent, message = message, plain
            try:
                reply = await self._call(form, [SystemMessage(form.system), message_sent, *talk])
            except Failure as failure:
                tally.failed += 1
                if failure.kind == "refused" and pictured:
                    stepped.append("picture")
                    tally.refused += ("picture",)
                elif failure.kind == "refused" and len(left) > 1:
                    stepped.append(form.mode)
                    tally.refused += (form.mode,)
                    left = left[1:]
                elif failure.kind == "passing" and retries > 0 and failure.wait <= MAX_WAIT:
                    await asyncio.sleep(failure.wait or 0.1 * 2 ** (RETRIES - retries))
                    retries -= 1
                else:
                    self._down += 1
                    tally.given_up = 1
                    raise PlannerError(f"{self.name} {failure}.") from failure.__cause__
                continue
            self._down = 0
            self._ability.refused.update(stepped)
            tally.mode = form.mode
            if pictured:
                saw(str(reply.text))
            try:
                found = parse(reply)
            except PlannerError as error:
                tally.unread += 1
                if repairs == 0:
                    tally.given_up = 1
                    raise PlannerError(f"{self.name}: {error.message}") from None
                repairs -= 1
                if len(left) > 1 and left[1].mode == "schema":  # a reply that is held to its form can be read
                    left = left[1:]
                    form = left[0]
                said = AIMessage(tame(str(reply.text), 2000) or "(empty)")
                talk = [said, HumanMessage(repair(error.message, form.mode))]
                continue
            tally.read += 1
            return found

    async def _call(self, form: Form, messages: list[BaseMessage]) -> AIMessage:
        """One request.

        Raises:
            Failure: It had no reply.
        """
        shown = sum(len(str(m.text)) for m in messages)
        self.last.calls += 1
        self.last.prompt_chars = max(self.last.prompt_chars, shown)
        try:
            if self._token is None or form.mode == "schema":  # clients parse the whole again with every piece
                work = form.model.ainvoke(messages)
            else:
                work = self._streamed(form.model, messages, self._token)
            reply = await asyncio.wait_for(work, self._timeout)
        except TimeoutError:
            raise Failure("gone", f"did not reply within {self._timeout:g} s") from None
        except Failure:
            raise
        except Exception as error:  # whatever a provider's client raises: its text may hold keys or addresses
            raise failure_of(error) from error
        if not isinstance(reply, AIMessage):
            raise Failure("gone", f"gave a {type(reply).__name__}, not a reply")
        used = reply.usage_metadata
        self.usage += int(used["total_tokens"]) if used else 1 + (shown + len(str(reply.text))) // 4
        return reply

    async def _streamed(self, model: Any, messages: list[BaseMessage], token: Callable[[str], None]) -> AIMessage:
        chunks: list[Any] = []
        length, until = 0, time.monotonic() + self._timeout
        try:
            async with aclosing(model.astream(messages)) as stream:
                async for chunk in stream:
                    chunks.append(chunk)
                    text = str(chunk.text)
                    length += len(text)
                    if text:
                        token(text)
                    if length > MAX_STREAM:
                        break
                    if time.monotonic() > until:
                        raise TimeoutError
                    await asyncio.sleep(0)  # a stream that is always ready would never let a cancellation through
        except ValueError:  # langchain's word for a stream without a single piece
            if chunks:
                raise
        if not chunks:
            raise Failure("passing", "ended its reply before it began")
        whole = chunks[0] + chunks[1:] if len(chunks) > 1 else chunks[0]
        if (
            model_family(model) == "openai"
            and length <= MAX_STREAM
            and not whole.response_metadata.get("finish_reason")
        ):
            raise Failure("passing", "ended its reply in the middle")
        return AIMessage(
            content=whole.content,
            tool_calls=whole.tool_calls,
            invalid_tool_calls=whole.invalid_tool_calls,
            usage_metadata=whole.usage_metadata,
        )


def model_family(model: Any) -> str:
    """`openai` for langchain's clients of the OpenAI protocol, also behind `bind`; else the empty string."""
    while hasattr(model, "bound"):
        model = model.bound
    return "openai" if any(c.__name__ == "BaseChatOpenAI" for c in type(model).__mro__) else ""
