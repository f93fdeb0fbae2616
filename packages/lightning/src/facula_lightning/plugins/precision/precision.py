"""Precision: the base of all, and what single precision does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import facula
from facula import Tensor
from facula.nn.utils import clip_grad_norm_, clip_grad_value_
from facula.optim import Optimizer

from facula_lightning.utilities.data import apply_to_collection
from facula_lightning.utilities.exceptions import MisconfigurationException


class Precision:
    """Single precision: weights and steps in float32; others derive from it.

    >>> Precision().precision
    '32-true'
    """

    precision: str = "32-true"
    #: Whether other optimizers will step on gradients of the same batch.
    more_steps = False

    def convert_module(self, module: facula.nn.Module) -> facula.nn.Module:
        """Return a module with its weights in the type they are kept in."""
        return module

    def convert_input(self, data: Any) -> Any:
        """Return a batch with its floating-point tensors in the type that the steps take."""
        return data

    def convert_output(self, data: Any) -> Any:
        """Return what a module gave; other precisions with its floating-point tensors in the default type."""
        return data

    def tensor_init_context(self) -> AbstractContextManager[Any]:
        """Return the context in which new tensors get the right type."""
        return nullcontext()

    def module_init_context(self) -> AbstractContextManager[Any]:
        """Return the context in which the layers of a new model get the right type."""
        return self.tensor_init_context()

    def forward_context(self) -> AbstractContextManager[Any]:
        """Return the context that a step runs in."""
        return nullcontext()

    def train_step_context(self) -> AbstractContextManager[Any]:
        """Return the context that a training step runs in."""
        return self.forward_context()

    def val_step_context(self) -> AbstractContextManager[Any]:
        """Return the context that a validation step runs in."""
        return self.forward_context()

    def test_step_context(self) -> AbstractContextManager[Any]:
        """Return the context that a test step runs in."""
        return self.forward_context()

    def predict_step_context(self) -> AbstractContextManager[Any]:
        """Return the context that a prediction step runs in."""
        return self.forward_context()

    def pre_backward(self, tensor: Tensor) -> Tensor:
        """Return the loss to compute gradients of."""
        return tensor

    def optimizer_step(self, optimizer: Optimizer, closure: Callable[[], Any], **kwargs: Any) -> Any:
        """Return what the step of an optimizer gives; ``closure`` computes the gradients and lets hooks see them."""
        return optimizer.step(closure, **kwargs)

    def after_gradients(self, optimizer: Optimizer) -> None:
        """Make gradients ready to be seen and clipped; called between the computation of gradients and the step."""

    def clip_gradients(
        self, optimizer: Optimizer, clip_val: int | float = 0.0, gradient_clip_algorithm: str | None = "norm"
    ) -> None:
        """Clip the gradients of an optimizer's parameters, by "norm" or by "value"; nothing where ``clip_val`` is 0."""
        if clip_val <= 0:
            return
        algorithm = gradient_clip_algorithm or "norm"
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        if algorithm == "norm":
            clip_grad_norm_(parameters, clip_val)
        elif algorithm == "value":
            clip_grad_value_(parameters, clip_val)
        else:
            raise MisconfigurationException(
                f"`gradient_clip_algorithm` {algorithm} is invalid. Allowed algorithms: ['value', 'norm']."
            )

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint should keep."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what `state_dict` returned."""


@contextmanager
def default_dtype(dtype: facula.dtype) -> Iterator[None]:
    """Make new tensors of a type inside the context."""
    before = facula.get_default_dtype()
    facula.set_default_dtype(dtype)
    try:
        yield
    finally:
        facula.set_default_dtype(before)


def convert_floats(data: Any, dtype: facula.dtype) -> Any:
    """Return ``data`` with every floating-point tensor in it in a type."""

    def convert(tensor: Tensor) -> Tensor:
        return tensor.to(dtype) if tensor.is_floating_point() else tensor

    return apply_to_collection(data, Tensor, convert)
