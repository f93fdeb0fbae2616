"""Saving and loading: PyTorch's checkpoints, without executing what is in them, and safetensors."""

from facula.serialization.checkpoint import load, save, unsafe_load
from facula.serialization.safetensors import load_safetensors, save_safetensors
from facula.serialization.unpickler import add_safe_globals, clear_safe_globals, get_safe_globals, safe_globals

__all__ = [
    "add_safe_globals",
    "clear_safe_globals",
    "get_safe_globals",
    "load",
    "load_safetensors",
    "safe_globals",
    "save",
    "save_safetensors",
    "unsafe_load",
]
