"""Groups of processes, and the one of all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from facula.backend import Array
from facula.distributed.backends.backend import Backend, Started
from facula.distributed.watchdog import Watchdog
from facula.distributed.work import Work

_NOT_INITIALIZED = "Default process group has not been initialized, please make sure to call init_process_group."


class ProcessGroup:
    """Some of the processes, and the engines that connect them; ``rank()`` counts within the group."""

    def __init__(
        self, name: str, ranks: Sequence[int], global_rank: int, backends: dict[str, Backend], watchdog: Watchdog
    ) -> None:
        self.group_name = name
        self.group_desc = name
        self.ranks = list(ranks)
        self.global_rank = global_rank
        #: The engine for tensors of each kind of device.
        self.backends = backends
        self.watchdog = watchdog
        self._rank = self.ranks.index(global_rank)
        #: Makes the engine for the GPUs when they are first used.
        self.make_cuda_backend: Callable[[], Backend] | None = None

    def rank(self) -> int:
        """Return the number of this process in the group."""
        return self._rank

    def size(self) -> int:
        """Return how many processes there are in the group."""
        return len(self.ranks)

    def name(self) -> str:
        """Return the name of the group's engine."""
        return self.backend("cpu" if "cpu" in self.backends else "cuda").name

    def __repr__(self) -> str:
        return f"<ProcessGroup {self.group_name}: ranks {self.ranks}>"

    def backend(self, kind: str) -> Backend:
        """Return the engine for tensors on devices of a kind: "cpu" or "cuda"."""
        found = self.backends.get(kind)
        if found is None and kind == "cuda" and self.make_cuda_backend is not None:
            found = self.backends["cuda"] = self.make_cuda_backend()
        if found is None:
            there = ", ".join(f"{each.name} for {kind}" for kind, each in self.backends.items())
            raise RuntimeError(f"No backend type associated with device type {kind}: the group has {there}")
        return found

    def group_rank(self, global_rank: int) -> int:
        """Return the number in the group of the process with this number among all."""
        try:
            return self.ranks.index(global_rank)
        except ValueError:
            raise ValueError(f"Global rank {global_rank} is not part of group {self}") from None

    def start(self, name: str, array: Array, begin: Callable[[Backend], Started], result: Any) -> Work:
        """Start a collective on arrays like ``array``, under a name for the watchdog."""
        backend = self.backend("cpu" if hasattr(array, "ctypes") else "cuda")
        label = name if self.group_name == "world" else f"{name} of group {self.group_name}"
        sequence = self.watchdog.begin(label)
        request, finish = begin(backend)
        return Work(label, request, finish, result, self.watchdog, sequence)


class GroupMember:
    """What `new_group` returns to processes that are not in the group, and the group of all."""

    NON_GROUP_MEMBER = object()


class _World:
    """The groups there are."""

    def __init__(self) -> None:
        self.default: ProcessGroup | None = None
        self.groups: list[ProcessGroup] = []
        self.made = 0
        self.store: Any = None


world = _World()


class _GroupMeta(type):
    @property
    def WORLD(cls) -> ProcessGroup | None:
        """The group of all processes; None before `init_process_group`."""
        return world.default

    @WORLD.setter
    def WORLD(cls, group: ProcessGroup | None) -> None:
        world.default = group


class group(metaclass=_GroupMeta):
    """The group of all processes, as ``group.WORLD``."""


def default_group() -> ProcessGroup:
    """Return the group of all processes; ValueError before `init_process_group`."""
    if world.default is None:
        raise ValueError(_NOT_INITIALIZED)
    return world.default


def resolve(given: object) -> ProcessGroup:
    """Return the group meant by an argument: that of all for None."""
    if given is None:
        return default_group()
    if given is GroupMember.NON_GROUP_MEMBER:
        raise ValueError("Invalid process group specified: this process is not part of it")
    if not isinstance(given, ProcessGroup):
        raise TypeError(f"expected a ProcessGroup or None for the group, got {type(given).__name__}")
    if world.default is None:
        raise ValueError(_NOT_INITIALIZED)
    return given


def is_initialized() -> bool:
    """Return whether `init_process_group` has been called."""
    return world.default is not None


def get_rank(group: object = None) -> int:
    """Return the number of this process in a group, -1 when it is not in it."""
    return -1 if group is GroupMember.NON_GROUP_MEMBER else resolve(group).rank()


def get_world_size(group: object = None) -> int:
    """Return how many processes there are in a group, -1 when this one is not in it."""
    return -1 if group is GroupMember.NON_GROUP_MEMBER else resolve(group).size()


def get_backend(group: object = None) -> str:
    """Return the name of a group's engine: "mpi", "gloo" or "nccl"."""
    return resolve(group).name()


def get_group_rank(group: ProcessGroup, global_rank: int) -> int:
    """Return the number in a group of the process with this number among all."""
    return resolve(group).group_rank(global_rank)


def get_global_rank(group: ProcessGroup, group_rank: int) -> int:
    """Return the number among all of the process with this number in a group."""
    found = resolve(group)
    if not 0 <= group_rank < found.size():
        raise ValueError(f"Group rank {group_rank} is not part of group {found}")
    return found.ranks[group_rank]


def get_process_group_ranks(group: ProcessGroup | None) -> list[int]:
    """Return the numbers among all of the processes in a group."""
    return list(resolve(group).ranks)
