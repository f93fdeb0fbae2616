"""What Fabric puts around modules, optimizers and loaders."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MethodType
from typing import TYPE_CHECKING, Any

import facula
from facula import nn
from facula.optim import Optimizer
from facula.utils.data import DataLoader

from facula_lightning.plugins.precision import Precision
from facula_lightning.trainer.data import weight_of
from facula_lightning.utilities.data import move_data_to_device
from facula_lightning.utilities.loaders import set_epoch

if TYPE_CHECKING:
    from facula_lightning.fabric.fabric import Fabric

_STEPS = ("training_step", "validation_step", "test_step", "predict_step")


class FabricModule(nn.Module):
    """A module whose calls run in a precision, and as the strategy wants; all else is the module's own.

    ``forward_module`` is the module as the strategy has wrapped it.
    """

    def __init__(self, forward_module: nn.Module, precision: Precision, original_module: nn.Module) -> None:
        super().__init__()
        self._forward_module = forward_module
        self._precision = precision
        # In the table of plain attributes: it is inside the other already.
        self.__dict__["_original_module"] = original_module
        self.__dict__["_forward_methods"] = set(_STEPS)

    _original_module: nn.Module
    _forward_methods: set[str]

    @property
    def module(self) -> nn.Module:
        """The module itself."""
        return self._original_module

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the module gives."""
        return self._in_precision(self._forward_module, *args, **kwargs)

    def mark_forward_method(self, method: MethodType | str) -> None:
        """Let a method be called as the module itself is, in the precision and as the strategy wants.

        TypeError for what is neither a method nor a name, ValueError for ``forward``, AttributeError for a method that the
        module does not have.
        """
        if not isinstance(method, (MethodType, str)):
            raise TypeError(f"Expected a method or a string, but got: {type(method).__name__}")
        name = method if isinstance(method, str) else method.__name__
        if name == "forward":
            raise ValueError("You cannot mark the forward method itself as a forward method.")
        if not isinstance(getattr(self._original_module, name, None), MethodType):
            raise AttributeError(f"`{type(self._original_module).__name__}` has no method {name!r} to be marked")
        self._forward_methods.add(name)

    def _in_precision(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        args, kwargs = self._precision.convert_input((args, kwargs))
        with self._precision.forward_context():
            output = function(*args, **kwargs)
        return self._precision.convert_output(output)

    def _method(self, function: Callable[..., Any]) -> Callable[..., Any]:
        # `DistributedDataParallel` does for a method what it does for a call.
        through = getattr(self._forward_module, "_through", None)
        if through is None:
            return lambda *args, **kwargs: self._in_precision(function, *args, **kwargs)
        return lambda *args, **kwargs: self._in_precision(through, function, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            if "_original_module" not in self.__dict__:
                raise
        found = getattr(self._original_module, name)
        return self._method(found) if name in self._forward_methods else found

    def __setattr__(self, name: str, value: Any) -> None:
        original = self.__dict__.get("_original_module")
        if original is None or name in self.__dict__ or name in self._modules:
            super().__setattr__(name, value)
        else:
            setattr(original, name, value)

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """Return the module's own state."""
        return self._original_module.state_dict(*args, **kwargs)

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Give the module its state."""
        return self._original_module.load_state_dict(state_dict, strict=strict, assign=assign)


class FabricOptimizer:
    """An optimizer that steps as the precision says; all else is the optimizer's own, its class too for ``isinstance``."""

    def __init__(self, optimizer: Optimizer, precision: Precision, callbacks: Sequence[Any], strategy: object) -> None:
        self._optimizer = optimizer
        self._precision = precision
        self._callbacks = callbacks
        self._strategy = strategy
        self._ready = False

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        """The optimizer's: a scheduler wants an `Optimizer`."""
        return type(self._optimizer)

    @property
    def optimizer(self) -> Optimizer:
        """The optimizer itself."""
        return self._optimizer

    def __getattr__(self, name: str) -> Any:
        if name == "_optimizer":  # while it is copied
            raise AttributeError(name)
        return getattr(self._optimizer, name)

    def __setattr__(self, name: str, value: Any) -> None:
        # A scheduler notes on the optimizer what it has done.
        own = name in ("_optimizer", "_precision", "_callbacks", "_strategy", "_ready")
        object.__setattr__(self if own else self._optimizer, name, value)

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
        for callback in self._callbacks:
            hook = getattr(callback, "on_after_optimizer_step", None)
            if callable(hook):
                hook(strategy=self._strategy, optimizer=self._optimizer)
        return result


class FabricDataLoader:
    """A loader whose batches come on a device, in another order each time it shuffles; all else is the loader's own.

    ``weight`` is by how much the loss of the newest batch counts for the average over processes to be that of the whole
    batch: other than 1 where a last batch could not be cut into equal parts, 0 where nothing was left for this process and
    a sample is repeated. `Fabric.backward` sees to it.
    """

    def __init__(
        self, dataloader: DataLoader[Any], device: facula.device | None, noted: Callable[[float], None] | None = None
    ) -> None:
        self._dataloader = dataloader
        self._device = device
        self._noted = noted
        self._epochs = 0
        self.weight = 1.0

    @property
    def device(self) -> facula.device | None:
        """Where the batches come; None where they stay where they are."""
        return self._device

    def __len__(self) -> int:
        return len(self._dataloader)

    def __iter__(self) -> Iterator[Any]:
        set_epoch(self._dataloader, self._epochs)
        self._epochs += 1
        for index, batch in enumerate(self._dataloader):
            self._note(weight_of(self._dataloader, index))
            yield batch if self._device is None else move_data_to_device(batch, self._device)
        self._note(1.0)

    def _note(self, weight: float) -> None:
        self.weight = weight
        if self._noted is not None:
            self._noted(weight)

    def __getattr__(self, name: str) -> Any:
        if name == "_dataloader":  # while it is copied
            raise AttributeError(name)
        return getattr(self._dataloader, name)


class FabricInPlaceOfTrainer:
    """What a LightningModule that a Fabric runs finds as its trainer."""

    def __init__(self, fabric: Fabric) -> None:
        self._fabric = fabric

    def __getattr__(self, name: str) -> Any:
        if name == "_fabric" or not hasattr(self._fabric, name):
            raise AttributeError(
                f"the LightningModule asks for `self.trainer.{name}`, but it is run by `Fabric`, which has no {name!r}"
            )
        return getattr(self._fabric, name)


def is_wrapped(obj: object) -> bool:
    """Return whether Fabric set an object up."""
    return issubclass(type(obj), (FabricModule, FabricOptimizer, FabricDataLoader))


def unwrapped(obj: Any) -> Any:
    """Return what Fabric wrapped, or the object itself."""
    if isinstance(obj, FabricModule):
        return obj.module
    if isinstance(obj, FabricOptimizer):
        return obj.optimizer
    return obj._dataloader if isinstance(obj, FabricDataLoader) else obj
