"""Reference models with the published checkpoints' state_dict keys, and text generation."""

from facula_text.models.classifier import TextClassificationModel
from facula_text.models.generation import filter_top_k, filter_top_p, generate
from facula_text.models.gpt2 import GPT2LMHeadModel, GPT2Model
from facula_text.models.gpt2_checkpoint import convert_gpt2_state_dict
from facula_text.models.gpt2_config import GPT2Config
from facula_text.models.outputs import CausalLMOutput, KeyValueCache

GPT = GPT2LMHeadModel
GPTConfig = GPT2Config

__all__ = [
    "GPT",
    "CausalLMOutput",
    "GPT2Config",
    "GPT2LMHeadModel",
    "GPT2Model",
    "GPTConfig",
    "KeyValueCache",
    "TextClassificationModel",
    "convert_gpt2_state_dict",
    "filter_top_k",
    "filter_top_p",
    "generate",
]
