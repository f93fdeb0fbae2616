"""Nested containers, flat and back."""

from collections import OrderedDict, defaultdict, deque, namedtuple

import pytest
from facula.utils import pytree

Point = namedtuple("Point", "x y")
TREES = [
    1,
    [1, (2, None)],
    {"b": 1, "a": [2, 3]},
    OrderedDict(b=1, a=2),
    defaultdict(list, {"a": [1]}),
    Point(1, [2]),
    deque([1, 2], maxlen=3),
    (),
]


@pytest.mark.parametrize("tree", TREES)
def test_there_and_back(tree) -> None:
    leaves, spec = pytree.tree_flatten(tree)
    back = spec.unflatten(leaves)
    assert back == tree and type(back) is type(tree)
    assert spec.num_leaves == len(leaves)
    placed, _ = pytree.tree_flatten_with_path(tree)
    assert [leaf for _, leaf in placed] == leaves


def test_functions_of_leaves() -> None:
    tree = {"a": [1, 2.0], "b": Point(3, "x")}
    assert pytree.tree_map(str, tree) == {"a": ["1", "2.0"], "b": Point("3", "x")}
    assert pytree.tree_map(lambda x, y: (x, y), [1, 2], [{"k": 0}, 4]) == [(1, {"k": 0}), (2, 4)]
    assert pytree.tree_map_only(int, lambda x: -x, tree) == {"a": [-1, 2.0], "b": Point(-3, "x")}
    assert pytree.tree_any(lambda x: x == "x", tree) and not pytree.tree_all(lambda x: x == "x", tree)
    seen: list = []
    assert pytree.tree_map_(seen.append, tree) is tree
    assert seen == pytree.tree_leaves(tree) == [1, 2.0, 3, "x"]


def test_places_of_leaves() -> None:
    placed, _ = pytree.tree_flatten_with_path({"a": [1, Point(2, 3)]})
    assert [pytree.keystr(path) for path, _ in placed] == ["['a'][0]", "['a'][1].x", "['a'][1].y"]
    assert pytree.tree_map_with_path(lambda path, leaf: len(path), [1, (2, 3)]) == [1, (2, 2)]


def test_a_kind_of_ones_own() -> None:
    class Pair:
        def __init__(self, left, right):
            self.left, self.right = left, right

    pytree.register_pytree_node(Pair, lambda p: ([p.left, p.right], None), lambda values, _: Pair(*values))
    try:
        doubled = pytree.tree_map(lambda x: 2 * x, Pair(1, [2]))
        assert (doubled.left, doubled.right) == (2, [4])
        with pytest.raises(ValueError, match="already registered"):
            pytree.register_pytree_node(Pair, list, tuple)
    finally:
        del pytree.SUPPORTED_NODES[Pair]


def test_what_does_not_match_is_refused() -> None:
    spec = pytree.tree_structure([1, 2])
    with pytest.raises(ValueError, match="length 3"):
        spec.unflatten([1, 2, 3])
    with pytest.raises(ValueError, match="Type mismatch"):
        pytree.tree_map(lambda x, y: x, [1], (1,))
    with pytest.raises(ValueError, match="Node mismatch"):
        pytree.tree_map(lambda x, y: x, [1], [1, 2])


def test_a_tree_spread_over_another() -> None:
    spec = pytree.tree_structure([1, (2, 3)])
    assert pytree._broadcast_to_and_flatten(0, spec) == [0, 0, 0]
    assert pytree._broadcast_to_and_flatten([0, 1], spec) == [0, 1, 1]
    assert pytree._broadcast_to_and_flatten([0], spec) is None
