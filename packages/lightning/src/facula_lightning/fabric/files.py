"""Fabric's files: states of modules and optimizers, by the names the program gives them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from facula import nn

from facula_lightning.checkpointing.files import read_verified
from facula_lightning.fabric.wrappers import unwrapped
from facula_lightning.plugins.io import CheckpointIO, TorchCheckpointIO
from facula_lightning.plugins.precision import Precision

PathLike = str | os.PathLike[str]
Filter = Callable[[str, Any], bool]


def state_of(state: Mapping[str, Any], filters: Mapping[str, Filter] | None, precision: Precision) -> dict[str, Any]:
    """Return what a file holds of ``state``: in place of objects their states, only what their filters keep of them.

    A scaler of gradients comes with it, under the name of the precision's class.
    """
    _check_filters(filters, state)
    whole = {}
    for key, each in state.items():
        value = unwrapped(each)
        found = value.state_dict() if hasattr(value, "state_dict") else value
        if filters is not None and key in filters:
            found = {name: part for name, part in found.items() if filters[key](name, part)}
        whole[key] = found
    scaler = precision.state_dict()
    if scaler:
        whole.setdefault(type(precision).__name__, scaler)
    return whole


def _check_filters(filters: object, state: Mapping[str, Any]) -> None:
    if filters is None:
        return
    if not isinstance(filters, dict):
        raise TypeError(f"Filter should be a dictionary, given {filters!r}")
    unknown = set(filters) - set(state)
    if unknown:
        raise ValueError(f"The filter keys {unknown} are not present in the state keys {set(state)}.")
    for key, each in filters.items():
        if not callable(each):
            raise TypeError(f"Expected `fabric.save(filter=...)` for key {key!r} to be a callable, given {each!r}")


def read(path: PathLike, plugin: CheckpointIO, weights_only: bool | None) -> Any:
    """Return what is in a file."""
    if isinstance(plugin, TorchCheckpointIO):
        return read_verified(path)
    return plugin.load_checkpoint(path, weights_only=weights_only)


def restore(found: Any, state: Any, strict: bool, path: PathLike, precision: Precision) -> dict[str, Any]:
    """Give objects, or the one that ``state`` is, their states from what a file holds; return what is left of it.

    Raises KeyError, when ``strict``, for a key that the file does not have.
    """
    if not isinstance(state, dict):
        give(state, found, strict)
        return {}
    left: dict[str, Any] = dict(found)
    missing = [key for key in state if key not in left]
    if strict and missing:
        raise KeyError(
            f"The checkpoint {os.fspath(path)} has no {missing[0]!r}, it has {sorted(left)}. To disable strict loading, set"
            " `strict=False`."
        )
    name = type(precision).__name__
    if name not in state and precision.state_dict() and name in left:
        precision.load_state_dict(left.pop(name))
    for key in [key for key in state if key in left]:
        target = unwrapped(state[key])
        if hasattr(target, "load_state_dict"):
            give(target, left.pop(key), strict)
        else:
            state[key] = left.pop(key)
    return left


def give(target: Any, state: Any, strict: bool) -> None:
    """Give an object its state; ``strict`` is for modules."""
    target = unwrapped(target)
    if isinstance(target, nn.Module):
        target.load_state_dict(state, strict=strict)
    else:
        target.load_state_dict(state)
