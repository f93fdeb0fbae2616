"""MixedPrecision: weights in float32, products in float16 or bfloat16."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import facula
from facula import Tensor
from facula.amp import GradScaler
from facula.optim import LBFGS, Optimizer

from facula_lightning.plugins.precision.precision import Precision, convert_floats
from facula_lightning.utilities.exceptions import MisconfigurationException


class MixedPrecision(Precision):
    """Mixed precision by autocast: "bf16-mixed", or "16-mixed" whose losses a `GradScaler` scales.

    Gradients are unscaled before hooks see them and before they are clipped; a step whose gradients are not finite is
    skipped, and the scale made smaller. "16-mixed" is for the CPU too, where Lightning takes "bf16-mixed" in its place.
    """

    def __init__(self, precision: str, device: str, scaler: GradScaler | None = None) -> None:
        if precision not in ("16-mixed", "bf16-mixed"):
            raise ValueError(
                f"Passed `{type(self).__name__}(precision={precision!r})`. Precision must be '16-mixed' or 'bf16-mixed'."
            )
        if precision == "bf16-mixed" and scaler is not None:
            raise MisconfigurationException(f"`precision='bf16-mixed'` does not use a scaler, found {scaler}.")
        self.precision = precision
        self.device = device
        self.scaler = GradScaler(device) if scaler is None and precision == "16-mixed" else scaler
        self._unscaled = False
        self._dtype = facula.bfloat16 if precision == "bf16-mixed" else facula.float16

    def convert_input(self, data: Any) -> Any:
        """Return a batch with its floating-point tensors in the default type."""
        return convert_floats(data, facula.get_default_dtype())

    def convert_output(self, data: Any) -> Any:
        """Return what a module gave with its floating-point tensors in the default type."""
        return convert_floats(data, facula.get_default_dtype())

    def forward_context(self) -> AbstractContextManager[Any]:
        """Return the context in which operations choose their type."""
        return facula.autocast(self.device, dtype=self._dtype)

    def pre_backward(self, tensor: Tensor) -> Tensor:
        """Return the loss, scaled where there is a scaler."""
        if self.scaler is None:
            return tensor
        scaled: Tensor = self.scaler.scale(tensor)
        return scaled

    def optimizer_step(self, optimizer: Optimizer, closure: Callable[[], Any], **kwargs: Any) -> Any:
        """Return what the step gives; None where the gradients were not finite."""
        if self.scaler is None:
            return super().optimizer_step(optimizer, closure, **kwargs)
        if isinstance(optimizer, LBFGS):
            raise MisconfigurationException("AMP and the LBFGS optimizer are not compatible.")
        with facula.enable_grad():
            result = closure()
        # Where the closure computed no gradients there is nothing to step on.
        if self._unscaled:
            self._unscaled = False
            self.scaler.step(optimizer, **kwargs)
            if not self.more_steps:
                self.scaler.update()
        return result

    def after_gradients(self, optimizer: Optimizer) -> None:
        """Unscale the gradients."""
        if self.scaler is not None:
            self.scaler.unscale_(optimizer)
            self._unscaled = True

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the scaler."""
        return {} if self.scaler is None else self.scaler.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what `state_dict` returned."""
        if self.scaler is not None:
            self.scaler.load_state_dict(state_dict)
