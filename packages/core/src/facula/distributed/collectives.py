"""The collectives: operations on tensors that all processes of a group call together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import numpy as np

from facula.backend import Array, contiguous
from facula.distributed.group import GroupMember, ProcessGroup, resolve
from facula.distributed.initialization import token
from facula.distributed.reduce_op import ReduceOp, Reduction, check_reduction
from facula.distributed.work import Work
from facula.tensor import Tensor
from facula.tensor_base import storage_of, wrap


class _Buffers:
    """The arrays of tensors that a collective writes to, in C order, and how they get back."""

    def __init__(self) -> None:
        self._copies: list[tuple[Array, Array]] = []
        self._tensors: list[Tensor] = []

    def into(self, tensor: object) -> Array:
        """Return an array for a result that goes to ``tensor``."""
        array = _array(tensor)
        self._tensors.append(tensor)  # type: ignore[arg-type]  # `_array` asked
        if array.flags.c_contiguous:
            return array
        copy = array.copy()
        self._copies.append((array, copy))
        return copy

    def written(self) -> None:
        """Bring the results to their tensors."""
        for array, copy in self._copies:
            array[...] = copy
        for tensor in self._tensors:
            storage_of(tensor).version += 1


def _array(tensor: object) -> Array:
    if not isinstance(tensor, Tensor):
        raise TypeError(f"Invalid function argument. Expected a tensor, got {type(tensor).__name__}")
    array = tensor._array
    return array.view(np.ndarray) if isinstance(array, np.ndarray) and type(array) is not np.ndarray else array


def _arrays(tensors: object) -> list[Array]:
    if not isinstance(tensors, (list, tuple)):
        raise TypeError(f"Invalid function argument. Expected a list of tensors, got {type(tensors).__name__}")
    return [contiguous(_array(each)) for each in tensors]


def _run(
    group: ProcessGroup,
    name: str,
    array: Array,
    begin: Callable[[Any], Any],
    buffers: _Buffers,
    result: Any,
    async_op: bool,
) -> Work | None:
    def started(backend: Any) -> Any:
        request, finish = begin(backend)

        def done() -> None:
            if finish is not None:
                finish()
            buffers.written()

        return request, done

    work = group.start(name, array, started, result)
    if async_op:
        return work
    work.wait()
    return None


def _member(group: object) -> ProcessGroup | None:
    """Return the group, None in a process that is not in it: it has nothing to do."""
    return None if group is GroupMember.NON_GROUP_MEMBER else resolve(group)


def _root(group: ProcessGroup, rank: int | None, group_rank: int | None, name: str) -> int:
    """Return the number within the group of the process meant by one of two arguments."""
    if (rank is None) == (group_rank is None):
        raise ValueError(f"Must specify {name} or group_{name}, and not both")
    return group.group_rank(rank) if rank is not None else int(group_rank)  # type: ignore[arg-type]  # one is there


def _check_count(tensors: Sequence[object], group: ProcessGroup, what: str) -> None:
    if len(tensors) != group.size():
        raise ValueError(f"{what} has {len(tensors)} tensors, expected one for each of {group.size()} processes")


def _check_dtypes(*tensors: object) -> None:
    dtypes = {each.dtype for each in tensors if isinstance(each, Tensor)}
    if len(dtypes) > 1:
        raise ValueError(f"Invalid usage of tensors with different dtypes, found {sorted(map(str, dtypes))}")


def all_reduce(
    tensor: Tensor, op: Reduction = ReduceOp.SUM, group: object = None, async_op: bool = False
) -> Work | None:
    """Replace the tensor of every process by the combination of all; return the work when ``async_op``."""
    found = _member(group)
    if found is None:
        return None
    check_reduction(op, _array(tensor).dtype.kind)
    buffers = _Buffers()
    array = buffers.into(tensor)
    return _run(found, "all_reduce", array, lambda engine: engine.all_reduce(array, op), buffers, [tensor], async_op)


def reduce(
    tensor: Tensor,
    dst: int | None = None,
    op: Reduction = ReduceOp.SUM,
    group: object = None,
    async_op: bool = False,
    group_dst: int | None = None,
) -> Work | None:
    """Replace the tensor of process ``dst`` by the combination of all; what the others' hold then is not said."""
    found = _member(group)
    if found is None:
        return None
    check_reduction(op, _array(tensor).dtype.kind)
    root, buffers = _root(found, dst, group_dst, "dst"), _Buffers()
    array = buffers.into(tensor)
    return _run(found, "reduce", array, lambda engine: engine.reduce(array, root, op), buffers, [tensor], async_op)


