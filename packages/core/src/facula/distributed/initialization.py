"""Making and ending groups of processes."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Sequence
from datetime import timedelta
from importlib.util import find_spec
from types import TracebackType
from typing import Any

import numpy as np

from facula import backend as arrays
from facula.distributed import environment
from facula.distributed.backends.backend import Backend, Started
from facula.distributed.backends.nccl import is_nccl_available
from facula.distributed.errors import DistBackendError
from facula.distributed.group import GroupMember, ProcessGroup, default_group, resolve, world
from facula.distributed.store import TCPStore
from facula.distributed.watchdog import AskingBoard, SharedBoard, Watchdog

default_pg_timeout = timedelta(minutes=30)
#: Seconds that processes which meet over TCP wait for each other: one may start much later.
MEETING = 300.0
#: Seconds that the launcher is given to pass on what was printed, before it ends all processes.
PASSING_ON = 0.3

#: The engines for both kinds of device that a name stands for. Gloo is what programs written for PyTorch call the engine
#: over TCP.
_ENGINES = {
    "mpi": {"cpu": "mpi", "cuda": "mpi"},
    "gloo": {"cpu": "gloo", "cuda": "gloo"},
    "nccl": {"cuda": "nccl"},
}


def is_mpi_available() -> bool:
    """Return whether mpi4py is installed; it is not loaded to find out."""
    return find_spec("mpi4py") is not None


def is_available() -> bool:
    """Return True: TCP is always there."""
    return True


def is_gloo_available() -> bool:
    """Return True: the engine over TCP needs nothing to be installed."""
    return True


def is_ucc_available() -> bool:
    """Return False: there is no such engine here."""
    return False


is_xccl_available = is_ucc_available


def init_process_group(
    backend: str | None = None,
    init_method: str | None = None,
    timeout: timedelta | None = None,
    world_size: int = -1,
    rank: int = -1,
    store: TCPStore | None = None,
    group_name: str = "",
    pg_options: object = None,
    device_id: object = None,
) -> None:
    """Connect this process with the others that a launcher started.

    ``backend`` is "mpi", "gloo" (TCP), "nccl", or one for each kind of device ("cpu:gloo,cuda:nccl"). For None it is MPI where
    ``mpiexec`` started the processes, else TCP if the environment says where to meet, and NCCL for tensors on GPUs where it
    is there. Over MPI the numbers come from MPI, otherwise from ``rank`` and ``world_size`` or from RANK, WORLD_SIZE,
    MASTER_ADDR and MASTER_PORT, as torchrun sets them; where those are not set, "gloo" is MPI too. A collective that does not end within ``timeout`` (30 minutes for None) raises DistBackendError; ``timedelta.max`` watches
    nothing. ValueError when there is a group already, or the numbers given are not those of the launcher.
    """
    if world.default is not None:
        raise ValueError("trying to initialize the default process group twice!")
    if timeout is not None and not isinstance(timeout, timedelta):
        raise TypeError(f"Expected timeout argument to be of type datetime.timedelta, got {timeout!r}")
    may_meet = store is not None or _knows_address(init_method)
    numbered = -1 not in (rank, world_size) or environment.rank_and_size() is not None
    engines = _engines(backend, may_meet, numbered)
    seconds = None if timeout == timedelta.max else (timeout or default_pg_timeout).total_seconds()
    if "mpi" in engines.values():
        group = _over_mpi(engines, seconds, rank, world_size)
    elif "gloo" in engines.values():
        group = _over_tcp(engines, seconds, *_told(rank, world_size), init_method, store)
    else:
        group = _over_nccl(seconds, init_method, *_told(rank, world_size), store, device_id)
    world.default = group
    world.groups = [group]


def _engines(backend: str | None, may_meet: bool, numbered: bool = True) -> dict[str, str]:
    """Return the engine for each kind of device; ValueError for a name that is not known.

    Over TCP processes have to know where to meet, and their numbers; where they ``may_meet`` not, MPI, which knows, takes its
    place.
    """
    if backend is None or backend == "undefined":
        by_mpi = environment.mpi_rank_and_size() is not None and is_mpi_available()
        if may_meet and numbered and not by_mpi:
            return {"cpu": "gloo", "cuda": "nccl" if is_nccl_available() else "gloo"}
        if not is_mpi_available() and is_nccl_available():
            return {"cuda": "nccl"}
        return {"cpu": "mpi", "cuda": "nccl" if is_nccl_available() else "mpi"}
    name = str(backend).lower()
    found = dict(_ENGINES[name]) if name in _ENGINES else {}
    for part in name.split(",") if not found else ():
        kind, _, engine = part.partition(":")
        if kind not in ("cpu", "cuda") or engine not in _ENGINES or kind not in _ENGINES[engine]:
            raise ValueError(
                f"Invalid backend: {backend!r}. Expected 'mpi', 'gloo', 'nccl', or engines by device such as 'cpu:gloo,cuda:nccl'"
            )
        found[kind] = _ENGINES[engine][kind]
    if "gloo" in found.values() and (not may_meet or "mpi" in found.values()):
        found = {kind: "mpi" if engine == "gloo" else engine for kind, engine in found.items()}
    return found


def _knows_address(init_method: str | None) -> bool:
    """Return whether it is said where to meet."""
    if init_method not in (None, "env://"):
        return True
    return "MASTER_ADDR" in os.environ and "MASTER_PORT" in os.environ


def _told(rank: int, size: int) -> tuple[int, int]:
    """Return the number of this process and how many there are, as given or as the launcher says; ValueError without."""
    told = environment.rank_and_size()
    rank = rank if rank != -1 else (told[0] if told else -1)
    size = size if size != -1 else (told[1] if told else -1)
    for name, value in (("RANK", rank), ("WORLD_SIZE", size)):
        if value == -1:
            raise ValueError(
                f"Error initializing torch.distributed using env:// rendezvous: environment variable {name} expected, but not set"
            )
    if not 0 <= rank < size:
        raise ValueError(f"rank should be a number from 0 to world_size - 1, got rank={rank} and world_size={size}")
    return rank, size


def _over_mpi(engines: dict[str, str], seconds: float | None, rank: int, size: int) -> ProcessGroup:
    from facula.distributed.backends import mpi

    MPI = mpi.load()
    communicator = MPI.COMM_WORLD.Dup()
    own = mpi.MPIBackend(communicator)
    told = environment.rank_and_size()
    for what, given, found in (("rank", rank, own.rank), ("world_size", size, own.size)):
        if given not in (-1, found):
            raise ValueError(f"{what}={given} was given, but MPI says {found}: {_how_to_start()}")
    if told is not None and told[1] != own.size:
        raise ValueError(
            f"the environment says that there are {told[1]} processes, but MPI joins {own.size}: {_how_to_start()}"
        )
    board = SharedBoard(communicator, MPI) if seconds is not None and own.size > 1 else None
    watchdog = Watchdog(own.rank, seconds, board)
    backends: dict[str, Backend] = {kind: own for kind, engine in engines.items() if engine == "mpi"}
    group = ProcessGroup("world", range(own.size), own.rank, backends, watchdog)
    if engines.get("cuda") == "nccl":
        _add_nccl(group, own)
    if own.size > 1:
        _end_all_on_error(own)
    return group


def _how_to_start() -> str:
    return "start the program with `mpiexec -n N python script.py` or `python -m facula.distributed.run`"


def _over_tcp(
    engines: dict[str, str],
    seconds: float | None,
    rank: int,
    size: int,
    init_method: str | None,
    store: TCPStore | None,
) -> ProcessGroup:
    from facula.distributed.backends.gloo import GlooBackend
    from facula.distributed.backends.mesh import Mesh

    mesh = None
    world.made += 1
    if size > 1:
        met = store or _store(init_method, rank)
        mesh = Mesh(rank, size, met, f"gloo/{world.made}", MEETING)
    own = GlooBackend(mesh, range(size), rank)
    board = AskingBoard(mesh) if mesh is not None and seconds is not None else None
    watchdog = Watchdog(rank, seconds, board)
    backends: dict[str, Backend] = {kind: own for kind, engine in engines.items() if engine == "gloo"}
    group = ProcessGroup("world", range(size), rank, backends, watchdog)
    if engines.get("cuda") == "nccl":
        _add_nccl(group, own)
    if size > 1:
        _end_all_on_error(own)
    return group


#: Where this process has met others before. The first process goes on keeping what others may still read.
_stores: dict[tuple[str, int, int], TCPStore] = {}


def _store(init_method: str | None, rank: int) -> TCPStore:
    host, port = _address(init_method)
    key = (host, port, os.getpid())
    if key not in _stores:
        _stores[key] = TCPStore(host, port, is_master=rank == 0)
    return _stores[key]


def _add_nccl(group: ProcessGroup, over: Backend) -> None:
    """Let a group over another engine use NCCL for GPUs, from the first time on that it has a tensor there."""

    def exchange(own: bytes | None, name: str) -> bytes:
        length = np.array([len(own or b"")])
        _wait(over.broadcast(length, 0))
        body = np.frombuffer(bytearray(own or bytes(int(length[0]))), np.uint8)
        _wait(over.broadcast(body, 0))
        return body.tobytes()

    def make() -> Backend:
        from facula.distributed.backends.nccl import NCCLBackend

        return NCCLBackend(group.rank(), group.size(), exchange, group.group_name)

    group.make_cuda_backend = make


def _over_nccl(
    seconds: float | None, init_method: str | None, rank: int, size: int, store: TCPStore | None, device: object
) -> ProcessGroup:
    from facula.distributed.backends.nccl import NCCLBackend

    index: Any = getattr(device, "index", device)
    if index is None:
        index = environment.local_rank() or 0
    arrays.cupy().cuda.Device(int(index)).use()
    if store is None:
        host, port = _address(init_method)
        store = TCPStore(host, port, is_master=rank == 0)
    world.store = agreed = store

    def exchange(own: bytes | None, name: str) -> bytes:
        if own is not None:
            agreed.set(name, own)
        return agreed.get(name)

    watchdog = Watchdog(rank, seconds, None)
    return ProcessGroup("world", range(size), rank, {"cuda": NCCLBackend(rank, size, exchange)}, watchdog)


def _address(init_method: str | None) -> tuple[str, int]:
    """Return where the process with rank 0 keeps the store."""
    if init_method is not None and init_method.startswith("tcp://"):
        host, _, text = init_method.removeprefix("tcp://").partition("?")[0].rpartition(":")
        return host, int(text)
    if init_method not in (None, "env://"):
        raise ValueError(f"init_method={init_method!r} is not supported: expected None, 'env://' or 'tcp://host:port'")
    missing = [name for name in ("MASTER_ADDR", "MASTER_PORT") if name not in os.environ]
    if missing:
        raise ValueError(f"environment variable {missing[0]} expected, but not set")
    port = int(os.environ["MASTER_PORT"])
    # Where torchrun itself keeps a store at that port, ours is beside it.
    return os.environ["MASTER_ADDR"], port + (os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True")


def _wait(started: Started) -> None:
    request, finish = started
    if request is not None:
        request.wait()
    if finish is not None:
        finish()


def _end_all_on_error(over: Backend) -> None:
    """Let an error that nobody catches end all processes: the others would wait for the one that failed, for ever."""
    before = sys.excepthook

    def end_all(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        before(kind, error, trace)
        sys.stderr.write(f"rank {over.rank} failed: all processes are ended\n")
        sys.stdout.flush()
        sys.stderr.flush()
        time.sleep(PASSING_ON)
        over.abort(1)

    sys.excepthook = end_all


def destroy_process_group(group: ProcessGroup | None = None) -> None:
    """End a group, or all groups for None; all of its processes do it together."""
    if group is GroupMember.NON_GROUP_MEMBER:
        return
    found = resolve(group)
    for each in [found] if found is not world.default else world.groups[::-1]:
        for engine in dict.fromkeys(each.backends.values()):
            engine.close()
        if each in world.groups:
            world.groups.remove(each)
    if found is world.default:
        if found.watchdog.board is not None:
            found.watchdog.board.close()
        if world.store is not None:
            world.store.close()
        world.default = world.store = None
        world.groups = []


def new_group(
    ranks: Sequence[int] | None = None,
    timeout: timedelta | None = None,
    backend: str | None = None,
    pg_options: object = None,
    use_local_synchronization: bool = False,
    group_desc: str | None = None,
    device_id: object = None,
) -> Any:
    """Return a group of some of the processes, ``GroupMember.NON_GROUP_MEMBER`` in the others; all call it, in one order."""
    whole = default_group()
    chosen = list(range(whole.size())) if ranks is None else sorted(ranks)
    if len(set(chosen)) != len(chosen) or not all(0 <= each < whole.size() for each in chosen) or not chosen:
        raise ValueError(f"ranks should be different numbers from 0 to {whole.size() - 1}, got {ranks}")
    there = whole.backends.get("cpu")
    if (
        backend is not None
        and there is not None
        and _engines(backend, there.name == "gloo").get("cpu") not in (None, there.name)
    ):
        raise DistBackendError(f"a group with backend={backend!r} cannot be made in one over {whole.name()}")
    world.made += 1
    name = group_desc or str(world.made)
    subgroups = {id(each): each.subgroup(chosen) for each in dict.fromkeys(whole.backends.values())}
    if whole.global_rank not in chosen:
        return GroupMember.NON_GROUP_MEMBER
    backends = {kind: subgroups[id(each)] for kind, each in whole.backends.items()}
    watchdog = whole.watchdog
    if timeout is not None and timeout != timedelta.max:
        watchdog = Watchdog(watchdog.rank, timeout.total_seconds(), watchdog.board)
    engines = {kind: each for kind, each in backends.items() if each is not None}
    made = ProcessGroup(name, chosen, whole.global_rank, engines, watchdog)
    if whole.make_cuda_backend is not None and "cpu" in made.backends and "cuda" not in made.backends:
        _add_nccl(made, made.backends["cpu"])
    world.groups.append(made)
    return made


def new_subgroups(
    group_size: int | None = None, group: object = None, timeout: timedelta | None = None, backend: str | None = None
) -> tuple[Any, list[Any]]:
    """Return the group this process is in and all groups, when the processes are cut into groups of a size.

    Without a size, those on a machine are a group, which needs machines with as many processes each.
    """
    whole = default_group()
    size = group_size or environment.local_world_size() or whole.size()
    if size > whole.size() or whole.size() % size:
        raise ValueError(f"the world size {whole.size()} must be divisible by group_size={size}")
    starts = range(0, whole.size(), size)
    made = [new_group(range(start, start + size), timeout, backend) for start in starts]
    return made[whole.rank() // size], made


def get_node_local_rank(fallback_rank: int | None = None) -> int:
    """Return the number of this process on its machine; RuntimeError when no launcher says it and there is no fallback."""
    found = environment.local_rank()
    if found is not None:
        return found
    if fallback_rank is not None:
        return int(fallback_rank)
    raise RuntimeError("LOCAL_RANK is not in the environment. Consider passing fallback_rank to get_node_local_rank")


def find_free_port() -> int:
    """Return a port of this machine that nothing listens on."""
    with socket.socket() as found:
        found.bind(("", 0))
        return int(found.getsockname()[1])


def is_backend_available(backend: str) -> bool:
    """Return whether an engine can be used."""
    known = {"mpi": is_mpi_available, "nccl": is_nccl_available, "gloo": is_gloo_available}
    return known.get(str(backend).lower(), lambda: False)()


def token(kind: str) -> Any:
    """Return a small array on a kind of device, for operations that carry none."""
    return np.zeros(1, np.float32) if kind == "cpu" else arrays.cupy().zeros(1, np.float32)
