"""Parameters that a module has in several places: finding them, and tying them again."""

from __future__ import annotations

import facula


def find_shared_parameters(module: facula.nn.Module) -> list[list[str]]:
    """Return the names of each parameter that is found under more than one.

    >>> layers = facula.nn.Sequential(facula.nn.Linear(2, 2), facula.nn.Linear(2, 2))
    >>> layers[1].weight = layers[0].weight
    >>> find_shared_parameters(layers)
    [['0.weight', '1.weight']]
    """
    names: dict[int, list[str]] = {}
    for name, parameter in module.named_parameters(remove_duplicate=False):
        names.setdefault(id(parameter), []).append(name)
    return [each for each in names.values() if len(each) > 1]


def set_shared_parameters(module: facula.nn.Module, shared_params: list[list[str]]) -> facula.nn.Module:
    """Return the module with each list of names, as `find_shared_parameters` returns them, bound to the first one's parameter."""
    for first, *others in shared_params:
        shared = module.get_parameter(first)
        for name in others:
            place, _, last = name.rpartition(".")
            setattr(module.get_submodule(place), last, shared)
    return module
