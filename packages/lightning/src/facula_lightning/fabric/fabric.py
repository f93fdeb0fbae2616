"""Fabric: devices, precision, files and logs for a training loop of one's own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import facula
from facula import Tensor, nn
from facula.optim import Optimizer

from facula_lightning.checkpointing.files import replacing
from facula_lightning.fabric.wrappers import FabricDataLoader, FabricModule, FabricOptimizer, is_wrapped, unwrapped
from facula_lightning.loggers.logger import Logger
from facula_lightning.strategies.resolve import resolve_strategy
from facula_lightning.trainer.plugins import resolve_plugins
from facula_lightning.utilities.data import move_data_to_device
from facula_lightning.utilities.exceptions import MisconfigurationException
from facula_lightning.utilities.seed import seed_everything

PathLike = str | os.PathLike[str]


class Fabric:
    """What a loop of one's own needs, in one process; for several there is the `Trainer`.

    >>> fabric = Fabric(accelerator="cpu")
    >>> layer = facula.nn.Linear(2, 1)
    >>> model, optimizer = fabric.setup(layer, facula.optim.SGD(layer.parameters(), lr=0.1))
    >>> fabric.backward(model(facula.ones(1, 2)).sum())
    >>> optimizer.step()
    """

    def __init__(
        self,
        *,
        accelerator: str | Any = "auto",
        strategy: str | Any = "auto",
        devices: list[int] | str | int = "auto",
        num_nodes: int = 1,
        precision: str | int | None = None,
        plugins: object = None,
        callbacks: list[Any] | Any | None = None,
        loggers: Logger | list[Logger] | None = None,
    ) -> None:
        self._strategy = resolve_strategy(strategy, accelerator, devices, num_nodes, None)
        if self._strategy.launcher is not None or self._strategy.is_distributed:
            raise MisconfigurationException(
                f"`Fabric` runs in one process, got strategy={strategy!r}, devices={devices!r}: use the `Trainer`"
            )
        self._precision, _ = resolve_plugins(plugins, precision, self.device.type)
        self._callbacks = [] if callbacks is None else list(callbacks) if isinstance(callbacks, list) else [callbacks]
        self._loggers = [] if loggers is None else list(loggers) if isinstance(loggers, list) else [loggers]
        self._strategy.setup_environment()

    @property
    def device(self) -> facula.device:
        """The device that everything is put on."""
        return self._strategy.root_device

    global_rank = 0
    local_rank = 0
    node_rank = 0
    world_size = 1
    is_global_zero = True

    @property
    def loggers(self) -> list[Logger]:
        """The loggers."""
        return self._loggers

    @property
    def logger(self) -> Logger:
        """The first logger; IndexError without any."""
        return self._loggers[0]

    def launch(self, function: Callable[..., Any] | None = None, *args: Any, **kwargs: Any) -> Any:
        """Return what ``function`` returns, called with this Fabric and the arguments."""
        return None if function is None else function(self, *args, **kwargs)

    # Setting up

    def setup(
        self, module: nn.Module, *optimizers: Optimizer, scheduler: Any | None = None, move_to_device: bool = True
    ) -> Any:
        """Return the module, and the optimizers and the scheduler where given, ready for the loop."""
        model = self.setup_module(module, move_to_device)
        if not optimizers and scheduler is None:
            return model
        found: list[Any] = [model, *(self._wrap(each) for each in optimizers)]
        return tuple(found if scheduler is None else [*found, scheduler])

    def setup_module(self, module: nn.Module, move_to_device: bool = True) -> FabricModule:
        """Return the module on the device, in the precision; ValueError when it was set up before."""
        self._check_new(module, "model")
        module = self._precision.convert_module(module)
        return FabricModule(module.to(self.device) if move_to_device else module, self._precision)

    def setup_optimizers(self, *optimizers: Optimizer) -> Any:
        """Return the optimizer, or a tuple of several, ready for the loop."""
        if not optimizers:
            raise ValueError("`setup_optimizers` requires at least one optimizer as input.")
        found = tuple(self._wrap(each) for each in optimizers)
        return found[0] if len(found) == 1 else found

    def setup_dataloaders(
        self, *dataloaders: Iterable[Any], use_distributed_sampler: bool = True, move_to_device: bool = True
    ) -> Any:
        """Return the loader, or a list of several, whose batches come on the device."""
        if not dataloaders:
            raise ValueError("`setup_dataloaders` requires at least one dataloader as input.")
        for each in dataloaders:
            self._check_new(each, "dataloader")
        found = [FabricDataLoader(each, self.device if move_to_device else None) for each in dataloaders]
        return found[0] if len(found) == 1 else found

    def _wrap(self, optimizer: Optimizer) -> FabricOptimizer:
        self._check_new(optimizer, "optimizer")
        return FabricOptimizer(optimizer, self._precision)

    @staticmethod
    def _check_new(obj: object, kind: str) -> None:
        if is_wrapped(obj):
            raise ValueError(f"A {kind} should be passed only once to the `setup` methods.")

    # A step

    def backward(self, tensor: Tensor, *args: Any, model: FabricModule | None = None, **kwargs: Any) -> None:
        """Compute the gradients of a loss."""
        self._precision.pre_backward(tensor).backward(*args, **kwargs)

    def clip_gradients(
        self,
        module: nn.Module,
        optimizer: FabricOptimizer,
        clip_val: float | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        error_if_nonfinite: bool = True,
    ) -> Tensor | None:
        """Clip gradients to ``clip_val``, or their norm to ``max_norm``, which is then returned."""
        if (clip_val is None) == (max_norm is None):
            raise ValueError("Exactly one of `clip_val` and `max_norm` has to be given.")
        optimizer.prepare_gradients()
        parameters = list(module.parameters())
        if clip_val is not None:
            nn.utils.clip_grad_value_(parameters, clip_val)
            return None
        assert max_norm is not None
        return nn.utils.clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite)

    def autocast(self) -> AbstractContextManager[Any]:
        """Return the context of the precision."""
        return self._precision.forward_context()

    def no_backward_sync(self, module: FabricModule, enabled: bool = True) -> AbstractContextManager[Any]:
        """Return the context in which gradients add up."""
        return self._strategy.block_backward_sync()

    def to_device(self, obj: Any) -> Any:
        """Return a module, a tensor or what contains tensors on the device."""
        return obj.to(self.device) if isinstance(obj, nn.Module) else move_data_to_device(obj, self.device)

    def init_tensor(self) -> AbstractContextManager[Any]:
        """Return the context in which new tensors get the precision's type."""
        return self._precision.tensor_init_context()

    def init_module(self) -> AbstractContextManager[Any]:
        """Return the context in which new layers get the precision's type."""
        return self._precision.module_init_context()

    # Among processes, of which there is one

    def all_gather(self, data: Any, group: object = None, sync_grads: bool = False) -> Any:
        """Return the data of all processes."""
        return data

    def all_reduce(self, data: Any, group: object = None, reduce_op: str | None = "mean") -> Any:
        """Return the combination of the data of all processes."""
        return data

    def broadcast(self, obj: Any, src: int = 0) -> Any:
        """Return the object of process ``src``."""
        return obj

    def barrier(self, name: str | None = None) -> None:
        """Return when all processes have come here."""

    @contextmanager
    def rank_zero_first(self, local: bool = False) -> Iterator[None]:
        """Let the first process go through the context before the others."""
        yield

    def print(self, *args: object, **kwargs: Any) -> None:
        """Print, in the first process only."""
        print(*args, **kwargs)

    # Files and logs

    def save(self, path: PathLike, state: Mapping[str, Any]) -> None:
        """Write modules' and optimizers' states, and what else ``state`` holds; whole or not at all."""
        whole = {
            key: value.state_dict() if hasattr(value := unwrapped(each), "state_dict") else value
            for key, each in state.items()
        }
        with replacing(path) as file:
            facula.save(whole, file)

    def load(self, path: PathLike, state: dict[str, Any] | None = None, strict: bool = True) -> dict[str, Any]:
        """Give what is in ``state`` its values from a file; return what is left of the file.

        Raises KeyError, when ``strict``, for a key that the file does not have. Nothing in the file is executed.
        """
        left: dict[str, Any] = facula.load(path, weights_only=True)
        for key in list(state or {}):
            if key not in left:
                if strict:
                    raise KeyError(f"The checkpoint {os.fspath(path)} has no {key!r}, it has {sorted(left)}")
                continue
            assert state is not None
            value, target = left.pop(key), unwrapped(state[key])
            if isinstance(target, nn.Module):
                target.load_state_dict(value, strict=strict)
            elif hasattr(target, "load_state_dict"):
                target.load_state_dict(value)
            else:
                state[key] = value
        return left

    def load_raw(self, path: PathLike, obj: Any, strict: bool = True) -> None:
        """Give a module or an optimizer its state from a file that holds nothing else."""
        target, state = unwrapped(obj), facula.load(path, weights_only=True)
        if isinstance(target, nn.Module):
            target.load_state_dict(state, strict=strict)
        else:
            target.load_state_dict(state)

    def log(self, name: str, value: Any, step: int | None = None) -> None:
        """Log a number."""
        self.log_dict({name: value}, step)

    def log_dict(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Log several numbers."""
        numbers = {key: value.item() if isinstance(value, Tensor) else value for key, value in metrics.items()}
        for logger in self._loggers:
            logger.log_metrics(numbers, step)

    def call(self, hook_name: str, *args: Any, **kwargs: Any) -> None:
        """Call a method of every callback that has it."""
        for callback in self._callbacks:
            method = getattr(callback, hook_name, None)
            if method is not None:
                method(*args, **kwargs)

    @staticmethod
    def seed_everything(seed: int | None = None, workers: bool | None = None, verbose: bool = True) -> int:
        """Return the seed given to all generators."""
        return seed_everything(seed, workers=True if workers is None else workers, verbose=verbose)
