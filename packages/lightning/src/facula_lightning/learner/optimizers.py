"""Optimizers by name, by class, as functions of the parameters, or as they are."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import facula
from facula import nn
from facula.optim import Optimizer

from facula_lightning.utilities.layers import discriminative_lrs

OptimizerLike = str | Optimizer | Callable[..., Optimizer]

_CLASSES: dict[str, type[Optimizer]] = {
    name.lower(): kind
    for name, kind in vars(facula.optim).items()
    if isinstance(kind, type) and issubclass(kind, Optimizer) and kind is not Optimizer
}


def make_optimizer(optimizer: OptimizerLike, model: nn.Module, lr: float | slice | None = None) -> Optimizer:
    """Return the optimizer that a name, a class or a function of the parameters means, for a model's parameters.

    ``lr`` is its learning rate; a slice gives each layer its own: see `discriminative_lrs`.

    >>> make_optimizer("sgd", nn.Linear(2, 1), lr=0.5).param_groups[0]["lr"]
    0.5
    """
    if isinstance(optimizer, Optimizer):
        if lr is not None:
            raise ValueError("an optimizer that is made already has its learning rate: `lr` cannot be given, too")
        return optimizer
    if isinstance(optimizer, str):
        if optimizer.lower() not in _CLASSES:
            raise ValueError(f"there is no optimizer {optimizer!r}; there are {', '.join(_CLASSES)}")
        optimizer = _CLASSES[optimizer.lower()]
    if not callable(optimizer):
        raise TypeError(
            f"expected a name, a class, a function or an Optimizer for the optimizer, got {type(optimizer).__name__}"
        )
    parameters: Any = model.parameters()
    settings: dict[str, Any] = {}
    if isinstance(lr, slice):
        parameters = discriminative_lrs(model, lr)
    elif lr is not None:
        settings["lr"] = lr
    if not isinstance(lr, slice) and lr is not None and not _takes(optimizer, "lr"):
        raise ValueError(f"`lr` cannot be given to {optimizer!r}, which has no such argument")
    made = optimizer(parameters, **settings)
    if not isinstance(made, Optimizer):
        raise TypeError(f"expected an Optimizer from the function given for the optimizer, got {type(made).__name__}")
    return made


def _takes(function: Callable[..., object], name: str) -> bool:
    parameters = inspect.signature(function).parameters
    return name in parameters or any(each.kind is each.VAR_KEYWORD for each in parameters.values())
