"""The operations, one family a file: forward, gradients and documentation together."""

from importlib import import_module


def __getattr__(name: str) -> object:
    if name == "aten":
        return import_module("facula.ops.aten")
    raise AttributeError(f"module 'facula.ops' has no attribute {name!r}")
