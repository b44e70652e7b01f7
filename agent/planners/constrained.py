"""Replies of local weights held to a JSON schema token by token, by llguidance where it is installed."""

import json
from typing import Any


class Constraint:
    """Makes logits processors for one model; a schema's grammar is compiled once per reply.

    Args:
        tokens: The tokenizer as llguidance knows it.
    """

    def __init__(self, tokens: Any) -> None:
        self._tokens = tokens

    @classmethod
    def of(cls, model: Any, tokenizer: Any) -> "Constraint | None":
        """The constraint of a model; None without llguidance, or for a tokenizer that it cannot take."""
        try:
            import llguidance.hf
        except ImportError:
            return None
        vocabulary = int(model.config.get_text_config().vocab_size)
        try:
            return cls(llguidance.hf.from_tokenizer(tokenizer, n_vocab=vocabulary))
        except (ValueError, TypeError, RuntimeError, AssertionError):  # only fast tokenizers of known kinds are taken
            return None

    def processors(self, schema: dict[str, Any]) -> Any:
        """Logits processors for one reply.

        Args:
            schema: JSON schema of the reply.

        Raises:
            ValueError: llguidance does not take the schema.
        """
        import llguidance
        import torch
        from transformers import LogitsProcessorList

        compact = {**schema, "x-guidance": {"whitespace_flexible": False}}  # else a weak model writes blanks for ever
        matcher = llguidance.LLMatcher(self._tokens, llguidance.LLMatcher.grammar_from_json_schema(json.dumps(compact)))
        if matcher.get_error():
            raise ValueError("The schema cannot be kept.")
        begun = False

        def held(input_ids: "torch.Tensor", scores: "torch.Tensor") -> "torch.Tensor":
            """Forbid every token that the grammar does not allow next."""
            nonlocal begun
            if begun:
                matcher.consume_token(int(input_ids[0, -1]))
            begun = True
            # llguidance's own kernel goes through torch.compile: half a minute for the first token
            allowed = torch.frombuffer(bytearray(matcher.compute_logit_bias()), dtype=torch.uint8) > 0
            fits = torch.zeros(scores.shape[-1], dtype=torch.bool)
            fits[: min(len(fits), len(allowed))] = allowed[: len(fits)]
            return scores.masked_fill(~fits.to(scores.device), float("-inf"))

        return LogitsProcessorList([held])
