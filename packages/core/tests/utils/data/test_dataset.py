"""Datasets, samplers and collating: what they give, in which order, and mistakes."""

from collections import namedtuple

import facula
import numpy as np
import pytest
from facula.utils import data


def test_rows_of_tensors():
    dataset = data.TensorDataset(facula.arange(6).reshape(3, 2), facula.arange(3))
    assert len(dataset) == 3
    assert [each.tolist() for each in dataset[1]] == [[2, 3], 1]
    with pytest.raises(AssertionError, match="Size mismatch"):
        data.TensorDataset(facula.zeros(3), facula.zeros(2))


@pytest.mark.parametrize("workers", [0, 1])
def test_rows_of_tensors_are_read_together_as_if_one_by_one(workers):
    tensors = facula.randn(11, 2, 3), facula.arange(11), facula.arange(22.0).reshape(11, 2).t()[1]
    rows = data.TensorDataset(*tensors)
    for dataset in (rows, data.Subset(rows, [3, -1, 0, 7, 7]), data.Subset(data.Subset(rows, range(2, 9)), [4, 0])):
        batches = list(data.DataLoader(dataset, batch_size=3, num_workers=workers))
        apart = [dataset[each] for each in range(len(dataset))]
        for at, batch in enumerate(batches):
            expected = data.default_collate(apart[at * 3 : at * 3 + 3])
            assert type(batch) is list
            for have, want in zip(batch, expected, strict=True):
                assert have.dtype is want.dtype and have.tolist() == want.tolist()
        assert sum(len(batch[1]) for batch in batches) == len(dataset)


def test_rows_of_tensors_that_are_no_usual_ones():
    class Doubled(data.TensorDataset):
        def __getitem__(self, index):
            return tuple(2 * each for each in super().__getitem__(index))

    assert next(iter(data.DataLoader(Doubled(facula.arange(4)), batch_size=4)))[0].tolist() == [0, 2, 4, 6]
    rows = data.TensorDataset(facula.arange(4.0, requires_grad=True))
    (batch,) = next(iter(data.DataLoader(rows, batch_size=2)))
    batch.sum().backward()
    assert rows.tensors[0].grad.tolist() == [1, 1, 0, 0]
    with pytest.raises(IndexError):
        list(data.DataLoader(rows, batch_sampler=[[0, 9]]))
    with pytest.raises(IndexError):
        list(data.DataLoader(rows, batch_sampler=[[]]))
    (batch,) = next(iter(data.DataLoader(rows, batch_sampler=[[np.int64(2), -1]])))
    assert batch.tolist() == [2, 3]
    assert next(iter(data.DataLoader(rows, collate_fn=len, batch_size=4))) == 4


def test_a_changed_table_counts_for_rows_of_tensors_too(monkeypatch):
    monkeypatch.setitem(data.collate.default_collate_fn_map, facula.Tensor, lambda batch, *, collate_fn_map: len(batch))
    assert next(iter(data.DataLoader(data.TensorDataset(facula.arange(4)), batch_size=4))) == [4]


def test_side_by_side():
    assert data.StackDataset([1, 2], [3, 4])[1] == (2, 4)
    assert data.StackDataset(a=[1, 2], b=[3, 4])[0] == {"a": 1, "b": 3}
    with pytest.raises(ValueError, match="Size mismatch"):
        data.StackDataset([1], [1, 2])


def test_one_after_the_other():
    joined = data.ConcatDataset([[1, 2], [3], [4, 5]])
    assert [joined[each] for each in range(len(joined))] == [1, 2, 3, 4, 5]
    assert joined[-1] == 5
    for index in (5, -6):
        with pytest.raises((IndexError, ValueError)):
            joined[index]


def test_parts():
    assert list(data.Subset([10, 20, 30], [2, 0])[each] for each in range(2)) == [30, 10]


def test_streams_one_after_the_other():
    class Stream(data.IterableDataset):
        def __iter__(self):
            return iter([1, 2])

    assert list(Stream() + Stream()) == [1, 2, 1, 2]


