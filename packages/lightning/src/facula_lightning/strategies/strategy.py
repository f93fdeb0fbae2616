"""Strategy: where a run computes, and how its processes speak to each other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, TypeVar

import facula
from facula import Tensor

from facula_lightning.accelerators.accelerator import Accelerator

if TYPE_CHECKING:
    from facula_lightning.module import LightningModule
    from facula_lightning.strategies.launchers import Launcher
    from facula_lightning.trainer.trainer import Trainer

Value = TypeVar("Value")


class Strategy(ABC):
    """Base of the strategies; its answers are those of one process."""

    strategy_name = ""

    def __init__(self, accelerator: Accelerator | None = None) -> None:
        self.accelerator = accelerator
        #: Starts the processes, where they are not there yet.
        self.launcher: Launcher | None = None
        self._lightning_module: LightningModule | None = None

    @property
    @abstractmethod
    def root_device(self) -> facula.device:
        """The device of this process."""

    @property
    def lightning_module(self) -> LightningModule | None:
        """The module that is run."""
        return self._lightning_module

    @property
    def model(self) -> facula.nn.Module | None:
        """The module that is run, as the strategy has wrapped it."""
        return self._lightning_module

    global_rank = 0
    local_rank = 0
    node_rank = 0
    world_size = 1

    @property
    def is_global_zero(self) -> bool:
        """Whether this is the first process."""
        return self.global_rank == 0

    @property
    def is_distributed(self) -> bool:
        """Whether there are other processes."""
        return self.world_size > 1

    # A run

    def setup_environment(self) -> None:
        """Get ready to compute and to speak to the others; called when a run begins, and again without effect."""
        if self.accelerator is not None:
            self.accelerator.setup_device(self.root_device)

    def setup(self, module: LightningModule, training: bool) -> None:
        """Take the module for a run, on its device already."""
        self._lightning_module = module

    def setup_module(self, module: facula.nn.Module) -> facula.nn.Module:
        """Return one of several modules for a loop of one's own, wrapped so that its gradients become those of all."""
        return module

    def prepare_backward(self, loss: Tensor) -> None:
        """Called before each backward pass of a loop of one's own."""

    def no_backward_sync(self, module: facula.nn.Module, enabled: bool = True) -> AbstractContextManager[None]:
        """Return the context in which gradients of a module that `setup_module` returned add up in each process."""
        return nullcontext()

    def begin_batch(self, module: LightningModule) -> None:
        """Called before each training batch where there are other processes."""

    def pre_backward(self, loss: Tensor, accumulating: bool) -> None:
        """Called before each backward pass where there are other processes; gradients may stay apart when accumulating."""

    def teardown(self) -> None:
        """Let go of the module."""
        self._lightning_module = None

    @contextmanager
    def block_backward_sync(self) -> Iterator[None]:
        """Let gradients add up in each process inside the context."""
        yield

    def share_stopping(self, trainer: Trainer) -> tuple[bool, bool]:
        """Let ``trainer.should_stop`` of one process hold for all; return whether one received SIGTERM, or is to be requeued."""
        return trainer.received_sigterm, trainer.received_requeue

    # Among processes

    def barrier(self, name: str | None = None) -> None:
        """Return when all processes have come here."""

    def patient_barrier(self) -> None:
        """Return when all processes have come here, however long that takes."""

    def broadcast(self, obj: Value, src: int = 0) -> Value:
        """Return the object of process ``src``."""
        return obj

    def reduce(self, tensor: Value, group: object = None, reduce_op: object = "mean") -> Value:
        """Return the combination of the tensors of all processes: "mean", "sum", "min" or "max"."""
        return tensor

    def reduce_boolean_decision(self, decision: bool, all: bool = True) -> bool:
        """Return whether all processes decide so, or any of them."""
        return decision

    def all_gather(self, tensor: Tensor, group: object = None, sync_grads: bool = False) -> Tensor:
        """Return the tensors of all processes, stacked; of one process the tensor itself."""
        return tensor

    def all_gather_object(self, obj: Value) -> list[Value]:
        """Return the objects of all processes, in order."""
        return [obj]
