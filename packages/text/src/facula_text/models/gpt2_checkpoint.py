"""GPT-2's checkpoints: folders with config.json and the weights, and the layouts they were published in."""

import json
import os
import re
from collections.abc import Mapping
from os import PathLike

import facula
from facula import Tensor

from facula_text._files import write_text
from facula_text.models.gpt2_config import GPT2Config

__all__ = ["convert_gpt2_state_dict", "read_gpt2_folder", "write_gpt2_folder"]

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


def read_gpt2_folder(directory: str | PathLike[str]) -> tuple[GPT2Config, dict[str, Tensor]]:
    """Return the configuration and the converted weights in a folder with ``config.json`` and the weights.

    The weights are ``model.safetensors``, else ``pytorch_model.bin``. FileNotFoundError or ValueError names what is
    missing or is no GPT-2 configuration.
    """
    config_path = os.path.join(directory, "config.json")
    with open(config_path, encoding="utf-8") as file:
        try:
            config = GPT2Config.from_dict(json.load(file))
        except (ValueError, TypeError, AttributeError) as error:
            raise ValueError(f"{config_path}: expected a GPT-2 configuration, got {error}") from error
    safe, pickled = (os.path.join(directory, name) for name in ("model.safetensors", "pytorch_model.bin"))
    if os.path.exists(safe):
        return config, convert_gpt2_state_dict(facula.serialization.load_safetensors(safe))
    if os.path.exists(pickled):
        return config, convert_gpt2_state_dict(facula.load(pickled, map_location="cpu"))
    raise FileNotFoundError(f"expected {safe} or {pickled}, found neither")


def write_gpt2_folder(directory: str | PathLike[str], config: GPT2Config, state_dict: Mapping[str, Tensor]) -> None:
    """Write ``config.json`` and ``model.safetensors``; the output layer is left out, it is the token embedding."""
    os.makedirs(directory, exist_ok=True)
    weights = {key: value for key, value in state_dict.items() if key != "lm_head.weight"}
    facula.serialization.save_safetensors(
        weights, os.path.join(directory, "model.safetensors"), metadata={"format": "pt"}
    )
    # Last, so that a folder with a configuration is complete.
    write_text(os.path.join(directory, "config.json"), json.dumps(config.to_dict(), indent=2) + "\n")
