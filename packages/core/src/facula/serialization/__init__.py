"""Saving and loading: PyTorch's zip checkpoints, without executing what is in them, and safetensors."""

from facula.serialization.checkpoint import load, save, unsafe_load
from facula.serialization.safetensors import load_safetensors, save_safetensors

__all__ = ["load", "load_safetensors", "save", "save_safetensors", "unsafe_load"]
