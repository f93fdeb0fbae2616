"""ModelSummary: a table of a model's layers and their sizes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import facula
from facula import Tensor

from facula_lightning.callbacks.callback import Callback
from facula_lightning.utilities.data import move_data_to_device

if TYPE_CHECKING:
    from facula_lightning.module import LightningModule
    from facula_lightning.trainer import Trainer

_UNITS = ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "K"))


class ModelSummary(Callback):
    """Prints, when fit begins, the layers down to ``max_depth`` (-1 for all) with their numbers of parameters."""

    def __init__(self, max_depth: int = 1, **summarize_kwargs: object) -> None:
        self._max_depth = max_depth
        self._summarize_kwargs = summarize_kwargs

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the table."""
        if self._max_depth and not trainer.barebones and trainer.is_global_zero:
            self.show(pl_module)

    def show(self, module: LightningModule) -> None:
        """Print the table of a module."""
        sys.stdout.write("\n" + summarize(module, self._max_depth) + "\n")
        sys.stdout.flush()


def summarize(module: LightningModule, max_depth: int = 1) -> str:
    """Return the table of a module's layers.

    A module with ``example_input_array`` is run on it, and the table shows the shapes going in and out of each layer.
    """
    heads, columns = layer_columns(module, max_depth)
    widths = [max(len(head), *map(len, column), 0) for head, column in zip(heads, columns)]
    lines = [" | ".join(head.ljust(width) for head, width in zip(heads, widths))]
    rule = "-" * (len(lines[0]) + 1)
    lines.append(rule)
    for row in zip(*columns):
        lines.append(" | ".join(cell.ljust(width) for cell, width in zip(row, widths)))
    lines.append(rule)
    totals = [f"{number:<10}{text}" for number, text in totals_of(module)]
    return "\n".join([*lines, *totals])


def layer_columns(module: LightningModule, max_depth: int) -> tuple[list[str], list[list[str]]]:
    """Return the heads of the table of a module's layers, and what stands below each."""
    layers = [
        (name, layer)
        for name, layer in module.named_modules()
        if name and (max_depth == -1 or name.count(".") < max_depth)
    ]
    heads = ["", "Name", "Type", "Params", "Mode"]
    columns = [
        [str(index) for index in range(len(layers))],
        [name for name, _ in layers],
        [type(layer).__name__ for _, layer in layers],
        [readable_number(count_parameters(layer)) for _, layer in layers],
        ["train" if layer.training else "eval" for _, layer in layers],
    ]
    if module.example_input_array is not None:
        shapes = _shapes(module, layers)
        heads += ["In sizes", "Out sizes"]
        columns += [[shapes[name][0] for name, _ in layers], [shapes[name][1] for name, _ in layers]]
    return heads, columns


def totals_of(module: facula.nn.Module) -> list[tuple[str, str]]:
    """Return the numbers below the table, and what each is."""
    parameters = {id(each): each for each in module.parameters()}.values()
    trainable = sum(each.numel() for each in parameters if each.requires_grad)
    frozen = sum(each.numel() for each in parameters if not each.requires_grad)
    size = sum(each.numel() * each.element_size() for each in parameters) / 1e6
    modules = [layer for name, layer in module.named_modules() if name]
    return [
        (readable_number(trainable), "Trainable params"),
        (readable_number(frozen), "Non-trainable params"),
        (readable_number(trainable + frozen), "Total params"),
        (f"{size:,.3f}", "Total estimated model params size (MB)"),
        (str(sum(layer.training for layer in modules)), "Modules in train mode"),
        (str(sum(not layer.training for layer in modules)), "Modules in eval mode"),
    ]


def count_parameters(module: facula.nn.Module) -> int:
    """Return the number of elements of a module's parameters."""
    return sum(each.numel() for each in module.parameters())


def readable_number(number: int) -> str:
    """Return a number of at most three digits with a unit.

    >>> readable_number(12345)
    '12.3 K'
    """
    for size, unit in _UNITS:
        if number >= size:
            scaled = number / size
            return f"{scaled:,.0f} {unit}" if scaled >= 100 else f"{scaled:,.1f} {unit}"
    return f"{number} "


def _shapes(module: LightningModule, layers: list[tuple[str, facula.nn.Module]]) -> dict[str, tuple[str, str]]:
    found = {name: ("?", "?") for name, _ in layers}
    handles = []
    for name, layer in layers:

        def note(_: object, inputs: object, output: object, name: str = name) -> None:
            found[name] = (_shape(inputs), _shape(output))

        handles.append(layer.register_forward_hook(note))
    modes = {layer: layer.training for layer in module.modules()}
    given = move_data_to_device(module.example_input_array, module.device)
    module.eval()
    try:
        with facula.no_grad():
            if isinstance(given, dict):
                module(**given)
            else:
                module(*(given if isinstance(given, tuple) else (given,)))
    finally:
        for handle in handles:
            handle.remove()
        for layer, training in modes.items():
            layer.training = training
    return found


def _shape(value: object) -> str:
    if isinstance(value, Tensor):
        return str(list(value.shape))
    if isinstance(value, (list, tuple)):
        return _shape(value[0]) if len(value) == 1 else str([_shape(each) for each in value]).replace("'", "")
    return "?"
