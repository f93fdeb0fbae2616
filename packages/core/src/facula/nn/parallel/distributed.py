"""DistributedDataParallel: one module in several processes, whose gradients are averaged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from facula import distributed
from facula.devices import device as Device
from facula.distributed.group import ProcessGroup, resolve
from facula.distributed.reducer import CommunicationHook, GradBucket, Reducer
from facula.graph.modes import state as modes
from facula.nn.module import Module
from facula.ops.joining import cat
from facula.tensor import Tensor

_MEGABYTE = 1 << 20


class DistributedDataParallel(Module):
    """A module, the same in all processes of a group, each of which computes on data of its own.

    It begins with the parameters and buffers of the first process. In the backward pass gradients are averaged over the
    processes, bucket by bucket while it goes on, so that all make the same step. Where each process averages the loss over as
    many samples, that is the gradient of the whole batch. Its parameters have the prefix ``module.`` in the state.
    ``find_unused_parameters`` is needed when a pass does not use all parameters; ``static_graph`` says that it always
    leaves out the same.
    """

    def __init__(
        self,
        module: Module,
        device_ids: Sequence[int | Device] | None = None,
        output_device: int | Device | None = None,
        dim: int = 0,
        broadcast_buffers: bool = True,
        init_sync: bool = True,
        process_group: ProcessGroup | None = None,
        bucket_cap_mb: float | None = None,
        find_unused_parameters: bool = False,
        check_reduction: bool = False,
        gradient_as_bucket_view: bool = False,
        static_graph: bool = False,
    ) -> None:
        super().__init__()
        if device_ids is not None and len(device_ids) > 1:
            raise ValueError(f"device_ids can only be None or contain a single element, got {list(device_ids)}")
        self.process_group = resolve(process_group)
        ignored = set(getattr(module, "_ddp_params_and_buffers_to_ignore", ()))
        named = [(name, each) for name, each in module.named_parameters() if name not in ignored]
        chosen = [(name, each) for name, each in named if each.requires_grad]
        if not chosen:
            raise RuntimeError(
                "DistributedDataParallel is not needed when a module doesn't have any parameters that require a gradient."
            )
        bucket_cap_mb = 25 if bucket_cap_mb is None else bucket_cap_mb
        if bucket_cap_mb <= 0:
            raise ValueError(f"bucket_cap_mb should be positive, got {bucket_cap_mb}")
        self.module = module
        self.dim = dim
        self.device_ids = None if device_ids is None else list(device_ids)
        self.output_device = output_device
        self.broadcast_buffers = broadcast_buffers
        self.find_unused_parameters = find_unused_parameters
        self.gradient_as_bucket_view = gradient_as_bucket_view
        self.static_graph = static_graph
        self.bucket_bytes_cap = int(bucket_cap_mb * _MEGABYTE)
        self.require_backward_grad_sync = True
        self.require_forward_param_sync = True
        _check_same(chosen, self.process_group)
        buffers = [each for name, each in module.named_buffers() if name not in ignored]
        self.__dict__["modules_buffers"] = buffers
        if init_sync:
            _broadcast([each for _, each in named] + buffers, self.process_group, self.bucket_bytes_cap)
        # In the table of plain attributes: the reducer is no part of the module's state.
        self.__dict__["reducer"] = Reducer(chosen, self.process_group, self.bucket_bytes_cap, gradient_as_bucket_view)

    def forward(self, *inputs: object, **kwargs: object) -> Any:
        """Return what the module returns, and get ready to average the gradients of a backward pass from it."""
        return self._through(self.module, *inputs, **kwargs)

    def _through(self, function: Callable[..., Any], *inputs: object, **kwargs: object) -> Any:
        """Return what a function that uses the module returns, called as `forward` calls the module."""
        averages = modes.grad_enabled and self.require_backward_grad_sync
        if self.require_forward_param_sync and self.broadcast_buffers:
            self._sync_buffers()
        if self.device_ids is not None:
            target = Device(self.device_ids[0]) if not isinstance(self.device_ids[0], Device) else self.device_ids[0]
            inputs = tuple(_moved(each, target) for each in inputs)
            kwargs = {name: _moved(each, target) for name, each in kwargs.items()}
        output = function(*inputs, **kwargs)
        if averages:
            self.require_forward_param_sync = True
            self.reducer.prepare(output, self.find_unused_parameters or self.static_graph)
        else:
            self.require_forward_param_sync = False
            self.reducer.active = False
        return output

    def _sync_buffers(self) -> None:
        """Give all processes the buffers of the first."""
        _broadcast(self.modules_buffers, self.process_group, self.bucket_bytes_cap)

    @contextmanager
    def no_sync(self) -> Iterator[None]:
        """Let gradients add up in each process; the first backward pass from a forward after it averages them all."""
        before, self.require_backward_grad_sync = self.require_backward_grad_sync, False
        try:
            yield
        finally:
            self.require_backward_grad_sync = before

    def register_comm_hook(self, state: object, hook: CommunicationHook) -> None:
        """Let ``hook(state, bucket)`` communicate in place of the average; it returns a future of the bucket's tensor."""
        if not callable(hook):
            raise TypeError("Communication hook must be callable.")
        if self.reducer.hook is not None:
            raise RuntimeError("register_comm_hook can only be called once.")
        self.reducer.hook = (hook, state)

    # What `__init__` puts beside the tables of a module.
    modules_buffers: list[Tensor]
    reducer: Reducer

    def scatter(self, inputs: object, kwargs: object, device_ids: object) -> tuple[object, object]:
        """Return the inputs: one process computes on one device."""
        return inputs, kwargs

    def gather(self, outputs: object, output_device: object) -> object:
        """Return the outputs."""
        return outputs


