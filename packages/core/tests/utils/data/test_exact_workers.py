"""What workers draw at random does not hang on whether the loader was interrupted."""

import random

import facula
import numpy as np
import pytest
from facula.utils.data import DataLoader, Dataset


class Noisy(Dataset):
    """Samples with noise from all three generators of the worker that reads them."""

    def __len__(self) -> int:
        return 14

    def __getitem__(self, index: int) -> list[float]:
        return [float(index), random.random(), float(np.random.rand()), facula.rand(()).item()]


def loader(workers: int, persistent: bool = False) -> DataLoader:
    return DataLoader(Noisy(), 2, shuffle=True, num_workers=workers, persistent_workers=persistent)


def seeded(workers: int, persistent: bool = False) -> DataLoader:
    facula.manual_seed(3)
    random.seed(3)
    np.random.seed(3)
    return loader(workers, persistent)


def read(batches) -> list:
    return [[each.tolist() for each in batch] for batch in batches]


@pytest.mark.parametrize("given", range(1, 7))
def test_workers_go_on_with_their_random_numbers(given: int) -> None:
    whole = read(seeded(2))
    first = seeded(2)
    batches = iter(first)
    begun = read(next(batches) for _ in range(given))
    state = first.state_dict()
    del batches
    other = loader(2)
    other.load_state_dict(state)
    assert begun + read(other) == whole


def test_persistent_workers_go_on_in_a_later_epoch() -> None:
    workers = seeded(2, persistent=True)
    read(workers)
    between = workers.state_dict()
    seed = facula.get_rng_state()
    second = read(workers)
    other = loader(2, persistent=True)
    other.load_state_dict(between)
    facula.set_rng_state(seed)
    assert read(other) == second


def test_a_worker_that_draws_nothing_sends_nothing() -> None:
    plain = DataLoader(range(6), 2, num_workers=2)
    batches = iter(plain)
    next(batches)
    assert plain.state_dict()["random"] == {}
