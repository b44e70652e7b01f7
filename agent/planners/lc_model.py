"""Any planner of this project behind langchain's chat interface: a view as JSON in, tool calls out."""

import asyncio
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import ToolCall
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import PrivateAttr, ValidationError

from secondread.agent.planners.base import Move, Planner, PlannerView
from secondread.schema.errors import UsageError


class PlannerChatModel(BaseChatModel):
    """Answers the last message, a `PlannerView` as JSON, with the planner's moves as tool calls.

    A move to answer or abstain becomes the reply's text.
    """

    _planner: Any = PrivateAttr()

    def __init__(self, planner: Planner | None = None, **fields: Any) -> None:
        super().__init__(**fields)
        if planner is None:
            from secondread.agent.planners.protocol import ProtocolPlanner

            planner = ProtocolPlanner()
        self._planner = planner

    @property
    def _llm_type(self) -> str:
        return f"secondread-{self._planner.name}"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return asyncio.run(self._reply(messages))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return await self._reply(messages)

    async def _reply(self, messages: list[BaseMessage]) -> ChatResult:
        try:
            view = PlannerView.model_validate_json(str(messages[-1].text))
        except (IndexError, ValidationError):
            raise UsageError(
                "The last message is not a PlannerView as JSON.", hint="Send view.model_dump_json()."
            ) from None
        before = self._planner.usage
        moves = await self._planner.propose(view)
        used = self._planner.usage - before
        usage = UsageMetadata(input_tokens=0, output_tokens=used, total_tokens=used)
        return ChatResult(generations=[ChatGeneration(message=message_of(moves, usage))])


def message_of(moves: list[Move], usage: UsageMetadata | None = None) -> AIMessage:
    """Moves as one chat message."""
    calls = [
        ToolCall(name=m.tool, args=dict(m.args), id=f"call_{number}")
        for number, m in enumerate(moves, 1)
        if m.action == "call" and m.tool is not None
    ]
    text = "; ".join(f"{m.action}: {m.why}".rstrip(": ") for m in moves if m.action != "call")
    return AIMessage(text, tool_calls=calls, usage_metadata=usage)
