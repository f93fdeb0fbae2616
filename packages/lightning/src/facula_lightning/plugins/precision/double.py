"""DoublePrecision: everything in float64."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import facula

from facula_lightning.plugins.precision.precision import Precision, convert_floats, default_dtype


class DoublePrecision(Precision):
    """Double precision: weights, batches and new tensors in float64."""

    precision = "64-true"

    def convert_module(self, module: facula.nn.Module) -> facula.nn.Module:
        """Return the module with weights in float64."""
        return module.double()

    def convert_input(self, data: Any) -> Any:
        """Return a batch with its floating-point tensors in float64."""
        return convert_floats(data, facula.float64)

    def convert_output(self, data: Any) -> Any:
        """Return what a module gave with its floating-point tensors in the default type."""
        return convert_floats(data, facula.get_default_dtype())

    def tensor_init_context(self) -> AbstractContextManager[Any]:
        """Return the context in which new tensors are of float64."""
        return default_dtype(facula.float64)

    def forward_context(self) -> AbstractContextManager[Any]:
        """Return the context in which new tensors are of float64."""
        return self.tensor_init_context()
