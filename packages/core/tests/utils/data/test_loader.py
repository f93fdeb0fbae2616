"""DataLoader: order, workers, failures of workers, resuming, and what is left behind."""

import copy
import gc
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time

import facula
import numpy as np
import pytest
from facula.utils.data import DataLoader, Dataset, IterableDataset, get_worker_info


class Squares(Dataset):
    """The index, and a row of its squares: long enough to travel through shared memory."""

    def __init__(self, count: int = 10, width: int = 20_000) -> None:
        self.count = count
        self.width = width

    def __getitem__(self, index: int) -> tuple[int, facula.Tensor]:
        return index, facula.full((self.width,), float(index * index))

    def __len__(self) -> int:
        return self.count


class Count(IterableDataset):
    """Numbers up to a limit; each worker gives every n-th."""

    def __init__(self, limit: int) -> None:
        self.limit = limit

    def __iter__(self):
        info = get_worker_info()
        first, step = (0, 1) if info is None else (info.id, info.num_workers)
        return iter(range(first, self.limit, step))


class Counter(Count):
    """The same, knowing where it is."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.given = 0
        self.start = 0
        self.reads = 0

    def __iter__(self):
        self.given, self.start = self.start, 0
        for number in list(super().__iter__())[self.given :]:
            self.given += 1
            self.reads += 1
            yield number

    def state_dict(self) -> dict:
        return {"given": self.given}

    def load_state_dict(self, state: dict) -> None:
        self.start = state["given"]


class Failing(Dataset):
    """Does something bad at index 5."""

    def __init__(self, act) -> None:
        self.act = act

    def __getitem__(self, index: int) -> int:
        if index == 5:
            self.act()
        return index

    def __len__(self) -> int:
        return 10


def indices(loader) -> list[list[int]]:
    return [batch[0].tolist() for batch in loader]


@pytest.fixture(autouse=True)
def nothing_is_left_behind():
    gc.collect()
    descriptors = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    yield
    gc.collect()
    assert multiprocessing.active_children() == []
    if descriptors:
        assert len(os.listdir("/proc/self/fd")) == descriptors


@pytest.mark.parametrize("workers", [0, 1, 2, 3])
def test_order_does_not_hang_on_the_number_of_workers(workers):
    batches = list(DataLoader(Squares(), batch_size=4, num_workers=workers))
    assert [batch[0].tolist() for batch in batches] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert [tuple(batch[1].shape) for batch in batches] == [(4, 20_000), (4, 20_000), (2, 20_000)]
    assert all((batch[1][:, -1] == batch[0] ** 2).all() for batch in batches)


@pytest.mark.parametrize("workers", [0, 2])
def test_shuffling_hangs_on_the_seed_alone(workers):
    facula.manual_seed(3)
    loader = DataLoader(Squares(), batch_size=4, shuffle=True, num_workers=workers)
    first, second = indices(loader), indices(loader)
    assert first != second
    facula.manual_seed(3)
    assert indices(DataLoader(Squares(), batch_size=4, shuffle=True)) == first


def test_batches_from_workers_can_be_written_to_and_outlive_them():
    batches = [batch[1] for batch in DataLoader(Squares(4), batch_size=2, num_workers=2)]
    batches[0] += 1
    assert batches[0][:, 0].tolist() == [1.0, 2.0]
    assert batches[1][:, 0].tolist() == [4.0, 9.0]


def test_without_order_nothing_is_lost():
    assert sorted(sum(indices(DataLoader(Squares(), 3, num_workers=2, in_order=False)), [])) == list(range(10))


def test_workers_that_persist_are_the_same_processes():
    class Process(Dataset):
        def __getitem__(self, index):
            return os.getpid()

        def __len__(self):
            return 4

    loader = DataLoader(Process(), num_workers=2, persistent_workers=True)
    first = {batch.item() for batch in loader}
    for _ in loader:
        break
    assert {batch.item() for batch in loader} == first
    assert len(first) == 2
    passing = DataLoader(Process(), num_workers=2)
    assert {batch.item() for batch in passing}.isdisjoint({batch.item() for batch in passing})


def test_two_iterations_at_once():
    loader = DataLoader(Squares(6), batch_size=2, num_workers=1)
    assert [(a[0].tolist(), b[0].tolist()) for a, b in zip(loader, loader, strict=True)] == [
        ([0, 1], [0, 1]),
        ([2, 3], [2, 3]),
        ([4, 5], [4, 5]),
    ]


def test_seeds_of_workers():
    class Draws(Dataset):
        def __getitem__(self, index):
            drawn = [facula.initial_seed(), random.random(), np.random.rand(), facula.rand(1).item()]
            return [float(each) for each in drawn]

        def __len__(self):
            return 2

    def run():
        facula.manual_seed(1)
        return [[each.item() for each in batch] for batch in DataLoader(Draws(), num_workers=2)]

    first, second = run()
    assert second[0] - first[0] == pytest.approx(1, abs=2048)  # 64-bit seeds as float64
    assert all(a != b for a, b in zip(first[1:], second[1:], strict=True))
    assert run() == [first, second]


def test_what_a_worker_knows():
    seen = []

    class Who(Dataset):
        def __getitem__(self, index):
            info = get_worker_info()
            return [info.id, info.num_workers, info.seed % 2**31]

        def __len__(self):
            return 2

    seen = [[each.item() for each in batch] for batch in DataLoader(Who(), num_workers=2)]
    assert [each[:2] for each in seen] == [[0, 2], [1, 2]]
    assert get_worker_info() is None


def test_the_function_for_workers_runs_in_each():
    def first_call(worker):
        os.environ["FACULA_TEST_WORKER"] = str(worker)

    class Variable(Dataset):
        def __getitem__(self, index):
            return os.environ.get("FACULA_TEST_WORKER", "none")

        def __len__(self):
            return 2

    assert list(DataLoader(Variable(), num_workers=2, worker_init_fn=first_call)) == [["0"], ["1"]]


# Streams.


@pytest.mark.parametrize("kind", [Count, Counter])
@pytest.mark.parametrize("workers", [0, 1, 3])
def test_a_stream_is_read_to_its_end(kind, workers):
    loader = DataLoader(kind(20), batch_size=4, num_workers=workers)
    for _ in range(2):
        assert sorted(number for batch in loader for number in batch.tolist()) == list(range(20))


def test_the_short_batches_of_a_stream_can_be_dropped():
    assert [batch.tolist() for batch in DataLoader(Count(7), batch_size=3, drop_last=True)] == [[0, 1, 2], [3, 4, 5]]


# Resuming.


@pytest.mark.parametrize("workers", [0, 1, 3])
@pytest.mark.parametrize("after", [1, 2, 4])
def test_resuming_within_an_epoch(workers, after):
    facula.manual_seed(8)
    loader = DataLoader(Squares(11, 3), batch_size=2, shuffle=True, num_workers=workers)
    iterator = iter(loader)
    for _ in range(after):
        next(iterator)
    state = loader.state_dict()
    rest = indices(iterator)
    facula.manual_seed(99)
    before = facula.get_rng_state()
    for others in (0, 2):
        resumed = DataLoader(Squares(11, 3), batch_size=2, shuffle=True, num_workers=others)
        resumed.load_state_dict(state)
        assert indices(resumed) == rest
        assert facula.equal(facula.get_rng_state(), before)
    assert len(indices(resumed)) == 6


@pytest.mark.parametrize("kind", [Count, Counter])
@pytest.mark.parametrize("workers", [0, 1, 3])
@pytest.mark.parametrize("after", [1, 2, 5, 6])
def test_resuming_a_stream(kind, workers, after):
    loader = DataLoader(kind(23), batch_size=3, num_workers=workers)
    iterator = iter(loader)
    for _ in range(after):
        next(iterator)
    state = loader.state_dict()
    rest = [batch.tolist() for batch in iterator]
    resumed = DataLoader(kind(23), batch_size=3, num_workers=workers)
    resumed.load_state_dict(state)
    assert [batch.tolist() for batch in resumed] == rest
    assert sorted(number for batch in resumed for number in batch.tolist()) == list(range(23))


def test_a_stream_with_state_is_not_read_again():
    loader = DataLoader(Counter(20), batch_size=5)
    iterator = iter(loader)
    next(iterator), next(iterator)
    resumed = DataLoader(Counter(20), batch_size=5)
    resumed.load_state_dict(loader.state_dict())
    assert [batch.tolist() for batch in resumed] == [[10, 11, 12, 13, 14], [15, 16, 17, 18, 19]]
    assert resumed.dataset.reads == 10


def test_at_an_epochs_end_the_next_one_begins_anew():
    loader = DataLoader(Squares(4, 3), batch_size=2)
    list(loader)
    resumed = DataLoader(Squares(4, 3), batch_size=2)
    resumed.load_state_dict(loader.state_dict())
    assert indices(resumed) == [[0, 1], [2, 3]]


def test_a_state_must_fit():
    loader = DataLoader(Count(9), num_workers=1)
    iterator = iter(loader)
    next(iterator)
    with pytest.raises(ValueError, match="read by 1 workers cannot go on with 2"):
        DataLoader(Count(9), num_workers=2).load_state_dict(loader.state_dict())
    with pytest.raises(ValueError, match="missing"):
        loader.load_state_dict({"batches": 1})


# Failures.


def test_an_exception_keeps_its_type_and_shows_where_it_came_from():
    def act():
        raise LookupError("sample 5 is bad")

    with pytest.raises(
        LookupError, match=r"(?s)Caught LookupError in DataLoader worker process 1.*in act.*sample 5 is bad"
    ):
        list(DataLoader(Failing(act), num_workers=2))


def test_an_exception_that_needs_arguments_becomes_a_runtime_error():
    class Odd(Exception):
        def __init__(self, one, two):
            super().__init__(one, two)

    def act():
        raise Odd(1, 2)

    with pytest.raises(RuntimeError, match="Caught"):
        list(DataLoader(Failing(act), num_workers=1))


def test_a_sample_that_cannot_be_sent_is_an_error():
    class Functions(Dataset):
        def __getitem__(self, index):
            return lambda: index

        def __len__(self):
            return 2

    with pytest.raises((AttributeError, TypeError, RuntimeError), match="(?i)pickle"):
        list(DataLoader(Functions(), num_workers=1, batch_size=None))


@pytest.mark.parametrize("in_order", [True, False])
def test_a_killed_worker_is_reported(in_order):
    loader = DataLoader(Failing(lambda: os.kill(os.getpid(), signal.SIGKILL)), num_workers=2, in_order=in_order)
    with pytest.raises(RuntimeError, match=r"DataLoader worker \(pid\(s\) \d+\) exited unexpectedly.*signal 9"):
        list(loader)


def test_a_worker_that_exits_is_reported():
    with pytest.raises(RuntimeError, match="exited with code 3"):
        list(DataLoader(Failing(lambda: os._exit(3)), num_workers=1))


def test_a_worker_that_takes_too_long_is_reported():
    with pytest.raises(RuntimeError, match="timed out after 0.2 seconds"):
        list(DataLoader(Failing(lambda: time.sleep(60)), num_workers=1, timeout=0.2))


def test_leaving_early_ends_the_workers():
    for _ in DataLoader(Squares(100), num_workers=2):
        break
    iter(DataLoader(Squares(100), num_workers=2))
    assert multiprocessing.active_children() == []


PROGRAM = """
import sys, facula
from facula.utils.data import DataLoader

