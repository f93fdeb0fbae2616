"""DDPStrategy: every process trains the same model on its part of the data, and gradients are averaged."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import facula
from facula import Tensor, distributed
from facula.nn.parallel import DistributedDataParallel

from facula_lightning.accelerators.accelerator import Accelerator
from facula_lightning.plugins.environments.cluster_environment import ClusterEnvironment
from facula_lightning.strategies.parallel import ParallelStrategy

if TYPE_CHECKING:
    from facula_lightning.module import LightningModule


class DDPStrategy(ParallelStrategy):
    """Data-parallel training. ``kwargs`` are those of `facula.nn.parallel.DistributedDataParallel`.

    ``start_method`` says how processes that are not there yet are started: "popen" starts the script again in each, "spawn"
    sends them the trainer and the model, "ray" does so to actors of Ray's, which may be on several machines.
    """

    strategy_name = "ddp"

    def __init__(
        self,
        accelerator: Accelerator | None = None,
        parallel_devices: Sequence[facula.device] | None = None,
        cluster_environment: ClusterEnvironment | None = None,
        checkpoint_io: object = None,
        precision_plugin: object = None,
        ddp_comm_state: object = None,
        ddp_comm_hook: Callable[..., Any] | None = None,
        ddp_comm_wrapper: object = None,
        model_averaging_period: int | None = None,
        process_group_backend: str | None = None,
        timeout: timedelta | None = None,
        start_method: str = "popen",
        **kwargs: Any,
    ) -> None:
        for name, value in (
            ("checkpoint_io", checkpoint_io),
            ("precision_plugin", precision_plugin),
            ("ddp_comm_wrapper", ddp_comm_wrapper),
            ("model_averaging_period", model_averaging_period),
        ):
            if value is not None:
                raise ValueError(f"`DDPStrategy({name}=...)` is not supported: plugins are arguments of the Trainer")
        if start_method not in ("popen", "spawn", "ray"):
            raise ValueError(f"`start_method` should be 'popen', 'spawn' or 'ray', got {start_method!r}")
        super().__init__(accelerator, parallel_devices, cluster_environment, process_group_backend, timeout)
        self.start_method = start_method
        self._comm_hook, self._comm_state = ddp_comm_hook, ddp_comm_state
        self._ddp_kwargs = kwargs
        self._ddp: DistributedDataParallel | None = None
        self._blocked = False
        #: Those of a loop of one's own.
        self._modules: list[weakref.ref[DistributedDataParallel]] = []

    @property
    def model(self) -> facula.nn.Module | None:
        """The module that is run; while training, as `DistributedDataParallel`."""
        return self._lightning_module if self._ddp is None else self._ddp

    def setup(self, module: LightningModule, training: bool) -> None:
        """Give all processes the weights of the first, and get ready to average gradients."""
        super().setup(module, training)
        self._ddp = None
        if training and any(parameter.requires_grad for parameter in module.parameters()):
            self._ddp = self._wrapped(module)
        else:
            _share(module)

    def _wrapped(self, module: facula.nn.Module) -> DistributedDataParallel:
        wrapped = DistributedDataParallel(module, **self._ddp_kwargs)
        if self._comm_hook is not None:
            wrapped.register_comm_hook(self._comm_state, self._comm_hook)
        return wrapped

    def setup_module(self, module: facula.nn.Module) -> facula.nn.Module:
        """Return the module as `DistributedDataParallel`; one that has nothing to train only gets the first's weights."""
        if not any(parameter.requires_grad for parameter in module.parameters()):
            _share(module)
            return module
        wrapped = self._wrapped(module)
        self._modules.append(weakref.ref(wrapped))
        return wrapped

    def prepare_backward(self, loss: Tensor) -> None:
        """Let the backward pass from ``loss`` average the gradients of all modules that it reaches."""
        self._modules = [each for each in self._modules if each() is not None]
        for each in self._modules:
            module = each()
            assert module is not None
            _prepare(module, loss, module.require_backward_grad_sync)

    def no_backward_sync(self, module: facula.nn.Module, enabled: bool = True) -> AbstractContextManager[None]:
        """Return the context in which the gradients of a module add up in each process."""
        return module.no_sync() if enabled and isinstance(module, DistributedDataParallel) else nullcontext()

    def begin_batch(self, module: LightningModule) -> None:
        """Give all processes the buffers of the first, such as running statistics."""
        if self._ddp is not None and self._ddp.broadcast_buffers:
            self._ddp._sync_buffers()

    def pre_backward(self, loss: Tensor, accumulating: bool) -> None:
        """Let the backward pass from ``loss`` average gradients, unless they only add up."""
        if self._ddp is not None:
            _prepare(self._ddp, loss, not (accumulating or self._blocked))

    @contextmanager
    def block_backward_sync(self) -> Iterator[None]:
        """Let gradients add up in each process inside the context."""
        before, self._blocked = self._blocked, True
        try:
            yield
        finally:
            self._blocked = before

    def teardown(self) -> None:
        """Let go of the module."""
        self._ddp = None
        super().teardown()


def _prepare(module: DistributedDataParallel, loss: Tensor, averages: bool) -> None:
    """Let a backward pass average the gradients of a module, or let them add up."""
    if averages:
        module.reducer.prepare(loss, module.find_unused_parameters or module.static_graph)
    else:
        module.reducer.active = False


def _share(module: facula.nn.Module) -> None:
    """Give all processes the weights of the first."""
    for tensor in (*module.parameters(), *module.buffers()):
        distributed.broadcast(tensor.detach(), 0)