def broadcast(
    tensor: Tensor,
    src: int | None = None,
    group: object = None,
    async_op: bool = False,
    group_src: int | None = None,
) -> Work | None:
    """Replace the tensor of every process by that of process ``src``."""
    found = _member(group)
    if found is None:
        return None
    root, buffers = _root(found, src, group_src, "src"), _Buffers()
    array = buffers.into(tensor)
    return _run(found, "broadcast", array, lambda engine: engine.broadcast(array, root), buffers, [tensor], async_op)


def all_gather(tensor_list: list[Tensor], tensor: Tensor, group: object = None, async_op: bool = False) -> Work | None:
    """Put the tensors of all processes, in order, into ``tensor_list``; they may differ in shape."""
    found = _member(group)
    if found is None:
        return None
    _check_count(tensor_list, found, "tensor_list")
    _check_dtypes(*tensor_list, tensor)
    buffers = _Buffers()
    outputs, own = [buffers.into(each) for each in tensor_list], contiguous(_array(tensor))
    if own.nbytes != outputs[found.rank()].nbytes:
        raise ValueError(
            f"tensor_list[{found.rank()}] has shape {tuple(outputs[found.rank()].shape)}, the tensor {tuple(own.shape)}"
        )
    return _run(
        found, "all_gather", own, lambda engine: engine.all_gather(outputs, own), buffers, tensor_list, async_op
    )


def all_gather_into_tensor(
    output_tensor: Tensor, input_tensor: Tensor, group: object = None, async_op: bool = False
) -> Work | None:
    """Put the tensors of all processes into one, behind each other or stacked, as its shape says."""
    found = _member(group)
    if found is None:
        return None
    _check_dtypes(output_tensor, input_tensor)
    own, buffers = contiguous(_array(input_tensor)), _Buffers()
    whole = buffers.into(output_tensor)
    if whole.size != own.size * found.size():
        raise ValueError(
            f"output tensor size must be equal to world_size times input tensor size, got {whole.size} elements for"
            f" {found.size()} times {own.size}"
        )
    outputs = _parts(whole, found.size())
    return _run(
        found, "all_gather_into_tensor", own, lambda engine: engine.all_gather(outputs, own), buffers,
        [output_tensor], async_op,
    )  # fmt: skip


def _parts(whole: Array, count: int) -> list[Array]:
    flat = whole.reshape(-1)
    each = flat.size // count
    return [flat[at * each : (at + 1) * each] for at in range(count)]


def gather(
    tensor: Tensor,
    gather_list: list[Tensor] | None = None,
    dst: int | None = None,
    group: object = None,
    async_op: bool = False,
    group_dst: int | None = None,
) -> Work | None:
    """Put the tensors of all processes, in order, into ``gather_list`` of process ``dst``, which alone has one."""
    found = _member(group)
    if found is None:
        return None
    root = _root(found, 0 if dst is None and group_dst is None else dst, group_dst, "dst")
    buffers = _Buffers()
    own = contiguous(_array(tensor))
    outputs = None
    if found.rank() == root:
        if not gather_list:
            raise ValueError("Argument ``gather_list`` must be specified on destination rank.")
        _check_count(gather_list, found, "gather_list")
        _check_dtypes(*gather_list, tensor)
        outputs = [buffers.into(each) for each in gather_list]
    elif gather_list:
        raise ValueError("Argument ``gather_list`` must NOT be specified on non-destination ranks.")
    return _run(found, "gather", own, lambda engine: engine.gather(outputs, own, root), buffers, gather_list, async_op)


