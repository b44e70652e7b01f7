"""A chat model over a local folder with a transformers causal language model: no network, strict loading."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import invalid_tool_call, tool_call, tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import PrivateAttr

from secondread.agent.planners.chat_template import prompt_of, takes_tools
from secondread.agent.planners.spellings import spelled_calls
from secondread.schema.errors import ToolUnavailable

_REPORTS = ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs")


class LocalChatModel(BaseChatModel):
    """Greedy replies of a causal language model in memory.

    Tools go through the chat template where it takes them, and calls are read in the spelling of the model's family;
    other models refuse `bind_tools`, and planners ask them for JSON. With the package llguidance a `response_format`
    holds the reply to its schema token by token.
    """

    max_new_tokens: int = 512
    max_prompt_tokens: int = 8192
    """A longer prompt is refused, never cut: a cut one could lose the rules in it."""
    _model: Any = PrivateAttr()
    _tokenizer: Any = PrivateAttr()
    _busy: Any = PrivateAttr(default_factory=threading.Lock)
    _constraint: Any = PrivateAttr(default=None)

    def __init__(self, model: Any, tokenizer: Any, **fields: Any) -> None:
        super().__init__(**fields)
        self._model, self._tokenizer = model, tokenizer

    @property
    def _llm_type(self) -> str:
        return "local"

    @property
    def takes_schema(self) -> bool:
        """Whether a `response_format` is kept: the package llguidance is installed and takes this tokenizer."""
        if self._constraint is None:
            from secondread.agent.planners.constrained import Constraint

            self._constraint = Constraint.of(self._model, self._tokenizer) or False
        return bool(self._constraint)

    def bind_tools(self, tools: Sequence[Any], *, tool_choice: Any = None, **kwargs: Any) -> Runnable[Any, AIMessage]:
        """Offer tools through the chat template.

        Raises:
            NotImplementedError: The template takes none.
        """
        if not takes_tools(self._tokenizer):
            raise NotImplementedError
        return self.bind(tools=[convert_to_openai_tool(t) for t in tools], **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        message = self._reply(messages, stop, threading.Event(), None, **kwargs)
        return ChatResult(generations=[ChatGeneration(message=message)])

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        given_up = threading.Event()
        try:
            message = await asyncio.to_thread(self._reply, messages, stop, given_up, None, **kwargs)
        finally:
            given_up.set()  # ends the generation after its next token, when the caller has left
        return ChatResult(generations=[ChatGeneration(message=message)])

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        given_up, pieces = threading.Event(), asyncio.Queue[str | None]()
        loop = asyncio.get_running_loop()

        def told(text: str, stream_end: bool = False) -> None:
            loop.call_soon_threadsafe(pieces.put_nowait, text)

        work = asyncio.ensure_future(asyncio.to_thread(self._reply, messages, stop, given_up, told, **kwargs))
        work.add_done_callback(lambda done: pieces.put_nowait(None))
        try:
            while (piece := await pieces.get()) is not None:
                if piece:
                    yield ChatGenerationChunk(message=AIMessageChunk(content=piece))
            whole = await work
        finally:
            given_up.set()
        calls = [
            tool_call_chunk(name=c["name"], args=json.dumps(c["args"]), id=c["id"], index=n)
            for n, c in enumerate(whole.tool_calls)
        ]
        yield ChatGenerationChunk(
            message=AIMessageChunk(content="", tool_call_chunks=calls, usage_metadata=whole.usage_metadata)
        )

    def _reply(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None,
        given_up: threading.Event,
        told: Callable[..., None] | None,
        *,
        tools: Sequence[dict[str, Any]] | None = None,
        response_format: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> AIMessage:
        """One reply; one at a time, since the weights and the processor are shared."""
        import torch

        prompt = prompt_of(self._tokenizer, messages, tools)
        encoded = self._tokenizer(prompt, return_tensors="pt", add_special_tokens=False)
        asked = int(encoded["input_ids"].shape[1])
        if asked > self.max_prompt_tokens:
            raise ToolUnavailable(f"The prompt has {asked} tokens, this model takes {self.max_prompt_tokens}.")
        encoded = {k: v.to(self._model.device) for k, v in encoded.items() if k in ("input_ids", "attention_mask")}
        pad = self._tokenizer.pad_token_id
        with self._busy, torch.inference_mode():
            if given_up.is_set():
                return AIMessage("")
            out = self._model.generate(
                **encoded,
                **self._how(given_up, told, response_format),
                max_new_tokens=self.max_new_tokens,
                do_sample=False,
                pad_token_id=pad if pad is not None else self._tokenizer.eos_token_id,
            )
        new = out[0, asked:]
        text = self._tokenizer.decode(new, skip_special_tokens=True)
        for mark in stop or ():
            text = text.partition(mark)[0]
        usage = UsageMetadata(input_tokens=asked, output_tokens=len(new), total_tokens=asked + len(new))
        if not tools:
            return AIMessage(text, usage_metadata=usage)
        found = spelled_calls(self._tokenizer.decode(new, skip_special_tokens=False))  # the marks may be special tokens
        return AIMessage(
            text,
            tool_calls=[tool_call(name=c.name, args=c.args, id=f"call_{n}") for n, c in enumerate(found.calls)],
            invalid_tool_calls=[invalid_tool_call(name=n or None, args=None, id=None, error=None) for n in found.torn],
            usage_metadata=usage,
        )

    def _how(
        self, given_up: threading.Event, told: Callable[..., None] | None, response_format: dict[str, Any] | None
    ) -> dict[str, Any]:
        """Arguments of `generate` that end it early, tell its text as it comes, and hold it to a schema."""
        from transformers import StoppingCriteriaList, TextStreamer

        how: dict[str, Any] = {"stopping_criteria": StoppingCriteriaList([partial(_left, given_up)])}
        if told is not None:
            streamer = TextStreamer(self._tokenizer, skip_prompt=True, skip_special_tokens=True)
            streamer.on_finalized_text = told
            how["streamer"] = streamer
        if response_format is not None and self.takes_schema:
            how["logits_processor"] = self._constraint.processors(response_format["json_schema"]["schema"])
        return how


def _left(given_up: threading.Event, input_ids: Any, scores: Any, **kwargs: Any) -> Any:
    import torch

    return torch.full((input_ids.shape[0],), given_up.is_set(), dtype=torch.bool, device=input_ids.device)


def local_chat_model(folder: Path, *, device: str = "auto", **fields: Any) -> LocalChatModel:
    """The model and tokenizer of a folder; nothing is downloaded and no code from the folder runs.

    Raises:
        ToolUnavailable: transformers is missing, the folder holds no usable model, or weights do not fit the network
            exactly (transformers would fill gaps with random numbers).
    """
    try:
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ImportError:
        raise ToolUnavailable(
            "A local model needs the extra `llm`.", hint='Run pip install "secondread[llm]".'
        ) from None
    strict: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, **strict)
        model, report = AutoModelForCausalLM.from_pretrained(
            folder, output_loading_info=True, use_safetensors=True, **strict
        )
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        reason = (str(error).splitlines() or [""])[0][:160]
        raise ToolUnavailable(
            f"{folder.name} holds no usable language model: {type(error).__name__}.", hint=reason
        ) from None
    wrong = {name: report[name] for name in _REPORTS if report.get(name)}
    if wrong:
        told = "; ".join(f"{len(keys)} {name.replace('_', ' ')}" for name, keys in wrong.items())
        raise ToolUnavailable(f"The weights in {folder.name} do not fit its network: {told}.")
    import torch

    chosen = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    most = getattr(model.generation_config, "max_new_tokens", None)
    if isinstance(most, int):
        fields.setdefault("max_new_tokens", most)
    limit = getattr(model.config, "max_position_embeddings", None)
    if isinstance(limit, int) and "max_prompt_tokens" not in fields:
        new = int(fields.get("max_new_tokens", LocalChatModel.model_fields["max_new_tokens"].default))
        fields["max_prompt_tokens"] = max(1, limit - new)
    return LocalChatModel(model.to(chosen).eval(), tokenizer, **fields)
