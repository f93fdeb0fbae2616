"""``torch.distributed`` in one process: not available, and says so."""

from typing import NoReturn


class ReduceOp:
    """How values of several processes are combined."""

    SUM, AVG, PRODUCT, MIN, MAX = "sum", "avg", "product", "min", "max"


class ProcessGroup:
    """What nothing is an instance of."""


class group:
    """The group of all processes."""

    WORLD = None


def is_available() -> bool:
    """Return False."""
    return False


def is_initialized() -> bool:
    """Return False."""
    return False


def is_torchelastic_launched() -> bool:
    """Return False."""
    return False


def is_nccl_available() -> bool:
    """Return False."""
    return False


is_mpi_available = is_gloo_available = is_nccl_available


def _without_group(*args: object, **kwargs: object) -> NoReturn:
    """Raise ValueError: there is no group of processes."""
    raise ValueError("Default process group has not been initialized, please make sure to call init_process_group.")


get_rank = get_world_size = get_backend = get_process_group_ranks = destroy_process_group = _without_group
all_gather = all_gather_into_tensor = all_gather_object = all_reduce = all_to_all = all_to_all_single = _without_group
barrier = broadcast = broadcast_object_list = gather = gather_object = monitored_barrier = new_group = _without_group
recv = reduce = reduce_scatter = reduce_scatter_tensor = scatter = scatter_object_list = send = _without_group


def init_process_group(*args: object, **kwargs: object) -> NoReturn:
    """Raise NotImplementedError."""
    raise NotImplementedError("torch.distributed.init_process_group is not implemented by facula")