def scatter(
    tensor: Tensor,
    scatter_list: list[Tensor] | None = None,
    src: int | None = None,
    group: object = None,
    async_op: bool = False,
    group_src: int | None = None,
) -> Work | None:
    """Replace the tensor of every process by its own of ``scatter_list`` of process ``src``, which alone has one."""
    found = _member(group)
    if found is None:
        return None
    root = _root(found, 0 if src is None and group_src is None else src, group_src, "src")
    buffers = _Buffers()
    array = buffers.into(tensor)
    sent = None
    if found.rank() == root:
        if not scatter_list:
            raise ValueError("Argument ``scatter_list`` must be specified on source rank.")
        _check_count(scatter_list, found, "scatter_list")
        _check_dtypes(*scatter_list, tensor)
        sent = _arrays(scatter_list)
    elif scatter_list:
        raise ValueError("Argument ``scatter_list`` must NOT be specified on non-source ranks.")
    return _run(found, "scatter", array, lambda engine: engine.scatter(array, sent, root), buffers, [tensor], async_op)


def reduce_scatter(
    output: Tensor,
    input_list: list[Tensor],
    op: Reduction = ReduceOp.SUM,
    group: object = None,
    async_op: bool = False,
) -> Work | None:
    """Put into ``output`` the combination of what all processes have for this one in ``input_list``."""
    found = _member(group)
    if found is None:
        return None
    _check_count(input_list, found, "input_list")
    _check_dtypes(*input_list, output)
    check_reduction(op, _array(output).dtype.kind)
    sent, buffers = _arrays(input_list), _Buffers()
    array = buffers.into(output)
    return _run(
        found,
        "reduce_scatter",
        array,
        lambda engine: engine.reduce_scatter(array, sent, op),
        buffers,
        [output],
        async_op,
    )


def reduce_scatter_tensor(
    output: Tensor, input: Tensor, op: Reduction = ReduceOp.SUM, group: object = None, async_op: bool = False
) -> Work | None:
    """Put into ``output`` the combination of the parts of ``input`` that belong to this process."""
    found = _member(group)
    if found is None:
        return None
    _check_dtypes(input, output)
    if input.numel() != output.numel() * found.size():
        raise ValueError(
            f"input tensor must be the same size as output size times world size, got {input.numel()} elements for"
            f" {found.size()} times {output.numel()}"
        )
    parts = [wrap(part) for part in _parts(contiguous(_array(input)), found.size())]
    return reduce_scatter(output, parts, op, group, async_op)


def all_to_all(
    output_tensor_list: list[Tensor], input_tensor_list: list[Tensor], group: object = None, async_op: bool = False
) -> Work | None:
    """Send each tensor of ``input_tensor_list`` to its process, and put what they send into ``output_tensor_list``."""
    found = _member(group)
    if found is None:
        return None
    _check_count(output_tensor_list, found, "output_tensor_list")
    _check_count(input_tensor_list, found, "input_tensor_list")
    _check_dtypes(*output_tensor_list, *input_tensor_list)
    sent, buffers = _arrays(input_tensor_list), _Buffers()
    outputs = [buffers.into(each) for each in output_tensor_list]
    return _run(
        found,
        "all_to_all",
        sent[0],
        lambda engine: engine.all_to_all(outputs, sent),
        buffers,
        output_tensor_list,
        async_op,
    )


def all_to_all_single(
    output: Tensor,
    input: Tensor,
    output_split_sizes: Sequence[int] | None = None,
    input_split_sizes: Sequence[int] | None = None,
    group: object = None,
    async_op: bool = False,
) -> Work | None:
    """Cut ``input`` along its first dimension, send each part to its process, and put what comes one behind the other."""
    found = _member(group)
    if found is None:
        return None
    _check_dtypes(output, input)
    sent, buffers = contiguous(_array(input)), _Buffers()
    whole = buffers.into(output)
    outputs = _cut(whole, output_split_sizes, found.size(), "output_split_sizes")
    parts = _cut(sent, input_split_sizes, found.size(), "input_split_sizes")
    return _run(
        found, "all_to_all_single", sent, lambda engine: engine.all_to_all(outputs, parts), buffers, [output], async_op
    )


