"""HalfPrecision: everything in float16 or bfloat16."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import facula

from facula_lightning.plugins.precision.precision import Precision, convert_floats, default_dtype


class HalfPrecision(Precision):
    """Half precision: weights, batches and new tensors in bfloat16 ("bf16-true") or float16 ("16-true")."""

    def __init__(self, precision: str = "16-true") -> None:
        if precision not in ("bf16-true", "16-true"):
            raise ValueError(
                f"Passed `{type(self).__name__}(precision={precision!r})`. Precision must be '16-true' or 'bf16-true'."
            )
        self.precision = precision
        self._dtype = facula.bfloat16 if precision == "bf16-true" else facula.float16

    def convert_module(self, module: facula.nn.Module) -> facula.nn.Module:
        """Return the module with its weights in the type."""
        return module.to(dtype=self._dtype)

    def convert_input(self, data: Any) -> Any:
        """Return a batch with its floating-point tensors in the type."""
        return convert_floats(data, self._dtype)

    def convert_output(self, data: Any) -> Any:
        """Return what a module gave with its floating-point tensors in the default type."""
        return convert_floats(data, facula.get_default_dtype())

    def tensor_init_context(self) -> AbstractContextManager[Any]:
        """Return the context in which new tensors are of the type."""
        return default_dtype(self._dtype)

    def forward_context(self) -> AbstractContextManager[Any]:
        """Return the context in which new tensors are of the type."""
        return self.tensor_init_context()
