"""``torch.distributed``: see `facula.distributed`."""

from facula.distributed import environment, is_initialized
from facula.distributed import is_available as _has_engine


def is_available() -> bool:
    """Return whether there is an engine, and this process was started as one of several or is in a group.

    PyTorch's answer says how it was built. Libraries go by it before they import what is only of use among several
    processes, which facula may not have.
    """
    return is_initialized() or (environment.rank_and_size() is not None and _has_engine())