def _cut(array: Array, sizes: Sequence[int] | None, count: int, name: str) -> list[Array]:
    length = array.shape[0] if array.ndim else 1
    if not sizes:
        if length % count:
            raise RuntimeError(f"Tensor's dim 0 does not divide equally across group size: {length} by {count}")
        sizes = [length // count] * count
    if len(sizes) != count or sum(sizes) != length:
        raise RuntimeError(f"{name} should be {count} numbers whose sum is {length}, got {list(sizes)}")
    starts = [sum(sizes[:at]) for at in range(count)]
    return [array[start : start + size] for start, size in zip(starts, sizes)]


def barrier(group: object = None, async_op: bool = False, device_ids: object = None) -> Work | None:
    """Return when all processes of the group have come here."""
    found = _member(group)
    if found is None:
        return None
    array = token("cpu" if "cpu" in found.backends else "cuda")
    return _run(found, "barrier", array, lambda engine: engine.barrier(), _Buffers(), None, async_op)


def monitored_barrier(group: object = None, timeout: timedelta | None = None, wait_all_ranks: bool = False) -> None:
    """Return when all processes have come here; DistBackendError that says where they are when some have not in time."""
    work = barrier(group, async_op=True)
    if work is not None:
        work.wait(timeout)


def isend(
    tensor: Tensor, dst: int | None = None, group: object = None, tag: int = 0, group_dst: int | None = None
) -> Work | None:
    """Start sending a tensor to process ``dst``; it must not be written to before the work has ended."""
    found = _member(group)
    if found is None:
        return None
    to, array = _root(found, dst, group_dst, "dst"), contiguous(_array(tensor))
    if to == found.rank():
        raise ValueError(
            "Invalid destination rank: destination rank should not be the same as the rank of the current process."
        )
    return _run(found, f"send to {to}", array, lambda engine: engine.send(array, to, tag), _Buffers(), None, True)


def irecv(
    tensor: Tensor, src: int | None = None, group: object = None, tag: int = 0, group_src: int | None = None
) -> Work | None:
    """Start receiving a tensor from process ``src``, from anyone for None; it is there when the work has ended."""
    found = _member(group)
    if found is None:
        return None
    anyone = src is None and group_src is None
    source = None if anyone else _root(found, src, group_src, "src")
    buffers = _Buffers()
    array = buffers.into(tensor)
    name = "receive from anyone" if anyone else f"receive from {source}"
    return _run(found, name, array, lambda engine: engine.receive(array, source, tag), buffers, [tensor], True)


def send(
    tensor: Tensor, dst: int | None = None, group: object = None, tag: int = 0, group_dst: int | None = None
) -> None:
    """Send a tensor to process ``dst``."""
    work = isend(tensor, dst, group, tag, group_dst)
    if work is not None:
        work.wait()


def recv(
    tensor: Tensor, src: int | None = None, group: object = None, tag: int = 0, group_src: int | None = None
) -> int:
    """Receive a tensor from process ``src``, from anyone for None; return the number of the sender, -1 outside the group."""
    work = irecv(tensor, src, group, tag, group_src)
    if work is None:
        return -1
    work.wait()
    found = resolve(group)
    if src is not None or group_src is not None:
        return src if src is not None else found.ranks[int(group_src)]  # type: ignore[arg-type]
    return found.ranks[work.source_rank()]


class P2POp:
    """A message for `batch_isend_irecv`: ``op`` is `isend` or `irecv`."""

    def __init__(
        self,
        op: Callable[..., Work | None],
        tensor: Tensor,
        peer: int | None = None,
        group: object = None,
        tag: int = 0,
        group_peer: int | None = None,
    ) -> None:
        if op not in (isend, irecv):
            raise ValueError("Invalid ``op``. Expected ``op`` to be of type ``isend`` or ``irecv``.")
        self.op, self.tensor, self.peer, self.group, self.tag, self.group_peer = (
            op,
            tensor,
            peer,
            group,
            tag,
            group_peer,
        )


def batch_isend_irecv(p2p_op_list: Sequence[P2POp]) -> list[Work]:
    """Start several messages and return their works."""
    if not p2p_op_list or not all(isinstance(each, P2POp) for each in p2p_op_list):
        raise ValueError("Invalid ``p2p_op_list``. Each op is expected to be of type ``P2POp``.")
    works = [each.op(each.tensor, each.peer, each.group, each.tag, each.group_peer) for each in p2p_op_list]
    return [each for each in works if each is not None]
