"""A chat model over a local folder with a transformers causal language model: no network, strict loading."""

from pathlib import Path
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import PrivateAttr

from secondread.schema.errors import ToolUnavailable

_REPORTS = ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs")


class LocalChatModel(BaseChatModel):
    """Greedy replies of a causal language model in memory. Takes no tools: planners ask it for JSON."""

    max_new_tokens: int = 512
    max_prompt_tokens: int = 8192
    """A longer prompt is refused, never cut: a cut one could lose the rules in it."""
    _model: Any = PrivateAttr()
    _tokenizer: Any = PrivateAttr()

    def __init__(self, model: Any, tokenizer: Any, **fields: Any) -> None:
        super().__init__(**fields)
        self._model, self._tokenizer = model, tokenizer

    @property
    def _llm_type(self) -> str:
        return "local"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        import torch

        encoded = self._tokenizer(self._prompt(messages), return_tensors="pt", add_special_tokens=False)
        asked = int(encoded["input_ids"].shape[1])
        if asked > self.max_prompt_tokens:
            raise ToolUnavailable(f"The prompt has {asked} tokens, this model takes {self.max_prompt_tokens}.")
        encoded = {k: v.to(self._model.device) for k, v in encoded.items() if k in ("input_ids", "attention_mask")}
        pad = self._tokenizer.pad_token_id
        with torch.inference_mode():
            out = self._model.generate(
                **encoded,
                max_new_tokens=self.max_new_tokens,
                do_sample=False,
                pad_token_id=pad if pad is not None else self._tokenizer.eos_token_id,
            )
        new = out[0, asked:]
        text = self._tokenizer.decode(new, skip_special_tokens=True)
        for mark in stop or ():
            text = text.partition(mark)[0]
        usage = UsageMetadata(input_tokens=asked, output_tokens=len(new), total_tokens=asked + len(new))
        return ChatResult(generations=[ChatGeneration(message=AIMessage(text, usage_metadata=usage))])

    def _prompt(self, messages: list[BaseMessage]) -> str:
        """The messages through the tokenizer's chat template; without one, role names and a final `assistant:`."""
        roles = {"system": "system", "human": "user", "ai": "assistant"}
        turns = [{"role": roles.get(m.type, "user"), "content": str(m.text)} for m in messages]
        if self._tokenizer.chat_template:
            return str(self._tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))
        return "\n\n".join(f"{t['role']}: {t['content']}" for t in turns) + "\n\nassistant:"


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
    limit = getattr(model.config, "max_position_embeddings", None)
    if isinstance(limit, int) and "max_prompt_tokens" not in fields:
        new = int(fields.get("max_new_tokens", LocalChatModel.model_fields["max_new_tokens"].default))
        fields["max_prompt_tokens"] = max(1, limit - new)
    return LocalChatModel(model.to(chosen).eval(), tokenizer, **fields)
