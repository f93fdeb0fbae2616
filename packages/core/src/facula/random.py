"""The random state of the process: seeds, its value, and blocks that leave it as it was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from facula.ops.random import get_rng_state, initial_seed, manual_seed, seed, set_rng_state
from facula.rng import default_generator

__all__ = ["default_generator", "fork_rng", "get_rng_state", "initial_seed", "manual_seed", "seed", "set_rng_state"]


@contextmanager
def fork_rng(
    devices: Sequence[object] | None = None,
    enabled: bool = True,
    _caller: str = "fork_rng",
    _devices_kw: str = "devices",
    device_type: str = "cuda",
) -> Iterator[None]:
    """Context after which the random state of the CPU is what it was before.

    >>> _ = facula.manual_seed(0)
    >>> with facula.random.fork_rng():
    ...     _ = facula.rand(3)
    >>> facula.rand(1)
    tensor([0.4963])
    """
    if not enabled:
        yield
        return
    before = get_rng_state()
    try:
        yield
    finally:
        set_rng_state(before)
