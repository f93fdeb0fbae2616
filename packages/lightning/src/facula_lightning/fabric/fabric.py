"""Fabric: devices, processes, precision, files and logs for a training loop of one's own."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any, TypeVar

import facula
from facula import Tensor, nn
from facula.optim import Optimizer
from facula.utils.data import DataLoader

from facula_lightning.accelerators.accelerator import Accelerator
from facula_lightning.fabric.files import Filter, PathLike, give, read, restore, state_of
from facula_lightning.fabric.wrappers import FabricDataLoader, FabricModule, FabricOptimizer, is_wrapped
from facula_lightning.loggers.logger import Logger
from facula_lightning.module import LightningModule
from facula_lightning.strategies.resolve import resolve_strategy
from facula_lightning.strategies.single_device import SingleDeviceStrategy
from facula_lightning.strategies.strategy import Strategy
from facula_lightning.trainer.distribution import shared, split_plugins
from facula_lightning.trainer.plugins import resolve_plugins
from facula_lightning.utilities.data import apply_to_collection, move_data_to_device
from facula_lightning.utilities.init import new_layers
from facula_lightning.utilities.rank_zero import rank_zero_deprecation, rank_zero_warn
from facula_lightning.utilities.seed import pl_worker_init_function, seed_everything

Value = TypeVar("Value")


class Fabric:
    """What a loop of one's own needs, in one process or, after `launch`, in several.

    A subclass may put the loop into a method ``run``, which then starts the processes itself.

    >>> fabric = Fabric(accelerator="cpu")
    >>> layer = facula.nn.Linear(2, 1)
    >>> model, optimizer = fabric.setup(layer, facula.optim.SGD(layer.parameters(), lr=0.1))
    >>> fabric.backward(model(facula.ones(1, 2)).sum())
    >>> optimizer.step()
    """

    def __init__(
        self,
        *,
        accelerator: str | Accelerator = "auto",
        strategy: str | Strategy = "auto",
        devices: list[int] | str | int = "auto",
        num_nodes: int = 1,
        precision: str | int | None = None,
        plugins: object = None,
        callbacks: list[Any] | Any | None = None,
        loggers: Logger | list[Logger] | None = None,
    ) -> None:
        environment, plugins = split_plugins(plugins)
        self._strategy = resolve_strategy(strategy, accelerator, devices, num_nodes, environment)
        self._precision, self._files = resolve_plugins(plugins, precision, self.device.type)
        self._callbacks = [] if callbacks is None else list(callbacks) if isinstance(callbacks, list) else [callbacks]
        self._loggers = [] if loggers is None else list(loggers) if isinstance(loggers, list) else [loggers]
        self._launched = self._running = False
        #: By how much the loss of the newest batch counts.
        self._weight = 1.0
        if self._is_alone:
            self._strategy.setup_environment()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "run" in cls.__dict__:
            cls.run = _launching(cls.__dict__["run"])  # type: ignore[method-assign]

    @property
    def accelerator(self) -> Accelerator | None:
        """The kind of device."""
        return self._strategy.accelerator

    @property
    def strategy(self) -> Strategy:
        """How the processes compute and speak to each other."""
        return self._strategy

    @property
    def device(self) -> facula.device:
        """The device of this process, which everything is put on."""
        return self._strategy.root_device

    @property
    def global_rank(self) -> int:
        """The number of this process among all."""
        return self._strategy.global_rank

    @property
    def local_rank(self) -> int:
        """Its number on its machine."""
        return self._strategy.local_rank

    @property
    def node_rank(self) -> int:
        """The number of its machine."""
        return self._strategy.node_rank

    @property
    def world_size(self) -> int:
        """How many processes there are."""
        return self._strategy.world_size

    @property
    def is_global_zero(self) -> bool:
        """Whether this is the first process."""
        return self._strategy.is_global_zero

    @property
    def loggers(self) -> list[Logger]:
        """The loggers; in other processes than the first they write nothing."""
        return self._loggers

    @property
    def logger(self) -> Logger:
        """The first logger; IndexError without any."""
        return self._loggers[0]

    # Starting

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """What a subclass may define: its loop, called in every process."""

    def launch(self, function: Callable[..., Any] | None = None, *args: Any, **kwargs: Any) -> Any:
        """Start the processes, or join them where this is one; return what ``function`` returns in the first.

        It is called with this Fabric and the arguments. With a strategy that sends processes what to do, such as
        "ddp_spawn", it is needed, and TypeError is raised without; other strategies start the script again.
        """
        launcher = self._strategy.launcher
        if function is None:
            if launcher is not None and launcher.sends_jobs:
                raise TypeError(
                    f"`strategy={self._strategy.strategy_name!r}` sends processes what to do:"
                    " `Fabric.launch(function)` needs a function, got none"
                )
            function = _nothing
        if not callable(function):
            raise TypeError(
                f"`Fabric.launch(...)` needs a function, but got {function!r}: write `launch(function)`, not"
                " `launch(function())`"
            )
        if not inspect.signature(function).parameters:
            raise TypeError(
                f"`Fabric.launch(function={function})`: the function should take this Fabric, but takes nothing"
            )
        return self._launch(function, args, kwargs)

    def _launch(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self._strategy.launcher is not None:
            from facula_lightning.fabric.job import FabricJob

            return self._strategy.launcher.launch(FabricJob(self, function, args, kwargs))
        return self._start(function, args, kwargs)

    def _start(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Join the other processes and call the function."""
        self._strategy.setup_environment()
        self._loggers = shared(self._loggers, self._strategy)
        self._launched = True
        return function(self, *args, **kwargs)

    @property
    def _is_alone(self) -> bool:
        return isinstance(self._strategy, SingleDeviceStrategy)

    def _check_launched(self) -> None:
        if not self._launched and not self._is_alone:
            raise RuntimeError("To use Fabric with more than one device, `.launch()` must be called first.")

    # Setting up

    def setup(
        self,
        module: nn.Module,
        *optimizers: Optimizer,
        scheduler: Any | None = None,
        move_to_device: bool = True,
        _reapply_compile: bool = True,
    ) -> Any:
        """Return the module, and the optimizers and the scheduler where given, ready for the loop."""
        model = self._set_up(module, move_to_device, "setup")
        found = [self._wrap(each) for each in optimizers]
        if isinstance(model.module, LightningModule):
            model.module._fabric_optimizers = found
        self.call("on_after_setup", fabric=self, module=model)
        if not found and scheduler is None:
            return model
        return (model, *found) if scheduler is None else (model, *found, scheduler)

    def setup_module(
        self, module: nn.Module, move_to_device: bool = True, _reapply_compile: bool = True
    ) -> FabricModule:
        """Return the module on the device, in the precision, with gradients that are those of all processes.

        ValueError when it was set up before.
        """
        return self._set_up(module, move_to_device, "setup_module")

    def _set_up(self, module: nn.Module, move_to_device: bool, method: str) -> FabricModule:
        self._check_launched()
        self._check_new(module, "model", method)
        module = self._precision.convert_module(module)
        if move_to_device:
            module = module.to(self.device)
        if isinstance(module, LightningModule):
            # Then `call` calls its hooks too.
            module.fabric = self
            if module not in self._callbacks:
                self._callbacks.append(module)
        return FabricModule(self._strategy.setup_module(module), self._precision, module)

    def setup_optimizers(self, *optimizers: Optimizer) -> Any:
        """Return the optimizer, or a tuple of several, ready for the loop."""
        self._check_launched()
        if not optimizers:
            raise ValueError("`setup_optimizers` requires at least one optimizer as input.")
        found = tuple(self._wrap(each) for each in optimizers)
        return found[0] if len(found) == 1 else found

    def setup_dataloaders(
        self, *dataloaders: DataLoader[Any], use_distributed_sampler: bool = True, move_to_device: bool = True
    ) -> Any:
        """Return the loader, or a list of several, of this process's part of the batches, which come on the device.

        A step of N processes with loaders of batch size B is that of one process with N * B, in the same order of samples,
        as with the `Trainer`: the last batch too, whose unequal parts `backward` weighs. ``use_distributed_sampler=False``
        leaves loaders alone, and a `DistributedSampler` of one's own is kept.
        """
        self._check_launched()
        if not dataloaders:
            raise ValueError("`setup_dataloaders` requires at least one dataloader as input.")
        found = []
        for each in dataloaders:
            self._check_new(each, "dataloader", "setup_dataloaders")
            if not isinstance(each, DataLoader):
                raise TypeError(f"`setup_dataloaders` takes objects of class DataLoader, got {type(each).__name__}")
            if each.num_workers and each.worker_init_fn is None and os.environ.get("PL_SEED_WORKERS") == "1":
                each.worker_init_fn = partial(pl_worker_init_function, rank=self.global_rank)
            loader = each
            if use_distributed_sampler and self._strategy.is_distributed:
                from facula_lightning.trainer.sharding import shard

                loader = shard(each, self._strategy, training=True)  # type: ignore[assignment]
            found.append(FabricDataLoader(loader, self.device if move_to_device else None, self._note_weight))
        return found[0] if len(found) == 1 else found

    def _note_weight(self, weight: float) -> None:
        self._weight = weight

    def _wrap(self, optimizer: Optimizer) -> FabricOptimizer:
        self._check_new(optimizer, "optimizer", "setup")
        return FabricOptimizer(optimizer, self._precision, self._callbacks, self._strategy)

    @staticmethod
    def _check_new(obj: object, kind: str, method: str) -> None:
        if is_wrapped(obj):
            raise ValueError(f"A {kind} should be passed only once to the `{method}` method.")

    # A step

    def backward(self, tensor: Tensor, *args: Any, model: FabricModule | None = None, **kwargs: Any) -> None:
        """Compute the gradients of a loss, taken to be a mean over this process's part of the newest batch.

        Those of every module that was set up are averaged over the processes while they are computed.
        """
        if self._weight != 1.0:
            tensor = tensor * self._weight
        loss = self._precision.pre_backward(tensor)
        self._strategy.prepare_backward(loss)
        loss.backward(*args, **kwargs)

    def clip_gradients(
        self,
        module: nn.Module,
        optimizer: Optimizer,
        clip_val: float | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        error_if_nonfinite: bool = True,
    ) -> Tensor | None:
        """Clip the gradients of an optimizer's parameters to ``clip_val``, or their norm to ``max_norm``.

        The norm that they had is returned, None for ``clip_val``.
        """
        if clip_val is not None and max_norm is not None:
            raise ValueError(f"Only one of `clip_val` or `max_norm` can be set, got {clip_val} and {max_norm}.")
        if clip_val is None and max_norm is None:
            raise ValueError("One of `clip_val` and `max_norm` has to be given to clip gradients.")
        if isinstance(optimizer, FabricOptimizer):
            optimizer.prepare_gradients()
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        if clip_val is not None:
            nn.utils.clip_grad_value_(parameters, clip_val)
            return None
        assert max_norm is not None
        return nn.utils.clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite)

    def autocast(self) -> AbstractContextManager[Any]:
        """Return the context of the precision."""
        return self._precision.forward_context()

    def no_backward_sync(self, module: FabricModule, enabled: bool = True) -> AbstractContextManager[None]:
        """Return the context in which gradients of one module add up in each process, for the next backward pass outside.

        TypeError for a module that was not set up.
        """
        if not isinstance(module, FabricModule):
            raise TypeError(
                "`no_backward_sync` takes a module that was set up, `model = fabric.setup(model, ...)`, got"
                f" {type(module).__name__}"
            )
        return self._strategy.no_backward_sync(module._forward_module, enabled)

    def to_device(self, obj: Any) -> Any:
        """Return a module, a tensor or what contains tensors on the device."""
        return obj.to(self.device) if isinstance(obj, nn.Module) else move_data_to_device(obj, self.device)

    def init_tensor(self) -> AbstractContextManager[Any]:
        """Return the context in which new tensors get the precision's type."""
        return self._precision.tensor_init_context()

    def init_module(self, empty_init: bool | None = None) -> AbstractContextManager[Any]:
        """Return the context in which new layers get the precision's type; with ``empty_init`` no weights are drawn."""
        self._check_launched()
        return new_layers(self._precision, empty_init)

    def sharded_model(self) -> AbstractContextManager[None]:
        """Return a context that does nothing; deprecated, as is Lightning's, for `init_module`."""
        rank_zero_deprecation("`Fabric.sharded_model()` is deprecated in favor of `Fabric.init_module()`.")
        self._check_launched()
        return nullcontext()

    # Among processes

    def all_gather(self, data: Any, group: object = None, sync_grads: bool = False) -> Any:
        """Return ``data`` with every number and tensor in it stacked with those of all processes.

        In one process tensors stay as they are. ``sync_grads`` lets gradients go back to each process.
        """
        self._check_launched()
        gather = partial(self._strategy.all_gather, group=group, sync_grads=sync_grads)
        return apply_to_collection(self._tensors(data), Tensor, gather)

    def all_reduce(self, data: Any, group: object = None, reduce_op: Any = "mean") -> Any:
        """Return ``data`` with every number and tensor in it combined with those of all processes, tensors in place.

        ``reduce_op`` is "mean", "sum", "min", "max", "product" or a `ReduceOp`.
        """
        self._check_launched()

        def combined(tensor: Tensor) -> Tensor:
            result = self._strategy.reduce(tensor, group, reduce_op)
            if result is not tensor:
                tensor.detach().copy_(result)
            return tensor

        return apply_to_collection(self._tensors(data), Tensor, combined)

    def _tensors(self, data: Any) -> Any:
        return apply_to_collection(data, (bool, int, float), partial(facula.tensor, device=self.device))

    def broadcast(self, obj: Value, src: int = 0) -> Value:
        """Return the object of process ``src``, which is pickled."""
        self._check_launched()
        return self._strategy.broadcast(obj, src)

    def barrier(self, name: str | None = None) -> None:
        """Return when all processes have come here."""
        self._check_launched()
        self._strategy.barrier(name)

    @contextmanager
    def rank_zero_first(self, local: bool = False) -> Iterator[None]:
        """Let the first process, of each machine if ``local``, go through the context before the others.

        However long it takes: a download is no hang.
        """
        self._check_launched()
        first = (self.local_rank if local else self.global_rank) == 0
        if not first:
            self._strategy.patient_barrier()
        try:
            yield
        finally:
            if first:
                self._strategy.patient_barrier()

    def print(self, *args: object, **kwargs: Any) -> None:
        """Print, in the first process of each machine only."""
        if self.local_rank == 0:
            print(*args, **kwargs)

    # Files and logs

    def save(self, path: PathLike, state: Mapping[str, Any], filter: dict[str, Filter] | None = None) -> None:
        """Write modules' and optimizers' states, and what else ``state`` holds; whole or not at all.

        ``filter`` has, for keys of ``state``, functions of a name and its value that say whether it is written. The state
        of 16-mixed's scaler is written too, and taken back by `load`. All processes call this, the first one writes.
        """
        whole = state_of(state, filter, self._precision)
        if self.is_global_zero:
            self._files.save_checkpoint(whole, path)
        self.barrier()

    def load(
        self, path: PathLike, state: Any | None = None, strict: bool = True, *, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Give what is in ``state`` its values from a file; return what is left of the file, all of it without ``state``.

        Raises KeyError, when ``strict``, for a key that the file does not have. Nothing in the file is executed, whatever
        ``weights_only`` says.
        """
        found = read(path, self._files, weights_only)
        left = restore(found, state, strict, path, self._precision) if state else found
        self.barrier()
        return left

    def load_raw(
        self, path: PathLike, obj: nn.Module | Optimizer, strict: bool = True, *, weights_only: bool | None = None
    ) -> None:
        """Give a module or an optimizer its state from a file that holds nothing else."""
        give(obj, read(path, self._files, weights_only), strict)

    def log(self, name: str, value: Any, step: int | None = None) -> None:
        """Log a number."""
        self.log_dict({name: value}, step)

    def log_dict(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Log several numbers."""
        numbers = {key: value.item() if isinstance(value, Tensor) else value for key, value in metrics.items()}
        for logger in self._loggers:
            logger.log_metrics(numbers, step)

    def call(self, hook_name: str, *args: Any, **kwargs: Any) -> None:
        """Call a method of every callback that has it, with those of the named arguments that it takes."""
        for callback in self._callbacks:
            method = getattr(callback, hook_name, None)
            if method is None:
                continue
            if not callable(method):
                rank_zero_warn(f"Skipping the callback `{type(callback).__name__}.{hook_name}`: it is not callable.")
                continue
            method(*args, **_known(method, kwargs))

    @staticmethod
    def seed_everything(seed: int | None = None, workers: bool | None = None, verbose: bool = True) -> int:
        """Return the seed given to all generators."""
        return seed_everything(seed, workers=True if workers is None else workers, verbose=verbose)


def _known(method: Callable[..., Any], given: dict[str, Any]) -> dict[str, Any]:
    """Return those of the named arguments that a function takes."""
    try:
        parameters = inspect.signature(method).parameters
    except (TypeError, ValueError):  # a function in C may not say what it takes
        return given
    if any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters.values()):
        return given
    return {name: value for name, value in given.items() if name in parameters}


def _nothing(fabric: Fabric) -> None:
    """What is called when there is only to be launched."""


def _launching(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a subclass's ``run``, which starts the processes first."""

    @functools.wraps(method)
    def run(self: Fabric, *args: Any, **kwargs: Any) -> Any:
        if self._running:
            return method(self, *args, **kwargs)
        return self._launch(_run, args, kwargs)

    return run


def _run(fabric: Fabric, *args: Any, **kwargs: Any) -> Any:
    fabric._running = True
    try:
        return fabric.run(*args, **kwargs)
    finally:
        fabric._running = False
