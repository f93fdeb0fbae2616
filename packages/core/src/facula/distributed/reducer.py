"""The reducer: gradients in buckets, averaged over processes while the backward pass goes on."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from facula.backend import Array, namespace
from facula.distributed.collectives import all_reduce
from facula.distributed.group import ProcessGroup
from facula.distributed.reduce_op import ReduceOp
from facula.distributed.work import Work
from facula.futures import Future
from facula.graph.node import AccumulateGrad, Node, RemovableHandle
from facula.graph.views import refresh
from facula.tensor import Tensor
from facula.tensor_base import storage_of, wrap

#: The first bucket is small, so that communication begins early.
_FIRST_BUCKET_BYTES = 1 << 20

_NOT_FINISHED = (
    "Expected to have finished reduction in the prior iteration before starting a new one. This error indicates that your module"
    " has parameters that were not used in producing loss. You can enable unused parameter detection by passing the keyword"
    " argument `find_unused_parameters=True` to DistributedDataParallel, and by making sure all `forward` function outputs"
    " participate in calculating loss. Parameters which did not receive grad in the prior iteration: "
)


class GradBucket:
    """Gradients of some parameters, one behind the other: what a communication hook sees."""

    def __init__(self, index: int, parameters: Sequence[Tensor]) -> None:
        self._index = index
        self._parameters = list(parameters)
        sizes = [each.numel() for each in self._parameters]
        self._starts = [sum(sizes[:at]) for at in range(len(sizes))]
        first = self._parameters[0]._array
        self._flat: Array = namespace(first).zeros(sum(sizes), first.dtype)
        self._views = [
            self._flat[start : start + size].reshape(each._array.shape)
            for start, size, each in zip(self._starts, sizes, self._parameters)
        ]
        self._last = False
        self._left = len(sizes)
        self._ready = False
        self._work: Work | Future[Any] | None = None

    def index(self) -> int:
        """Return the number of the bucket, in the order of the backward pass."""
        return self._index

    def buffer(self) -> Tensor:
        """Return all gradients as one tensor of one dimension."""
        return wrap(self._flat)

    def set_buffer(self, tensor: Tensor) -> None:
        """Replace all gradients."""
        self._flat[...] = tensor._array

    def gradients(self) -> list[Tensor]:
        """Return the gradient of each parameter, a view of the buffer."""
        return [wrap(view) for view in self._views]

    def parameters(self) -> list[Tensor]:
        """Return the parameters."""
        return list(self._parameters)

    def is_last(self) -> bool:
        """Return whether no bucket follows."""
        return self._last


CommunicationHook = Callable[[Any, GradBucket], "Future[Any]"]


class Reducer:
    """Averages the gradients of parameters over the processes of a group.

    Buckets go in the reverse order of the parameters, about that in which gradients come. When all gradients of a bucket
    are there, its all-reduce is started, in the same order in all processes; when those of all buckets are there, the
    averages are waited for and put into ``grad``.
    """

    def __init__(
        self,
        parameters: Sequence[tuple[str, Tensor]],
        group: ProcessGroup,
        bucket_bytes: int,
        gradient_as_bucket_view: bool = False,
    ) -> None:
        self.group = group
        self.names = [name for name, _ in parameters]
        self.parameters = [parameter for _, parameter in parameters]
        self.gradient_as_bucket_view = gradient_as_bucket_view
        self.hook: tuple[CommunicationHook, Any] | None = None
        self.active = False
        self._nodes: list[Any] = [None] * len(parameters)
        self._handles: list[RemovableHandle | None] = [None] * len(parameters)
        self.buckets: list[GradBucket] = []
        self._places: list[tuple[int, int]] = [(0, 0)] * len(parameters)
        self._make_buckets(bucket_bytes)
        self._marked: set[int] = set()
        self._unused: list[int] | None = None
        self._used_map: Tensor | None = None
        self._used_work: Work | None = None
        self._next = 0

    def _make_buckets(self, bucket_bytes: int) -> None:
        open_buckets: dict[tuple[np.dtype, str], list[int]] = {}
        done: list[list[int]] = []
        for at in reversed(range(len(self.parameters))):
            parameter = self.parameters[at]
            key = (parameter._array.dtype, str(parameter.device))
            members = open_buckets.setdefault(key, [])
            members.append(at)
            limit = bucket_bytes if done else min(bucket_bytes, _FIRST_BUCKET_BYTES)
            if sum(self.parameters[each]._array.nbytes for each in members) >= limit:
                done.append(open_buckets.pop(key))
        done += open_buckets.values()
        # A bucket can go when the last of its gradients is there.
        done.sort(key=lambda members: -min(members))
        for index, members in enumerate(done):
            self.buckets.append(GradBucket(index, [self.parameters[at] for at in members]))
            for place, at in enumerate(members):
                self._places[at] = (index, place)
        self.buckets[-1]._last = True

    def prepare(self, outputs: object, find_unused: bool) -> None:
        """Get ready for a backward pass from ``outputs``; RuntimeError when the one before is not complete."""
        if self._marked and len(self._marked) < len(self.parameters):
            missing = [name for at, name in enumerate(self.names) if at not in self._marked]
            raise RuntimeError(_NOT_FINISHED + ", ".join(missing))
        self._attach()
        self._marked = set()
        self._next = 0
        self._used_map = self._used_work = None
        for bucket in self.buckets:
            bucket._left, bucket._ready, bucket._work = len(bucket._views), False, None
        self._unused = self._not_reached(outputs) if find_unused else None
        self.active = True

    def _attach(self) -> None:
        """Watch the place where each gradient arrives; a parameter gets a new one when ``requires_grad`` is switched."""
        own = weakref.ref(self)
        for at, parameter in enumerate(self.parameters):
            node = parameter._node
            if node is self._nodes[at]:
                continue
            self._nodes[at] = node
            if node is None:
                continue

            def arrived(leaf: Tensor, at: int = at) -> None:
                reducer = own()
                if reducer is not None and reducer.active:
                    reducer._arrived(at)

            self._handles[at] = parameter.register_post_accumulate_grad_hook(arrived)

    def _not_reached(self, outputs: object) -> list[int]:
        """Return the numbers of the parameters that the outputs do not depend on."""
        stack: list[Node] = []
        for tensor in _tensors(outputs):
            if tensor._base is not None:
                refresh(tensor)
            if tensor._node is not None:
                stack.append(tensor._node.node)
        seen = set(stack)
        while stack:
            for edge in stack.pop().edges:
                if edge is not None and edge.node not in seen:
                    seen.add(edge.node)
                    stack.append(edge.node)
        reached = {node for node in seen if isinstance(node, AccumulateGrad)}
        return [at for at, node in enumerate(self._nodes) if node is None or node not in reached]

    def _arrived(self, at: int) -> None:
        if self._unused is not None and self._used_map is None:
            self._mark_unused(self._unused)
        if at in self._marked:
            raise RuntimeError(
                f"Expected to mark a variable ready only once: the gradient of {self.names[at]!r} came twice in one iteration."
                " Parts of the module were used in several backward passes, or recomputed within one."
            )
        self._mark(at)

    def _mark_unused(self, unused: list[int]) -> None:
        used = np.ones(len(self.parameters), np.uint8)
        used[unused] = 0
        device = self.parameters[0].device
        self._used_map = wrap(used) if device.type == "cpu" else wrap(used).to(device)
        self._used_work = all_reduce(self._used_map, ReduceOp.MAX, self.group, async_op=True)
        for each in unused:
            self._mark(each)

    def _mark(self, at: int) -> None:
        self._marked.add(at)
        index, place = self._places[at]
        bucket = self.buckets[index]
        gradient = self.parameters[at].grad
        view = bucket._views[place]
        if gradient is None:
            view[...] = 0
        elif gradient.is_sparse:
            raise NotImplementedError(
                f"the gradient of {self.names[at]!r} is sparse: DistributedDataParallel needs dense ones"
            )
        elif self.hook is None:
            # Divided first, sums stay within the range of small types.
            namespace(view).multiply(gradient._array, view.dtype.type(1 / self.group.size()), out=view)
        elif gradient._array is not view:
            view[...] = gradient._array
        bucket._left -= 1
        bucket._ready = bucket._left == 0
        self._start_ready()
        if len(self._marked) == len(self.parameters):
            self._finish()

    def _start_ready(self) -> None:
        while self._next < len(self.buckets) and self.buckets[self._next]._ready:
            bucket = self.buckets[self._next]
            self._next += 1
            if self.hook is not None:
                hook, state = self.hook
                bucket._work = hook(state, bucket)
            else:
                bucket._work = all_reduce(wrap(bucket._flat), ReduceOp.SUM, self.group, async_op=True)
        # What is under way goes on only while it is asked for.
        for bucket in self.buckets[: self._next]:
            if isinstance(bucket._work, Work) and not bucket._work.is_completed():
                break

    def _finish(self) -> None:
        self.active = False
        used = None
        if self._used_work is not None and self._used_map is not None:
            self._used_work.wait()
            used = self._used_map.cpu().numpy()
        for bucket in self.buckets:
            work, bucket._work = bucket._work, None
            assert work is not None
            found: Any = work.wait()
            if not isinstance(work, Work):
                result = found[0] if isinstance(found, (list, tuple)) else found
                if result._array is not bucket._flat:
                    bucket._flat[...] = result._array
        for at, parameter in enumerate(self.parameters):
            if used is not None and not used[at]:
                continue  # no process has a gradient of it
            index, place = self._places[at]
            self._put(parameter, self.buckets[index]._views[place])

    def _put(self, parameter: Tensor, view: Array) -> None:
        gradient = parameter.grad
        if self.gradient_as_bucket_view:
            if gradient is None or gradient._array is not view:
                parameter.grad = wrap(view)
        elif gradient is None:
            parameter.grad = wrap(view.copy())
        else:
            gradient._array[...] = view
            storage_of(gradient).version += 1


def _tensors(value: object) -> Iterator[Tensor]:
    """Yield the tensors in nested containers."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _tensors(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _tensors(each)
    elif hasattr(value, "__dataclass_fields__"):
        for name in value.__dataclass_fields__:
            yield from _tensors(getattr(value, name, None))
