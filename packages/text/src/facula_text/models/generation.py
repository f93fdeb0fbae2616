"""Continuing text with a language model: greedy or sampled, with a cache of keys and values."""

import math
from typing import Protocol

import facula
from facula import Generator, Tensor

from facula_text.models.outputs import CausalLMOutput, KeyValueCache

__all__ = ["filter_top_k", "filter_top_p", "generate"]


class LanguageModel(Protocol):
    """What ``generate`` needs of a model: a module called like ``GPT2LMHeadModel``."""

    training: bool

    def __call__(
        self,
        input_ids: Tensor,
        *,
        past_key_values: KeyValueCache | None,
        attention_mask: Tensor | None,
        use_cache: bool,
    ) -> CausalLMOutput: ...

    def train(self, mode: bool = True) -> object: ...


def filter_top_k(logits: Tensor, top_k: int) -> Tensor:
    """Return ``logits`` (..., V) with all but the ``top_k`` largest at minus infinity; equals of the last one stay.

    >>> filter_top_k(facula.tensor([1.0, 3.0, 2.0]), 2)
    tensor([-inf, 3., 2.])
    """
    if top_k < 1:
        raise ValueError(f"expected top_k of 1 or more, got {top_k}")
    smallest_kept = logits.topk(min(top_k, logits.shape[-1]), dim=-1).values[..., -1:]
    return logits.masked_fill(logits < smallest_kept, -math.inf)


def filter_top_p(logits: Tensor, top_p: float) -> Tensor:
    """Return ``logits`` (..., V) with all but the fewest likely tokens that make up ``top_p`` at minus infinity.

    Method of Holtzman and others (2020), arXiv 1904.09751. The likeliest token always stays.

    >>> filter_top_p(facula.tensor([0.5, 0.1, 0.4]).log(), 0.8)
    tensor([-0.6931,    -inf, -0.9163])
    """
    if not 0.0 < top_p <= 1.0:
        raise ValueError(f"expected top_p above 0 and at most 1, got {top_p}")
    ordered, order = logits.sort(dim=-1)
    # Ascending: what is dropped is the tail that holds 1 - top_p or less.
    dropped = ordered.softmax(dim=-1).cumsum(dim=-1) <= 1.0 - top_p
    dropped[..., -1] = False
    return logits.masked_fill(dropped.scatter(-1, order, dropped), -math.inf)


def generate(
    model: LanguageModel,
    input_ids: Tensor,
    max_new_tokens: int = 20,
    *,
    temperature: float = 1.0,
    top_k: int | None = 50,
    top_p: float | None = None,
    do_sample: bool = False,
    generator: Generator | None = None,
    eos_token_id: int | None = None,
    pad_token_id: int | None = None,
    attention_mask: Tensor | None = None,
    use_cache: bool = True,
    context_length: int | None = None,
) -> Tensor:
    """Return ``input_ids`` (N, L) continued by up to ``max_new_tokens``, shape (N, L + new).

    Greedy takes the likeliest token; ``do_sample`` draws, after dividing by ``temperature`` and keeping ``top_k``
    and then ``top_p``. A row that gave ``eos_token_id`` is filled with ``pad_token_id`` (default: eos), and all stop
    when each row has. Rows of unequal length are padded on the left, with ``attention_mask`` (N, L) 0 there. Text
    longer than ``context_length`` goes on from its last ``context_length`` tokens, read anew each time. Dropout is
    off meanwhile. The results with and without ``use_cache`` are the same.
    """
    _check(input_ids, max_new_tokens, temperature, attention_mask)
    was_training = model.training
    model.train(False)
    try:
        with facula.no_grad():
            return _generate(
                model,
                input_ids,
                max_new_tokens,
                _Choice(temperature, top_k, top_p, do_sample, generator),
                eos_token_id,
                eos_token_id if pad_token_id is None else pad_token_id,
                attention_mask,
                use_cache,
                context_length,
            )
    finally:
        model.train(was_training)


class _Choice:
    """How the next token is chosen from the logits (N, V)."""

    def __init__(
        self, temperature: float, top_k: int | None, top_p: float | None, do_sample: bool, generator: Generator | None
    ) -> None:
        self.temperature = temperature
        self.top_k = top_k
        self.top_p = top_p
        self.do_sample = do_sample
        self.generator = generator

    def __call__(self, logits: Tensor) -> Tensor:
        if not self.do_sample:
            return logits.argmax(dim=-1, keepdim=True)
        logits = logits / self.temperature
        if self.top_k is not None:
            logits = filter_top_k(logits, self.top_k)
        if self.top_p is not None and self.top_p < 1.0:
            logits = filter_top_p(logits, self.top_p)
        return facula.multinomial(logits.softmax(dim=-1), 1, generator=self.generator)


def _generate(
    model: LanguageModel,
    tokens: Tensor,
    max_new_tokens: int,
    choose: _Choice,
    eos: int | None,
    pad: int | None,
    mask: Tensor | None,
    use_cache: bool,
    context_length: int | None,
) -> Tensor:
    finished = facula.zeros(tokens.shape[0], 1, dtype=facula.bool, device=tokens.device)
    past: KeyValueCache | None = None
    for _ in range(max_new_tokens):
        window, window_mask = tokens, mask
        is_long = False
        if context_length is not None and tokens.shape[1] > context_length:
            is_long = True
            window = tokens[:, -context_length:]
            window_mask = None if mask is None else mask[:, -context_length:]
            # The window moves on by one token each time: no cached key stands at its old position.
            past = None
        if past is not None:
            window = window[:, -1:]
        output = model(window, past_key_values=past, attention_mask=window_mask, use_cache=use_cache and not is_long)
        past = output.past_key_values
        following = choose(output.logits[:, -1])
        if eos is not None and pad is not None:
            following = following.masked_fill(finished, pad)
            finished = finished | (following == eos)
        tokens = facula.cat((tokens, following), dim=1)
        if mask is not None:
            mask = facula.cat((mask, mask.new_ones(mask.shape[0], 1)), dim=1)
        if eos is not None and bool(finished.all()):
            break
    return tokens


def _check(input_ids: Tensor, max_new_tokens: int, temperature: float, attention_mask: Tensor | None) -> None:
    if input_ids.dim() != 2 or input_ids.shape[1] == 0:
        raise ValueError(f"expected input_ids of shape (N, L) with a token to start from, got {tuple(input_ids.shape)}")
    if attention_mask is not None and attention_mask.shape != input_ids.shape:
        raise ValueError(
            f"expected attention_mask of shape {tuple(input_ids.shape)}, got {tuple(attention_mask.shape)}"
        )
    if max_new_tokens < 0:
        raise ValueError(f"expected max_new_tokens of 0 or more, got {max_new_tokens}")
    if temperature <= 0.0:
        raise ValueError(f"expected a temperature above 0, got {temperature}; for the likeliest token, do_sample=False")
