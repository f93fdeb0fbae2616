"""A loader that goes on exactly where another was, with generators, samplers and datasets that have a state."""

import importlib
import pickle

import facula
import pytest
from facula.utils.data import DataLoader, Dataset, Sampler, StatefulDataLoader


class Drawing(Sampler):
    """A sampler with a generator of its own that says where it is."""

    def __init__(self, size: int) -> None:
        self.size, self.given, self.start = size, 0, None
        self.generator = facula.Generator().manual_seed(3)

    def __iter__(self):
        if self.start is None:
            self.start = self.generator.get_state()
        self.generator.set_state(self.start)
        order = facula.randperm(self.size, generator=self.generator).tolist()
        for index in order[self.given :]:
            self.given += 1
            yield index
        self.given, self.start = 0, None

    def __len__(self) -> int:
        return self.size

    def state_dict(self) -> dict:
        return {"given": self.given, "start": self.start, "generator": self.generator.get_state()}

    def load_state_dict(self, state: dict) -> None:
        self.given, self.start = state["given"], state["start"]
        self.generator.set_state(state["generator"])


class Counting(Dataset):
    """A dataset that counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __len__(self) -> int:
        return 7

    def __getitem__(self, index: int) -> int:
        self.asked += 1
        return 100 * self.asked + index

    def state_dict(self) -> dict:
        return {"asked": self.asked}

    def load_state_dict(self, state: dict) -> None:
        self.asked = state["asked"]


def shuffled(workers: int) -> DataLoader:
    generator = facula.Generator().manual_seed(5)
    return DataLoader(range(11), batch_size=2, shuffle=True, num_workers=workers, generator=generator)


def sampled(workers: int) -> DataLoader:
    return StatefulDataLoader(
        range(11), batch_size=3, sampler=Drawing(11), num_workers=workers, snapshot_every_n_steps=2
    )


def counted(workers: int) -> DataLoader:
    return DataLoader(Counting(), batch_size=2, shuffle=True, generator=facula.Generator().manual_seed(1))


@pytest.mark.parametrize("make", [shuffled, sampled, counted])
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("batches", [None, 0, 1, 3])
def test_the_rest_of_the_epoch_and_the_epochs_after_it_are_the_same(make, workers, batches) -> None:
    for epochs_before in (0, 1):
        loader = make(workers)
        for _ in range(epochs_before):
            list(loader)
        rest = None
        if batches is not None:
            rest = iter(loader)
            for _ in range(batches):
                next(rest)
        state = pickle.loads(pickle.dumps(loader.state_dict()))
        expected = [] if rest is None else [[batch.tolist() for batch in rest]]
        expected += [[batch.tolist() for batch in loader] for _ in range(2)]
        resumed = make(workers)
        resumed.load_state_dict(state)
        assert [[batch.tolist() for batch in resumed] for _ in range(len(expected))] == expected


@pytest.mark.parametrize("own", [True, False])
def test_random_numbers_drawn_before_the_first_batch_do_not_matter(own) -> None:
    facula.manual_seed(0)
    generator = facula.Generator().manual_seed(5) if own else None
    loader = DataLoader(range(11), batch_size=2, shuffle=True, generator=generator)
    batches = iter(loader)
    facula.rand(3, generator=generator)
    next(batches)
    state = pickle.loads(pickle.dumps(loader.state_dict()))
    resumed = DataLoader(range(11), batch_size=2, shuffle=True, generator=generator and facula.Generator())
    resumed.load_state_dict(state)
    assert [batch.tolist() for batch in resumed] == [batch.tolist() for batch in batches]


def test_a_state_that_was_loaded_is_given_again_before_the_next_epoch() -> None:
    loader = shuffled(0)
    next(iter(loader))
    state = loader.state_dict()
    other = shuffled(0)
    other.load_state_dict(state)
    assert other.state_dict()["batches"] == 1


def test_the_private_place_of_collate_can_be_imported() -> None:
    module = importlib.import_module("facula.utils.data._utils.collate")
    assert module.default_collate is facula.utils.data.default_collate
