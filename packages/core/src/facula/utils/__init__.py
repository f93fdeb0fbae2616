"""Helpers beside the tensors: data loading, checkpointing, nested containers."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from facula.utils import checkpoint, data, flop_counter, pytree, tensorboard

#: What is imported when it is first asked for.
_LATER = frozenset({"checkpoint", "data", "flop_counter", "pytree", "tensorboard"})


def __getattr__(name: str) -> object:
    if name in _LATER:
        return import_module(f"facula.utils.{name}")
    raise AttributeError(f"module 'facula.utils' has no attribute {name!r}")
