"""``torch.distributed`` in one process: not available, and says so."""


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


def get_rank(group: object = None) -> int:
    """Raise ValueError: there is no group of processes."""
    raise ValueError("Default process group has not been initialized, please make sure to call init_process_group.")


get_world_size = get_rank
