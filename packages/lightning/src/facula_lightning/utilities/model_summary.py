"""ModelSummary: the table of a model's layers, as an object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from facula_lightning.callbacks import model_summary as table
from facula_lightning.utilities.exceptions import MisconfigurationException

if TYPE_CHECKING:
    from facula_lightning.module import LightningModule


class ModelSummary:
    """The layers of a module down to ``max_depth`` (-1 for all), with their numbers of parameters.

    >>> from facula import nn
    >>> from facula_lightning import LightningModule
    >>> class Line(LightningModule):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.layer = nn.Linear(2, 3)
    >>> ModelSummary(Line()).total_parameters
    9
    """

    def __init__(self, model: LightningModule, max_depth: int = 1) -> None:
        if not isinstance(max_depth, int) or max_depth < -1:
            raise ValueError(f"`max_depth` can be -1, 0 or > 0, got {max_depth}.")
        self._model = model
        self._max_depth = max_depth

    @property
    def max_depth(self) -> int:
        """Down to which depth layers are shown."""
        return self._max_depth

    @property
    def layer_names(self) -> list[str]:
        """The names of the layers."""
        return self._column(1)

    @property
    def layer_types(self) -> list[str]:
        """The classes of the layers."""
        return self._column(2)

    @property
    def param_nums(self) -> list[int]:
        """The number of parameters of each layer."""
        layers = dict(self._model.named_modules())
        return [table.count_parameters(layers[name]) for name in self.layer_names]

    @property
    def total_parameters(self) -> int:
        """The number of all parameters, shared ones counted once."""
        return table.count_parameters(self._model)

    @property
    def trainable_parameters(self) -> int:
        """The number of the parameters that have gradients."""
        return sum(each.numel() for each in self._model.parameters() if each.requires_grad)

    @property
    def model_size(self) -> float:
        """The size of all parameters, in megabytes."""
        return sum(each.numel() * each.element_size() for each in self._model.parameters()) / 1e6

    def _column(self, number: int) -> list[str]:
        return table.layer_columns(self._model, self._max_depth)[1][number]

    def __str__(self) -> str:
        return table.summarize(self._model, self._max_depth)

    __repr__ = __str__


def summarize(lightning_module: LightningModule, max_depth: int = 1) -> ModelSummary:
    """Return the table of a module's layers; MisconfigurationException unless ``max_depth`` is a number from -1 on."""
    if not isinstance(max_depth, int) or max_depth < -1:
        raise MisconfigurationException(f"`max_depth` can be -1, 0 or > 0, got {max_depth}.")
    return ModelSummary(lightning_module, max_depth)
