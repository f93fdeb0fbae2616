"""ParallelStrategy: several processes, a device for each."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import facula
from facula import Tensor, distributed
from facula.distributed import environment

from facula_lightning.accelerators.accelerator import Accelerator
from facula_lightning.plugins.environments.cluster_environment import ClusterEnvironment
from facula_lightning.plugins.environments.lightning import LightningEnvironment
from facula_lightning.strategies.strategy import Strategy
from facula_lightning.utilities.rank_zero import rank_zero_only

if TYPE_CHECKING:
    from facula_lightning.trainer.trainer import Trainer

Value = TypeVar("Value")


class ParallelStrategy(Strategy):
    """Several processes over `facula.distributed`: MPI, and NCCL for GPUs."""

    strategy_name = "parallel"

    def __init__(
        self,
        accelerator: Accelerator | None = None,
        parallel_devices: Sequence[facula.device] | None = None,
        cluster_environment: ClusterEnvironment | None = None,
        process_group_backend: str | None = None,
        timeout: timedelta | None = None,
    ) -> None:
        super().__init__(accelerator)
        self.parallel_devices = list(parallel_devices or [facula.device("cpu")])
        self.cluster_environment = cluster_environment or LightningEnvironment()
        self.process_group_backend = process_group_backend
        self.timeout = timeout
        self.num_nodes = 1

    @property
    def num_processes(self) -> int:
        """How many processes a machine has."""
        return len(self.parallel_devices)

    @property
    def root_device(self) -> facula.device:
        """The device of this process."""
        return self.parallel_devices[self.local_rank % self.num_processes]

    @property
    def global_rank(self) -> int:  # type: ignore[override]
        """The number of this process among all."""
        return distributed.get_rank() if distributed.is_initialized() else self.cluster_environment.global_rank()

    @property
    def local_rank(self) -> int:  # type: ignore[override]
        """Its number on its machine."""
        return self.cluster_environment.local_rank()

    @property
    def node_rank(self) -> int:  # type: ignore[override]
        """The number of its machine."""
        return self.cluster_environment.node_rank()

    @property
    def world_size(self) -> int:  # type: ignore[override]
        """How many processes there are."""
        return distributed.get_world_size() if distributed.is_initialized() else self.num_processes * self.num_nodes

    @property
    def distributed_sampler_kwargs(self) -> dict[str, int]:
        """What a `DistributedSampler` for this process is made with."""
        return {"num_replicas": self.world_size, "rank": self.global_rank}

    def setup_environment(self) -> None:
        """Join the other processes, unless that was done."""
        super().setup_environment()
        if not distributed.is_initialized():
            rank, size = self._numbers()
            distributed.init_process_group(self.process_group_backend, timeout=self.timeout, rank=rank, world_size=size)
            self.cluster_environment.validate_settings(self.num_processes, self.num_nodes)
        rank_zero_only.rank = self.global_rank  # type: ignore[attr-defined]

    def _numbers(self) -> tuple[int, int]:
        """Return this process's number and how many there are, where only what started them knows; else -1 for both.

        So SLURM's processes, for one, need no MPI. Where they meet is put into the environment variables for it.
        """
        found = self.cluster_environment
        told = (
            environment.rank_and_size() is not None or "PMIX_RANK" in os.environ
        )  # by PMIx MPI finds the others itself
        if told or not found.creates_processes_externally:
            return -1, -1
        os.environ.setdefault("MASTER_ADDR", found.main_address)
        os.environ.setdefault("MASTER_PORT", str(found.main_port))
        return found.global_rank(), found.world_size()

    def share_stopping(self, trainer: Trainer) -> tuple[bool, bool]:
        """Let ``trainer.should_stop`` of one process hold for all; return whether one received SIGTERM, or is to be requeued.

        A process that left the loop alone would let the others wait for its gradients.
        """
        own = (trainer.should_stop, trainer.received_sigterm, trainer.received_requeue)
        flags = facula.tensor([int(each) for each in own], device=self.root_device)
        distributed.all_reduce(flags, distributed.ReduceOp.MAX)
        stop, terminated, requeued = flags.tolist()
        trainer.should_stop = bool(stop)
        return bool(terminated), bool(requeued)

    def barrier(self, name: str | None = None) -> None:
        """Return when all processes have come here."""
        if distributed.is_initialized():
            distributed.barrier()

    def patient_barrier(self) -> None:
        """Return when all processes have come here; no watchdog bites."""
        if distributed.is_initialized():
            work = distributed.barrier(async_op=True)
            assert work is not None
            work.wait(timedelta.max)

    def broadcast(self, obj: Value, src: int = 0) -> Value:
        """Return the object of process ``src``, which is pickled."""
        if not distributed.is_initialized() or self.world_size == 1:
            return obj
        objects: list[Any] = [obj]
        distributed.broadcast_object_list(objects, src)
        return objects[0]

    def reduce(self, tensor: Value, group: object = None, reduce_op: object = "mean") -> Value:
        """Return the combination of the tensors of all processes; what is no tensor is returned as it is."""
        if not isinstance(tensor, Tensor) or not distributed.is_initialized():
            return tensor
        op = _reduction(reduce_op)
        result = tensor.detach().clone()
        if op is distributed.ReduceOp.AVG and not (result.is_floating_point() or result.is_complex()):
            result = result.to(facula.get_default_dtype())
        distributed.all_reduce(result, op, group)
        return result  # type: ignore[return-value]

    def reduce_boolean_decision(self, decision: bool, all: bool = True) -> bool:
        """Return whether all processes decide so, or any of them."""
        if not distributed.is_initialized():
            return decision
        count = facula.tensor(int(decision), device=self.root_device)
        distributed.all_reduce(count)
        return int(count.item()) == self.world_size if all else bool(count.item())

    def all_gather(self, tensor: Tensor, group: object = None, sync_grads: bool = False) -> Tensor:
        """Return the tensors of all processes, stacked along a new first dimension; with gradients if ``sync_grads``."""
        if not distributed.is_initialized():
            return tensor
        if sync_grads:
            from facula_lightning.strategies.gathering import gather_with_gradients

            return gather_with_gradients(tensor, group)
        own = tensor.detach().contiguous()
        size = distributed.get_world_size(group)
        result = facula.empty((size, *own.shape), dtype=own.dtype, device=own.device)
        distributed.all_gather_into_tensor(result, own, group)
        return result

    def all_gather_object(self, obj: Value) -> list[Value]:
        """Return the objects of all processes, in order; they are pickled."""
        if not distributed.is_initialized():
            return [obj]
        found: list[Any] = [None] * self.world_size
        distributed.all_gather_object(found, obj)
        return found


def _reduction(name: object) -> distributed.ReduceOp:
    if isinstance(name, distributed.ReduceOp):
        return name
    text = "avg" if name is None else str(name).lower()
    known = {"mean": "AVG", "avg": "AVG", "sum": "SUM", "min": "MIN", "max": "MAX", "product": "PRODUCT"}
    if text not in known:
        raise ValueError(f"Reduce op: {name!r} is not supported, expected one of {', '.join(known)}")
    return distributed.ReduceOp[known[text]]
