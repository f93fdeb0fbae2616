"""Layers of a model from its input to its output: learning rates of their own, and freezing the first of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from facula import nn
from facula.nn import Parameter

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


#: A part of a model: a module or a single parameter.
Part = nn.Module | Parameter


def layer_groups(model: nn.Module) -> list[list[Part]]:
    """Return the parts of a model that have parameters, in the order in which it holds them, one a group.

    Of a model whose only part is a model, the parts of that. Parameters of the model's own go with the first part.

    >>> [len(group) for group in layer_groups(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)))]
    [1, 1]
    """
    parts = [each for each in model.children() if next(each.parameters(), None) is not None]
    own: list[Part] = list(model.parameters(recurse=False))
    if len(parts) == 1 and not own:
        return layer_groups(parts[0])
    others: list[list[Part]] = [[each] for each in parts[1:]]
    return [[*own, *parts[:1]], *others]


def even_rates(lr: float | slice | Sequence[float], count: int) -> list[float]:
    """Return a learning rate for each of ``count`` groups.

    Those of ``slice(first, last)`` grow by one factor from the first to the last; with ``slice(last)`` all but the last are
    a tenth of it.

    >>> even_rates(slice(1e-4, 1e-2), 3)
    [0.0001, 0.001, 0.01]
    """
    if isinstance(lr, slice):
        if lr.step is not None or lr.stop is None:
            raise ValueError(f"expected slice(first, last) or slice(last) for learning rates, got {lr}")
        if lr.start is None:
            return [lr.stop / 10] * (count - 1) + [lr.stop]
        if count == 1:
            return [lr.stop]
        growth = (lr.stop / lr.start) ** (1 / (count - 1))
        # The last is what was given, to the letter.
        return [lr.start * growth**at for at in range(count - 1)] + [lr.stop]
    if isinstance(lr, (int, float)):
        return [lr] * count
    if len(lr) != count:
        raise ValueError(f"expected a learning rate for each of {count} groups of layers, got {len(lr)}")
    return list(lr)


def discriminative_lrs(
    model: nn.Module, lr: float | slice | Sequence[float], groups: Sequence[Sequence[Part]] | None = None
) -> list[dict[str, Any]]:
    """Return an optimizer's groups, one for each of the model's `layer_groups`, with learning rates that grow.

    ``groups`` takes the place of those. Howard and Ruder 2018, arXiv 1801.06146.

    >>> model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    >>> [group["lr"] for group in discriminative_lrs(model, slice(1e-5, 1e-3))]
    [1e-05, 0.001]
    """
    chosen = layer_groups(model) if groups is None else groups
    rates = even_rates(lr, len(chosen))
    taken: set[int] = set()
    found = []
    for group, rate in zip(chosen, rates):
        # What groups share belongs to the first of them.
        own = [each for each in _parameters(group) if id(each) not in taken]
        taken.update(map(id, own))
        found.append({"params": own, "lr": rate})
    return found


def freeze_to(model: nn.Module, n: int, groups: Sequence[Sequence[Part]] | None = None, train_bn: bool = True) -> None:
    """Let only the groups of layers from the n-th on be trained, counted from the end where ``n`` is negative.

    With ``train_bn`` the scales and shifts of batch norms are trained everywhere. ``freeze_to(model, 0)`` unfreezes all.

    >>> model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    >>> freeze_to(model, -1)
    >>> [each.requires_grad for each in model.parameters()]
    [False, False, True, True]
    """
    chosen = layer_groups(model) if groups is None else groups
    if not -len(chosen) <= n <= len(chosen):
        raise IndexError(f"there are {len(chosen)} groups of layers, got n={n}")
    first = n if n >= 0 else len(chosen) + n
    for at, group in enumerate(chosen):
        for parameter in _parameters(group):
            parameter.requires_grad = at >= first
        if train_bn:
            for norm in (each for part in group if isinstance(part, nn.Module) for each in part.modules()):
                if isinstance(norm, _NORMS):
                    for parameter in norm.parameters(recurse=False):
                        parameter.requires_grad = True


def _parameters(group: Sequence[Part]) -> list[Parameter]:
    found: dict[int, Parameter] = {}
    for part in group:
        for parameter in [part] if isinstance(part, Parameter) else part.parameters():
            found[id(parameter)] = parameter
    return list(found.values())
