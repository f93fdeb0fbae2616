"""Random numbers: one seed for all generators, and their states as plain data."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import facula
import numpy as np
from facula import Tensor

from facula_lightning.utilities.rank_zero import rank_zero_info, rank_zero_warn

MAX_SEED = 2**32 - 1


def seed_everything(seed: int | None = None, workers: bool = False, verbose: bool = True) -> int:
    """Return the seed given to Python's, NumPy's and facula's generators.

    Without ``seed`` it is read from the environment variable PL_GLOBAL_SEED, or 0. With ``workers`` the processes of
    data loaders are seeded for Python's and NumPy's generators as well. Raises ValueError for a seed outside 0 to 2^32 - 1.

    >>> seed_everything(42, verbose=False)
    42
    """
    if seed is None:
        text = os.environ.get("PL_GLOBAL_SEED")
        try:
            seed = 0 if text is None else int(text)
        except ValueError:
            raise ValueError(f"the environment variable PL_GLOBAL_SEED should hold an integer, got {text!r}") from None
        if text is None:
            rank_zero_warn("No seed found, seed set to 0")
    seed = int(seed)
    if not 0 <= seed <= MAX_SEED:
        raise ValueError(f"{seed} is not in bounds, a seed goes from 0 to {MAX_SEED}")
    if verbose:
        rank_zero_info(f"Seed set to {seed}")
    os.environ["PL_GLOBAL_SEED"] = str(seed)
    os.environ["PL_SEED_WORKERS"] = str(int(workers))
    random.seed(seed)
    np.random.seed(seed)
    facula.manual_seed(seed)
    return seed


def reset_seed(verbose: bool = True) -> None:
    """Seed all generators again with what `seed_everything` was last given, if it was called."""
    seed = os.environ.get("PL_GLOBAL_SEED")
    if seed is not None:
        seed_everything(int(seed), workers=os.environ.get("PL_SEED_WORKERS") == "1", verbose=verbose)


def pl_worker_init_function(worker_id: int, rank: int | None = None) -> None:
    """Seed Python's and NumPy's generators of a data loader's worker process, differently in each.

    facula's own generator has been seeded by the loader with its base seed plus the number of the worker.
    """
    base_seed = facula.initial_seed() - worker_id
    words = np.random.SeedSequence([base_seed % 2**64, worker_id, rank or 0]).generate_state(6)
    np.random.seed(words[:4])
    random.seed((int(words[4]) << 32) + int(words[5]))


def _of_gpus(name: str) -> Callable[..., Any] | None:
    """Return a function for the generators of all GPUs, None where there are none."""
    return getattr(facula.cuda, name, None) if facula.cuda.is_available() else None


def note_rng_states() -> dict[str, Any]:
    """Return the states of Python's, NumPy's and facula's generators as they are: `plain_rng_states` says them plainly."""
    states: dict[str, Any] = {
        "python": random.getstate(),
        "numpy": np.random.get_state(legacy=True),
        "facula": facula.get_rng_state(),
    }
    # Before CuPy is there nothing was drawn on a GPU; to look for it in vain would take longer than all of this.
    read = _of_gpus("get_rng_state_all") if "cupy" in sys.modules else None
    if read is not None:
        states["cuda"] = read()
    return states


def plain_rng_states(noted: dict[str, Any]) -> dict[str, Any]:
    """Return what `note_rng_states` returned as tensors and plain data, for a checkpoint."""
    version, words, gauss = noted["python"]
    kind, key, position, has_gauss, cached = noted["numpy"]
    return {
        **noted,
        "python": [version, facula.from_numpy(np.array(words, dtype=np.int64)), gauss],
        "numpy": [kind, facula.from_numpy(key.astype(np.int64)), position, has_gauss, cached],
    }


def collect_rng_states() -> dict[str, Any]:
    """Return the states of Python's, NumPy's and facula's generators as tensors and plain data."""
    return plain_rng_states(note_rng_states())


def set_rng_states(states: dict[str, Any]) -> None:
    """Give all generators the states that `collect_rng_states` returned."""
    version, words, gauss = states["python"]
    random.setstate((version, tuple(words.tolist()), gauss))
    kind, key, position, has_gauss, cached = states["numpy"]
    np.random.set_state((kind, key.numpy().astype(np.uint32), position, has_gauss, cached))
    state = states["facula"]
    assert isinstance(state, Tensor)
    facula.set_rng_state(state)
    write = _of_gpus("set_rng_state_all")
    if "cuda" in states and write is not None:
        write(states["cuda"])


@contextmanager
def isolate_rng(include_cuda: bool = True) -> Iterator[None]:
    """Put the generators back, on leaving, to the states they had; without ``include_cuda`` not those of GPUs.

    >>> with isolate_rng():
    ...     first = facula.rand(1)
    >>> bool(first == facula.rand(1))
    True
    """
    states = collect_rng_states()
    if not include_cuda:
        states.pop("cuda", None)
    try:
        yield
    finally:
        set_rng_states(states)
