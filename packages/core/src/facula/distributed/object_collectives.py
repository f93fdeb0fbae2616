"""Collectives of Python objects: pickled, so only among processes that trust each other."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np

from facula.backend import cupy
from facula.distributed.collectives import all_gather, broadcast, gather, irecv, isend
from facula.distributed.group import GroupMember, ProcessGroup, resolve
from facula.tensor import Tensor
from facula.tensor_base import wrap


def _bytes_of(group: ProcessGroup, obj: object) -> Tensor:
    return _on_device(group, np.frombuffer(pickle.dumps(obj, pickle.HIGHEST_PROTOCOL), np.uint8).copy())


def _on_device(group: ProcessGroup, array: np.ndarray) -> Tensor:
    """Return a tensor on a device that the group has an engine for."""
    return wrap(array if "cpu" in group.backends else cupy().asarray(array))


def _object_of(tensor: Tensor) -> Any:
    return pickle.loads(tensor.cpu().numpy().tobytes())


def _lengths(group: ProcessGroup, own: Tensor) -> list[int]:
    lengths = [_on_device(group, np.zeros(1, np.int64)) for _ in range(group.size())]
    all_gather(lengths, _on_device(group, np.array([own.numel()], np.int64)), group)
    return [int(each.item()) for each in lengths]


def all_gather_object(object_list: list[Any], obj: object, group: object = None) -> None:
    """Put the objects of all processes, in order, into ``object_list``, which has a place for each."""
    if group is GroupMember.NON_GROUP_MEMBER:
        return
    found = resolve(group)
    if len(object_list) != found.size():
        raise ValueError(f"object_list has {len(object_list)} places, expected {found.size()}")
    own = _bytes_of(found, obj)
    parts = [_on_device(found, np.empty(length, np.uint8)) for length in _lengths(found, own)]
    all_gather(parts, own, found)
    for at, part in enumerate(parts):
        object_list[at] = _object_of(part)


def gather_object(
    obj: object,
    object_gather_list: list[Any] | None = None,
    dst: int | None = None,
    group: object = None,
    group_dst: int | None = None,
) -> None:
    """Put the objects of all processes, in order, into ``object_gather_list`` of process ``dst``, which alone has one."""
    if group is GroupMember.NON_GROUP_MEMBER:
        return
    found = resolve(group)
    root = found.group_rank(0 if dst is None else dst) if group_dst is None else group_dst
    own = _bytes_of(found, obj)
    lengths = _lengths(found, own)
    if found.rank() != root:
        if object_gather_list is not None:
            raise ValueError("Argument object_gather_list must NOT be specified on non-destination ranks.")
        gather(own, None, group=found, group_dst=root)
        return
    if object_gather_list is None or len(object_gather_list) != found.size():
        raise ValueError(f"Argument object_gather_list must have {found.size()} places on destination rank.")
    parts = [_on_device(found, np.empty(length, np.uint8)) for length in lengths]
    gather(own, parts, group=found, group_dst=root)
    for at, part in enumerate(parts):
        object_gather_list[at] = _object_of(part)


def broadcast_object_list(
    object_list: list[Any],
    src: int | None = None,
    group: object = None,
    device: object = None,
    group_src: int | None = None,
) -> None:
    """Replace the objects in the list of every process by those of process ``src``."""
    if group is GroupMember.NON_GROUP_MEMBER:
        return
    found = resolve(group)
    root = found.group_rank(0 if src is None else src) if group_src is None else group_src
    sends = found.rank() == root
    own = _bytes_of(found, list(object_list)) if sends else None
    length = _on_device(found, np.array([0 if own is None else own.numel()], np.int64))
    broadcast(length, group=found, group_src=root)
    data = own if own is not None else _on_device(found, np.empty(int(length.item()), np.uint8))
    broadcast(data, group=found, group_src=root)
    if not sends:
        objects = _object_of(data)
        if len(objects) != len(object_list):
            raise RuntimeError(f"object_list has {len(object_list)} places, process {root} sent {len(objects)} objects")
        object_list[:] = objects


def scatter_object_list(
    scatter_object_output_list: list[Any],
    scatter_object_input_list: list[Any] | None = None,
    src: int | None = None,
    group: object = None,
    group_src: int | None = None,
) -> None:
    """Put into the first place of the output list the object that process ``src`` has for this one."""
    if group is GroupMember.NON_GROUP_MEMBER:
        return
    found = resolve(group)
    if not isinstance(scatter_object_output_list, list) or not scatter_object_output_list:
        raise ValueError("Expected argument scatter_object_output_list to be a list of size at least 1.")
    root = found.group_rank(0 if src is None else src) if group_src is None else group_src
    if found.rank() == root:
        if scatter_object_input_list is None or len(scatter_object_input_list) != found.size():
            raise ValueError(f"scatter_object_input_list should have {found.size()} objects on the source rank")
        objects: list[Any] = [scatter_object_input_list]
    else:
        objects = [None]
    broadcast_object_list(objects, group=found, group_src=root)
    scatter_object_output_list[0] = objects[0][found.rank()]


def send_object_list(
    object_list: list[Any],
    dst: int | None = None,
    group: object = None,
    device: object = None,
    group_dst: int | None = None,
) -> None:
    """Send a list of objects to process ``dst``."""
    found = resolve(group)
    data = _bytes_of(found, list(object_list))
    length = _on_device(found, np.array([data.numel()], np.int64))
    for each in (length, data):
        work = isend(each, dst, found, group_dst=group_dst)
        assert work is not None
        work.wait()


def recv_object_list(
    object_list: list[Any],
    src: int | None = None,
    group: object = None,
    device: object = None,
    group_src: int | None = None,
) -> int:
    """Replace the objects in the list by those process ``src`` sent; return the number of the sender."""
    found = resolve(group)
    length = _on_device(found, np.zeros(1, np.int64))
    work = irecv(length, src, found, group_src=group_src)
    assert work is not None
    work.wait()
    source = work.source_rank() if src is None and group_src is None else None
    sender = found.group_rank(src) if src is not None else (group_src if group_src is not None else source)
    assert sender is not None
    data = _on_device(found, np.empty(int(length.item()), np.uint8))
    second = irecv(data, group=found, group_src=sender)
    assert second is not None
    second.wait()
    object_list[:] = _object_of(data)
    return found.ranks[sender]
