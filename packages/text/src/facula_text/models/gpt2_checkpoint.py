"""Bringing published GPT-2 checkpoints to the keys of GPT2LMHeadModel."""

import re
from collections.abc import Mapping

from facula import Tensor

__all__ = ["convert_gpt2_state_dict"]

# The causal mask, which old checkpoints store as a buffer of every layer.
_MASK_BUFFER = re.compile(r"(^|\.)attn\.(bias|masked_bias)$")


def convert_gpt2_state_dict(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a published GPT-2 ``state_dict`` with the keys ``GPT2LMHeadModel`` has, tensors unchanged.

    The prefix ``transformer.`` is added where the file is of the bare model, stored causal masks are left out, and
    ``lm_head.weight`` is the token embedding where the file leaves it out.
    """
    converted = {}
    for key, value in state_dict.items():
        if _MASK_BUFFER.search(key):
            continue
        is_complete = key.startswith(("transformer.", "lm_head."))
        converted[key if is_complete else f"transformer.{key}"] = value
    if "transformer.wte.weight" in converted:
        converted.setdefault("lm_head.weight", converted["transformer.wte.weight"])
    return converted
