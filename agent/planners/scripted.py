"""Planners and a chat model that replay what they are given: for tests, examples and documentation."""

from collections.abc import Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import Field, PrivateAttr

from secondread.agent.planners.base import Move, PlannerView, Sentence
from secondread.schema.answer import Claim
from secondread.schema.errors import PlannerError


class ScriptedChatModel(BaseChatModel):
    """A chat model that gives one reply after the other, and the last one for ever.

    A reply is a text, a message (with tool calls, usage, ..) or an exception to raise.
    """

    replies: list[Any] = Field(min_length=1)
    """`str`, `AIMessage` or `Exception`, in order."""
    takes_tools: bool = True
    """False: `bind_tools` is refused, as with models that take none."""
    _asked: list[list[BaseMessage]] = PrivateAttr(default_factory=list)

    @property
    def asked(self) -> list[list[BaseMessage]]:
        """The messages of every call so far."""
        return self._asked

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        reply = self.replies[min(len(self._asked), len(self.replies) - 1)]
        self._asked.append(list(messages))
        if isinstance(reply, Exception):
            raise reply
        message = reply if isinstance(reply, AIMessage) else AIMessage(str(reply))
        return ChatResult(generations=[ChatGeneration(message=message)])

    def bind_tools(self, tools: Sequence[Any], *, tool_choice: Any = None, **kwargs: Any) -> Runnable[Any, AIMessage]:
        """Offer tools to the model.

        Raises:
            NotImplementedError: `takes_tools` is off.
        """
        if not self.takes_tools:
            raise NotImplementedError
        return self.bind(tools=[convert_to_openai_tool(t) for t in tools], tool_choice=tool_choice, **kwargs)


class ScriptedPlanner:
    """Replays one list of moves per step; then it wants to answer. Words each claim by its own text.

    Args:
        steps: Moves of each step. An exception in the place of a list is raised.
        sentences: What `word` returns; None takes the text of the claims.
        name: How traces call this planner.
    """

    def __init__(
        self,
        steps: Sequence[Sequence[Move] | PlannerError],
        *,
        sentences: Sequence[Sentence] | None = None,
        name: str = "scripted",
    ) -> None:
        self.name = name
        self.usage = 0
        self.views: list[PlannerView] = []
        self._steps = list(steps)
        self._sentences = sentences

    async def propose(self, view: PlannerView) -> list[Move]:
        """See `Planner.propose`."""
        self.views.append(view)
        if len(self.views) > len(self._steps):
            return [Move(action="answer", why="the script is at its end")]
        step = self._steps[len(self.views) - 1]
        if isinstance(step, PlannerError):
            raise step
        return list(step)

    async def word(self, claims: Sequence[Claim], view: PlannerView) -> list[Sentence]:
        """See `Planner.word`."""
        if self._sentences is not None:
            return list(self._sentences)
        return [Sentence(text=c.text, claims=(c.id,)) for c in claims]
