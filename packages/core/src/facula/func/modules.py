"""Modules as functions of their parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import facula
from facula import Tensor
from facula.nn.module import Module

__all__ = ["functional_call", "replace_all_batch_norm_modules_", "stack_module_state"]

Named = Mapping[str, Tensor]


def _merged(dictionaries: Named | Sequence[Named]) -> dict[str, Tensor]:
    if isinstance(dictionaries, Mapping):
        return dict(dictionaries)
    merged: dict[str, Tensor] = {}
    for each in dictionaries:
        if not isinstance(each, Mapping):
            raise ValueError(
                f"Expected all elements of parameter_and_buffer_dicts to be dictionaries, got {type(each)}"
            )
        repeated = merged.keys() & each.keys()
        if repeated:
            raise ValueError(
                f"{sorted(repeated)} appeared in multiple dictionaries; behavior of functional call is ambiguous"
            )
        merged.update(each)
    return merged


def _slots(module: Module) -> dict[str, tuple[dict[Any, Any], str]]:
    """Return, for the name of each parameter and buffer, the table it is in and its name there."""
    slots: dict[str, tuple[dict[Any, Any], str]] = {}
    for prefix, part in module.named_modules(remove_duplicate=False):
        for table in (part._parameters, part._buffers):
            for name in table:
                slots[f"{prefix}.{name}" if prefix else name] = (table, name)
    return slots


@contextmanager
def _with_values(module: Module, values: dict[str, Tensor], tie_weights: bool, strict: bool) -> Iterator[None]:
    slots = _slots(module)
    unknown = values.keys() - slots.keys()
    if unknown:
        raise KeyError(f"{type(module).__name__} has no parameters or buffers {sorted(unknown)}")
    if strict and slots.keys() - values.keys():
        raise RuntimeError(f"Missing key(s): {sorted(slots.keys() - values.keys())}.")
    if tie_weights:
        for name, value in list(values.items()):
            table, key = slots[name]
            original = table[key]
            for other, (other_table, other_key) in slots.items():
                if other not in values and original is not None and other_table[other_key] is original:
                    values[other] = value
    before = {name: slots[name][0][slots[name][1]] for name in values}
    try:
        for name, value in values.items():
            table, key = slots[name]
            table[key] = value
        yield
    finally:
        for name, value in before.items():
            table, key = slots[name]
            table[key] = value


def functional_call(
    module: Module,
    parameter_and_buffer_dicts: Named | Sequence[Named],
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Return what a module returns with other tensors in place of its parameters and buffers, which stay as they are.

    >>> layer = facula.nn.Linear(2, 1, bias=False)
    >>> facula.func.functional_call(layer, {"weight": facula.ones(1, 2)}, facula.tensor([[1.0, 2.0]]))
    tensor([[3.]])
    """
    arguments = () if args is None else args if isinstance(args, tuple) else (args,)
    with _with_values(module, _merged(parameter_and_buffer_dicts), tie_weights, strict):
        return module(*arguments, **(kwargs or {}))


def stack_module_state(models: Sequence[Module]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the parameters and the buffers of modules of one kind, stacked along a new first dimension."""
    if not models:
        raise RuntimeError("stack_module_state: Expected at least one model, got 0.")
    if len({each.training for each in models}) > 1:
        raise RuntimeError("stack_module_state: Expected all models to have the same training/eval mode.")
    if len({type(each) for each in models}) > 1:
        raise RuntimeError("stack_module_state: Expected all models to be of the same class.")
    all_parameters = [dict(each.named_parameters()) for each in models]
    all_buffers = [dict(each.named_buffers()) for each in models]
    parameters = {
        name: facula.stack([each[name] for each in all_parameters]).detach().requires_grad_(value.requires_grad)
        for name, value in all_parameters[0].items()
    }
    buffers = {name: facula.stack([each[name] for each in all_buffers]) for name in all_buffers[0]}
    return parameters, buffers


def replace_all_batch_norm_modules_(root: Module) -> Module:
    """Make the batch normalisations in a module keep no statistics, and return the module."""
    for part in root.modules():
        if isinstance(part, facula.nn.modules.normalization._BatchNorm) and part.track_running_stats:
            part.running_mean = part.running_var = part.num_batches_tracked = None
            part.track_running_stats = False
    return root