def _moved(value: Any, device: Device) -> Any:
    if isinstance(value, Tensor):
        return value.to(device)
    if isinstance(value, dict):
        return {key: _moved(each, device) for key, each in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(_moved(each, device) for each in value))
    if isinstance(value, (list, tuple)):
        return type(value)(_moved(each, device) for each in value)
    return value


def _check_same(parameters: Sequence[tuple[str, Tensor]], group: ProcessGroup) -> None:
    """Raise RuntimeError when processes do not have the same parameters."""
    own = [(name, tuple(each.shape), str(each.dtype)) for name, each in parameters]
    found: list[Any] = [None] * group.size()
    distributed.all_gather_object(found, own, group)
    for rank, theirs in zip(group.ranks, found):
        if len(theirs) != len(found[0]):
            raise RuntimeError(
                f"DDP expects same model across all ranks, but Rank {group.ranks[0]} has {len(found[0])} params, while rank"
                f" {rank} has inconsistent {len(theirs)} params."
            )
        for first, other in zip(found[0], theirs):
            if first != other:
                raise RuntimeError(
                    "DDP expects same model across all ranks: the parameter"
                    f" {first[0]} of rank {group.ranks[0]} has shape {list(first[1])} and type {first[2]}, but rank {rank} has"
                    f" {other[0]} of shape {list(other[1])} and type {other[2]}."
                )


def _broadcast(tensors: Sequence[Tensor], group: ProcessGroup, most: int) -> None:
    """Give all processes the tensors of the first, many at once."""
    if group.size() == 1:
        return
    batches: dict[tuple[np.dtype, str], list[Tensor]] = {}
    for tensor in tensors:
        batch = batches.setdefault((tensor._array.dtype, str(tensor.device)), [])
        batch.append(tensor)
        if sum(each._array.nbytes for each in batch) >= most:
            _broadcast_batch(batch, group)
            batch.clear()
    for batch in batches.values():
        if batch:
            _broadcast_batch(batch, group)


def _broadcast_batch(tensors: Sequence[Tensor], group: ProcessGroup) -> None:
    flat = cat([each.detach().reshape(-1) for each in tensors])
    distributed.broadcast(flat, group=group, group_src=0)
    if group.rank() == 0:
        return
    start = 0
    for each in tensors:
        each.detach().copy_(flat[start : start + each.numel()].reshape(each.shape))
        start += each.numel()


__all__ = ["DistributedDataParallel", "GradBucket"]