if __name__ == "__main__":
    loader = DataLoader(facula.utils.data.TensorDataset(facula.zeros(50, 20000)), num_workers=2,
                        persistent_workers=True, multiprocessing_context=sys.argv[1])
    iterator = iter(loader)
    next(iterator)
    print("leaving")
"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_an_interpreter_ends_quietly_with_workers_running(method, tmp_path):
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script), method], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "leaving\n", "")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_workers": -1}, "num_workers option should be non-negative"),
        ({"timeout": -1}, "timeout option should be non-negative"),
        ({"prefetch_factor": 2}, "prefetch_factor option could only be specified in multiprocessing"),
        ({"persistent_workers": True}, "persistent_workers option needs num_workers > 0"),
        ({"sampler": [1], "shuffle": True}, "sampler option is mutually exclusive with shuffle"),
        ({"batch_sampler": [[1]], "batch_size": 2}, "batch_sampler option is mutually exclusive"),
        ({"batch_size": None, "drop_last": True}, "batch_size=None option disables auto-batching"),
        ({"batch_size": 0}, "batch_size should be a positive integer value"),
    ],
)
def test_mistakes_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        DataLoader(Squares(), **options)


def test_a_stream_has_no_order_to_shuffle():
    with pytest.raises(ValueError, match="IterableDataset: expected unspecified shuffle option"):
        DataLoader(Count(3), shuffle=True)


def test_a_worker_computes_on_one_thread():
    class Threads(Dataset):
        def __len__(self):
            return 2

        def __getitem__(self, index):
            return facula.get_num_threads()

    before = facula.get_num_threads()
    assert next(iter(DataLoader(Threads(), batch_size=2, num_workers=1))).tolist() == [1, 1]
    assert facula.get_num_threads() == before


def test_a_copy_has_no_workers_and_begins_anew() -> None:
    loader = DataLoader(range(8), batch_size=2, num_workers=1, persistent_workers=True)
    batches = iter(loader)
    next(batches)
    other = copy.copy(loader)
    assert [batch.tolist() for batch in other] == [[0, 1], [2, 3], [4, 5], [6, 7]]
    assert [batch.tolist() for batch in batches] == [[2, 3], [4, 5], [6, 7]]
