"""Tiny language models in a folder, made in a second: a tokenizer trained here, a Llama network, a chat template.

A model with a script says always the same: attention and feed-forward layers are zero, and the head maps each piece of
the script to the next one. All else about it is real: files, loading, template, tokens, generation.
"""

from collections.abc import Sequence
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

_TOOLS = (
    "{%- if tools %}{{ '<|im_start|>system\\nTools:' }}{% for tool in tools %}{{ '\\n' + (tool | tojson) }}{% endfor %}"
    "{{ '<|im_end|>\\n' }}{% endif %}"
)
_REFUSED = "{% if message['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
_TURN = "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}{%- endfor %}"
_OPEN = "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
_EACH = "{%- for message in messages %}"
CHATML = _TOOLS + _EACH + _TURN + _OPEN
"""A template in the manner of Qwen, with tools."""
WITHOUT_TOOLS = _EACH + _TURN + _OPEN
WITHOUT_SYSTEM = _EACH + _REFUSED + _TURN + _OPEN
"""A template in the manner of Gemma: neither tools nor system messages."""
START, END = "<|im_start|>", "<|im_end|>"
HIDDEN = 64


def tiny_model(
    folder: Path,
    script: Sequence[tuple[str, bool]] = (),
    *,
    template: str = CHATML,
    positions: int = 32_768,
    most: int = 48,
) -> Path:
    """Write a model into a folder.

    Args:
        folder: Made when missing.
        script: Pieces of what it always says, each with whether it is a special token; empty: random weights.
        template: Its chat template.
        positions: Longest text in tokens.
        most: Tokens of a reply.

    Returns:
        The folder.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = _tokenizer(template, script)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=HIDDEN, intermediate_size=HIDDEN, num_hidden_layers=1,
        num_attention_heads=2, num_key_value_heads=2, max_position_embeddings=positions, tie_word_embeddings=False,
        eos_token_id=tokenizer.eos_token_id, bos_token_id=None, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    if script:
        _scripted(model, [tokenizer.encode("\n")[-1], *(tokenizer.convert_tokens_to_ids(p) for p, _ in script)], config)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.max_new_tokens = most
    model.save_pretrained(folder, safe_serialization=True)
    return folder


def _tokenizer(template: str, script: Sequence[tuple[str, bool]]) -> Any:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=2000, special_tokens=[START, END], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )  # fmt: skip
    prompts = [p for p in files("secondread.prompts").joinpath("planner").iterdir() if p.name.endswith(".md")]
    raw.train_from_iterator([template, *(p.read_text(encoding="utf-8") for p in prompts)], trainer)
    raw.add_tokens(
        [AddedToken(p, special=False, normalized=False) for p, special in script if not special and p != END]
    )
    raw.add_special_tokens(
        [AddedToken(p, special=True, normalized=False) for p, special in script if special and p != END]
    )
    made = PreTrainedTokenizerFast(tokenizer_object=raw, eos_token=END, pad_token=END)
    made.chat_template = template
    return made


def _scripted(model: Any, chain: Sequence[int], config: Any) -> None:
    """Make each token of a chain the certain successor of the one before, whatever stands further back."""
    import torch

    with torch.no_grad():
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()
        rows = torch.nn.functional.normalize(torch.randn(config.vocab_size, HIDDEN), dim=1)
        model.model.embed_tokens.weight.copy_(rows)
        model.lm_head.weight.zero_()
        for before, after in pairwise(chain):
            model.lm_head.weight[after] += rows[before]
