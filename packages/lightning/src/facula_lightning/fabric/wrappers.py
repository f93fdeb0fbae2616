"""What Fabric puts around modules, optimizers and loaders."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import facula
from facula import nn
from facula.optim import Optimizer

from facula_lightning.plugins.precision import Precision
from facula_lightning.utilities.data import move_data_to_device

_STEPS = ("training_step", "validation_step", "test_step", "predict_step")


class FabricModule(nn.Module):
    """A module whose calls run in a precision; all else is the module's own."""

    def __init__(self, module: nn.Module, precision: Precision) -> None:
        super().__init__()
        self._forward_module = module
        self._precision = precision

    @property
    def module(self) -> nn.Module:
        """The module itself."""
        return self._forward_module

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the module gives."""
        return self._in_precision(self._forward_module, *args, **kwargs)

    def _in_precision(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        args, kwargs = self._precision.convert_input((args, kwargs))
        with self._precision.forward_context():
            return self._precision.convert_output(function(*args, **kwargs))

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            found = getattr(super().__getattr__("_forward_module"), name)
        if name in _STEPS:
            return lambda *args, **kwargs: self._in_precision(found, *args, **kwargs)
        return found

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """Return the module's own state."""
        return self._forward_module.state_dict(*args, **kwargs)

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Give the module its state."""
        return self._forward_module.load_state_dict(state_dict, strict=strict, assign=assign)


class FabricOptimizer:
    """An optimizer that steps as the precision says; all else is the optimizer's own."""

    def __init__(self, optimizer: Optimizer, precision: Precision) -> None:
        self._optimizer = optimizer
        self._precision = precision
        self._ready = False

    @property
    def optimizer(self) -> Optimizer:
        """The optimizer itself."""
        return self._optimizer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._optimizer, name)

    def prepare_gradients(self) -> None:
        """Unscale the gradients, once for each step."""
        if not self._ready:
            self._precision.after_gradients(self._optimizer)
            self._ready = True

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Step the optimizer; return what ``closure`` returned."""

        def wrapped() -> Any:
            result = None
            if closure is not None:
                with facula.enable_grad():
                    result = closure()
            self.prepare_gradients()
            return result

        result = self._precision.optimizer_step(self._optimizer, wrapped)
        self._ready = False
        return result


class FabricDataLoader:
    """A loader whose batches come on a device; all else is the loader's own."""

    def __init__(self, dataloader: Iterable[Any], device: facula.device | None) -> None:
        self._dataloader = dataloader
        self._device = device

    def __len__(self) -> int:
        return len(self._dataloader)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Any]:
        for batch in self._dataloader:
            yield batch if self._device is None else move_data_to_device(batch, self._device)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dataloader, name)


def is_wrapped(obj: object) -> bool:
    """Return whether Fabric set an object up."""
    return isinstance(obj, (FabricModule, FabricOptimizer, FabricDataLoader))


def unwrapped(obj: Any) -> Any:
    """Return what Fabric wrapped, or the object itself."""
    if isinstance(obj, FabricModule):
        return obj.module
    if isinstance(obj, FabricOptimizer):
        return obj.optimizer
    return obj._dataloader if isinstance(obj, FabricDataLoader) else obj
