"""What language models return."""

from dataclasses import dataclass

from facula import Tensor

__all__ = ["CausalLMOutput", "KeyValueCache"]

KeyValueCache = list[tuple[Tensor, Tensor]]
"""For each layer the keys and the values of all tokens so far, each (N, heads, L, head size)."""


@dataclass(frozen=True)
class CausalLMOutput:
    """The result of a language model: ``logits`` (N, L, vocabulary), and what was asked for beside them."""

    logits: Tensor
    loss: Tensor | None = None
    past_key_values: KeyValueCache | None = None
