"""Making modules without initial values, and laying out the weights of convolutions."""

from __future__ import annotations

import inspect
from typing import Any, TypeVar

from facula.nn.module import Module
from facula.nn.modules.conv import Conv2d, Conv3d, ConvTranspose2d, ConvTranspose3d
from facula.ops.conversion import channels_last, channels_last_3d
from facula.ops.conversion import memory_format as MemoryFormat
from facula.ops.random import get_rng_state, set_rng_state

__all__ = ["convert_conv2d_weight_memory_format", "convert_conv3d_weight_memory_format", "skip_init"]

M = TypeVar("M", bound=Module)


def skip_init(module_cls: type[M], *args: object, **kwargs: object) -> M:
    """Return a module whose parameters are arbitrary: to be filled by the caller, taking no random numbers.

    RuntimeError when the class takes no ``device``.

    >>> facula.nn.utils.skip_init(facula.nn.Linear, 5, 1)
    Linear(in_features=5, out_features=1, bias=True)
    """
    if not (isinstance(module_cls, type) and issubclass(module_cls, Module)):
        raise RuntimeError(f"Expected a Module; got {module_cls}")
    if "device" not in inspect.signature(module_cls).parameters:
        raise RuntimeError("Module must support a 'device' arg to skip initialization")
    state = get_rng_state()
    try:
        return module_cls(*args, **kwargs)
    finally:
        set_rng_state(state)


def _convert(module: M, memory_format: MemoryFormat, kinds: tuple[type[Module], ...]) -> M:
    for each in module.modules():
        if isinstance(each, kinds):
            weight: Any = each.weight
            values = weight.detach()
            if memory_format in (channels_last, channels_last_3d):
                weight.data = values.movedim(1, -1).contiguous().movedim(-1, 1)
            else:
                weight.data = values.contiguous()
    return module


def convert_conv2d_weight_memory_format(module: M, memory_format: MemoryFormat) -> M:
    """Return ``module``, the weights of its 2D convolutions laid out in memory as ``memory_format`` says."""
    return _convert(module, memory_format, (Conv2d, ConvTranspose2d))


def convert_conv3d_weight_memory_format(module: M, memory_format: MemoryFormat) -> M:
    """Return ``module``, the weights of its 3D convolutions laid out in memory as ``memory_format`` says."""
    return _convert(module, memory_format, (Conv3d, ConvTranspose3d))