def test_a_split_is_complete_and_hangs_on_the_seed():
    def split(seed):
        parts = data.random_split(range(10), [0.55, 0.45], facula.Generator().manual_seed(seed))
        return [list(part.indices) for part in parts]

    assert [len(part) for part in split(0)] == [6, 4]
    assert sorted(sum(split(0), [])) == list(range(10))
    assert split(0) == split(0)
    assert split(0) != split(1)
    with pytest.raises(ValueError, match="Sum of input lengths does not equal"):
        data.random_split(range(10), [3, 3])


def test_samplers():
    facula.manual_seed(0)
    assert list(data.SequentialSampler("abc")) == [0, 1, 2]
    assert sorted(data.RandomSampler(range(20))) == list(range(20))
    assert len(list(data.RandomSampler(range(3), num_samples=8))) == 8
    drawn = list(data.RandomSampler(range(3), replacement=True, num_samples=70))
    assert len(drawn) == 70
    assert set(drawn) == {0, 1, 2}
    assert sorted(data.SubsetRandomSampler([5, 7, 9])) == [5, 7, 9]
    assert set(data.WeightedRandomSampler([0.0, 1.0, 0.0], 5)) == {1}
    assert list(data.BatchSampler(range(5), 2, drop_last=False)) == [[0, 1], [2, 3], [4]]
    assert list(data.BatchSampler(range(5), 2, drop_last=True)) == [[0, 1], [2, 3]]


def test_processes_share_a_dataset():
    samplers = [data.DistributedSampler(range(10), 3, rank, seed=4) for rank in range(3)]
    assert set(sum((list(each) for each in samplers), [])) == set(range(10))
    assert {len(list(each)) for each in samplers} == {4}
    first = list(samplers[0])
    samplers[0].set_epoch(1)
    assert list(samplers[0]) != first
    dropping = [data.DistributedSampler(range(10), 3, rank, drop_last=True) for rank in range(3)]
    assert len(set(sum((list(each) for each in dropping), []))) == 9
    with pytest.raises(ValueError, match="Invalid rank 3"):
        data.DistributedSampler(range(10), 3, 3)


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: data.RandomSampler([1], num_samples=-1), ValueError),
        (lambda: data.RandomSampler([1], replacement=1), TypeError),
        (lambda: data.WeightedRandomSampler([1.0], 0), ValueError),
        (lambda: data.WeightedRandomSampler([[1.0]], 1), ValueError),
        (lambda: data.BatchSampler([1], 0, False), ValueError),
        (lambda: data.BatchSampler([1], 1, 1), ValueError),
    ],
)
def test_mistakes_of_samplers(make, error):
    with pytest.raises(error, match="should be|should have"):
        make()


Point = namedtuple("Point", "x y")


def test_collating():
    assert data.default_collate([1, 2]).tolist() == [1, 2]
    assert data.default_collate([1.0, 2.0]).dtype == facula.float64
    assert data.default_collate(["a", "b"]) == ["a", "b"]
    assert data.default_collate([np.float32(1), np.float32(2)]).dtype == facula.float32
    assert data.default_collate([np.zeros(3), np.ones(3)]).tolist() == [[0.0] * 3, [1.0] * 3]
    batch = data.default_collate([{"a": (1, "x"), "b": Point(1, 2)}, {"a": (3, "y"), "b": Point(3, 4)}])
    assert batch["a"][0].tolist() == [1, 3]
    assert batch["a"][1] == ("x", "y")
    assert isinstance(batch["b"], Point)
    assert batch["b"].y.tolist() == [2, 4]


def test_what_cannot_be_collated_is_named():
    with pytest.raises(TypeError, match="found <class 'object'>"):
        data.default_collate([object()])
    with pytest.raises(RuntimeError, match="equal size"):
        data.default_collate([[1, 2], [1]])
    with pytest.raises(RuntimeError, match="equal size"):
        data.default_collate([facula.zeros(2), facula.zeros(3)])


def test_converting():
    converted = data.default_convert({"a": [np.arange(2), "text"], "b": 3})
    assert converted["a"][0].tolist() == [0, 1]
    assert converted["a"][1:] == ["text"]
    assert converted["b"] == 3
