"""Batches of every kind of sample, beside PyTorch's."""

from collections import OrderedDict, UserDict, deque, namedtuple

import facula
import numpy as np
import pytest
from facula.utils.data._utils import collate as ours

torch = pytest.importorskip("torch")
theirs = torch.utils.data._utils.collate

Pair = namedtuple("Pair", ["left", "right"])

BATCHES = {
    "floats": lambda T: [1.5, 2.5],
    "ints": lambda T: [1, 2],
    "bools": lambda T: [True, False],
    "texts": lambda T: ["a", "b"],
    "bytes": lambda T: [b"a", b"b"],
    "tensors": lambda T: [T.ones(2), T.zeros(2)],
    "arrays": lambda T: [np.ones(2, np.int32), np.zeros(2, np.int32)],
    "numpy numbers": lambda T: [np.float32(1), np.float32(2)],
    "dicts": lambda T: [{"x": 1, "y": "a"}, {"x": 2, "y": "b"}],
    "ordered dicts": lambda T: [OrderedDict(x=1), OrderedDict(x=2)],
    "user dicts": lambda T: [UserDict(x=1), UserDict(x=2)],
    "tuples": lambda T: [(1, "a"), (2, "b")],
    "lists": lambda T: [[1, 2.0], [3, 4.0]],
    "deques": lambda T: [deque([1, 2]), deque([3, 4])],
    "named tuples": lambda T: [Pair(1, T.ones(1)), Pair(2, T.zeros(1))],
    "nested": lambda T: [{"x": [(1, {"z": T.ones(1)})]}, {"x": [(2, {"z": T.ones(1)})]}],
    "ranges": lambda T: [range(2), range(2)],
}


def plain(value: object) -> object:
    """Return a batch with its tensors as lists and its containers with the names of their types."""
    if isinstance(value, (facula.Tensor, torch.Tensor)):
        return str(value.dtype).rpartition(".")[2], value.tolist()
    if hasattr(value, "items"):
        return type(value).__name__, [(key, plain(each)) for key, each in value.items()]
    if isinstance(value, (tuple, list, deque)):
        return type(value).__name__, [plain(each) for each in value]
    return value


@pytest.mark.parametrize("name", BATCHES)
def test_batches_are_those_of_pytorch(name) -> None:
    assert plain(ours.default_collate(BATCHES[name](facula))) == plain(theirs.default_collate(BATCHES[name](torch)))
    assert plain(ours.default_convert(BATCHES[name](facula))) == plain(theirs.default_convert(BATCHES[name](torch)))


class Box:
    def __init__(self, value: int) -> None:
        self.value = value


class SmallBox(Box):
    pass


@pytest.mark.parametrize("kind", [Box, SmallBox])
def test_the_table_may_be_extended(kind) -> None:
    found = []
    for module in (ours, theirs):
        table = {Box: lambda batch, *, collate_fn_map: [each.value for each in batch], **module.default_collate_fn_map}
        found.append(plain(module.collate([(kind(1), 2), (kind(3), 4)], collate_fn_map=table)))
    assert found[0] == found[1]


@pytest.mark.parametrize(
    "batch", [[object(), object()], [{1}, {2}], [np.array(["a"]), np.array(["b"])], [[1, 2], [3]], [None]]
)
def test_what_is_refused(batch) -> None:
    with pytest.raises((TypeError, RuntimeError)) as expected:
        theirs.default_collate(batch)
    with pytest.raises(expected.type):
        ours.default_collate(batch)


def test_names() -> None:
    names = [name for name in dir(theirs) if name.startswith(("collate", "default"))]
    assert not [name for name in names if not hasattr(ours, name)]
