"""Nested containers as a flat list of leaves and a description of the nesting.

Leaves are whatever is no container; containers are dictionaries, lists, tuples, named tuples, deques, and what
`register_pytree_node` adds.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

__all__ = [
    "GetAttrKey",
    "LeafSpec",
    "MappingKey",
    "SequenceKey",
    "TreeSpec",
    "keystr",
    "register_pytree_node",
    "tree_all",
    "tree_any",
    "tree_flatten",
    "tree_flatten_with_path",
    "tree_is_leaf",
    "tree_iter",
    "tree_leaves",
    "tree_map",
    "tree_map_",
    "tree_map_only",
    "tree_map_with_path",
    "tree_structure",
    "tree_unflatten",
]

IsLeaf = Callable[[Any], bool]


class MappingKey(NamedTuple):
    """The place of a value in a dictionary."""

    key: object

    def __str__(self) -> str:
        return f"[{self.key!r}]"


class SequenceKey(NamedTuple):
    """The place of an element in a sequence."""

    idx: int

    def __str__(self) -> str:
        return f"[{self.idx!r}]"


class GetAttrKey(NamedTuple):
    """The place of a field of a named tuple."""

    name: str

    def __str__(self) -> str:
        return f".{self.name}"


class NodeDef(NamedTuple):
    """How a kind of container is taken apart and put together."""

    type: type
    flatten_fn: Callable[[Any], tuple[list[Any], Any]]
    unflatten_fn: Callable[[list[Any], Any], Any]
    flatten_with_keys_fn: Callable[[Any], tuple[list[tuple[Any, Any]], Any]] | None


#: The containers that are known.
SUPPORTED_NODES: dict[type, NodeDef] = {}


def register_pytree_node(
    cls: type,
    flatten_fn: Callable[[Any], tuple[list[Any], Any]],
    unflatten_fn: Callable[[list[Any], Any], Any],
    *,
    serialized_type_name: str | None = None,
    to_dumpable_context: Callable[..., Any] | None = None,
    from_dumpable_context: Callable[..., Any] | None = None,
    flatten_with_keys_fn: Callable[[Any], tuple[list[tuple[Any, Any]], Any]] | None = None,
) -> None:
    """Make ``cls`` a container: ``flatten_fn`` gives its children and what else is needed to ``unflatten_fn`` them.

    ValueError when it is one already.
    """
    if cls in SUPPORTED_NODES:
        raise ValueError(f"{cls} is already registered as pytree node.")
    SUPPORTED_NODES[cls] = NodeDef(cls, flatten_fn, unflatten_fn, flatten_with_keys_fn)


_register_pytree_node = register_pytree_node


# The containers known from the start: children and context, the same with their places, and back.


def _list_flatten(d: Iterable[Any]) -> tuple[list[Any], Any]:
    return list(d), None


def _list_flatten_with_keys(d: Iterable[Any]) -> tuple[list[tuple[Any, Any]], Any]:
    return [(SequenceKey(index), each) for index, each in enumerate(d)], None


def _list_unflatten(values: Iterable[Any], context: Any) -> list[Any]:
    return list(values)


def _tuple_unflatten(values: Iterable[Any], context: Any) -> tuple[Any, ...]:
    return tuple(values)


def _dict_flatten(d: dict[Any, Any]) -> tuple[list[Any], Any]:
    return list(d.values()), list(d.keys())


def _dict_flatten_with_keys(d: dict[Any, Any]) -> tuple[list[tuple[Any, Any]], Any]:
    return [(MappingKey(key), value) for key, value in d.items()], list(d.keys())


def _dict_unflatten(values: Iterable[Any], context: Any) -> dict[Any, Any]:
    return dict(zip(context, values, strict=True))


def _ordereddict_unflatten(values: Iterable[Any], context: Any) -> OrderedDict[Any, Any]:
    return OrderedDict(zip(context, values, strict=True))


def _defaultdict_flatten(d: defaultdict[Any, Any]) -> tuple[list[Any], Any]:
    return list(d.values()), [d.default_factory, list(d.keys())]


def _defaultdict_flatten_with_keys(d: defaultdict[Any, Any]) -> tuple[list[tuple[Any, Any]], Any]:
    return [(MappingKey(key), value) for key, value in d.items()], [d.default_factory, list(d.keys())]


def _defaultdict_unflatten(values: Iterable[Any], context: Any) -> defaultdict[Any, Any]:
    return defaultdict(context[0], zip(context[1], values, strict=True))


def _namedtuple_flatten(d: Any) -> tuple[list[Any], Any]:
    return list(d), type(d)


def _namedtuple_flatten_with_keys(d: Any) -> tuple[list[tuple[Any, Any]], Any]:
    return [(GetAttrKey(name), value) for name, value in zip(d._fields, d, strict=True)], type(d)


def _namedtuple_unflatten(values: Iterable[Any], context: Any) -> Any:
    return context(*values)


def _deque_flatten(d: deque[Any]) -> tuple[list[Any], Any]:
    return list(d), d.maxlen


def _deque_flatten_with_keys(d: deque[Any]) -> tuple[list[tuple[Any, Any]], Any]:
    return [(SequenceKey(index), each) for index, each in enumerate(d)], d.maxlen


def _deque_unflatten(values: Iterable[Any], context: Any) -> deque[Any]:
    return deque(values, maxlen=context)


for _kind, _functions in {
    list: (_list_flatten, _list_unflatten, _list_flatten_with_keys),
    tuple: (_list_flatten, _tuple_unflatten, _list_flatten_with_keys),
    dict: (_dict_flatten, _dict_unflatten, _dict_flatten_with_keys),
    OrderedDict: (_dict_flatten, _ordereddict_unflatten, _dict_flatten_with_keys),
    defaultdict: (_defaultdict_flatten, _defaultdict_unflatten, _defaultdict_flatten_with_keys),
    namedtuple: (_namedtuple_flatten, _namedtuple_unflatten, _namedtuple_flatten_with_keys),
    deque: (_deque_flatten, _deque_unflatten, _deque_flatten_with_keys),
}.items():
    SUPPORTED_NODES[_kind] = NodeDef(_kind, *_functions)  # type: ignore[index, arg-type]


def is_namedtuple_instance(obj: object) -> bool:
    """Return whether something is a named tuple."""
    kind = type(obj)
    return issubclass(kind, tuple) and isinstance(getattr(kind, "_fields", None), tuple)


def is_namedtuple_class(cls: type) -> bool:
    """Return whether a class is one of named tuples."""
    return isinstance(cls, type) and issubclass(cls, tuple) and isinstance(getattr(cls, "_fields", None), tuple)


def is_structseq_instance(obj: object) -> bool:
    """Return whether something is one of C's named tuples, such as the result of ``os.stat``."""
    return issubclass(type(obj), tuple) and hasattr(type(obj), "n_sequence_fields")


def _get_node_type(tree: object) -> Any:
    kind = type(tree)
    if kind not in SUPPORTED_NODES and is_namedtuple_instance(tree):
        return namedtuple
    return kind


def tree_is_leaf(tree: object, is_leaf: IsLeaf | None = None) -> bool:
    """Return whether something is no container, or ``is_leaf`` takes it for none."""
    return (is_leaf is not None and is_leaf(tree)) or _get_node_type(tree) not in SUPPORTED_NODES


@dataclass
class TreeSpec:
    """A nesting without its leaves."""

    type: Any
    context: Any
    children_specs: list[TreeSpec]
    num_nodes: int = field(init=False)
    num_leaves: int = field(init=False)
    num_children: int = field(init=False)

    def __post_init__(self) -> None:
        self.num_nodes = 1 + sum(each.num_nodes for each in self.children_specs)
        self.num_leaves = sum(each.num_leaves for each in self.children_specs)
        self.num_children = len(self.children_specs)

    def is_leaf(self) -> bool:
        """Return whether this is the place of a leaf."""
        return False

    def unflatten(self, leaves: Iterable[Any]) -> Any:
        """Return the nesting with these leaves. ValueError when their number is another."""
        return tree_unflatten(leaves, self)

    def flatten_up_to(self, tree: Any) -> list[Any]:
        """Return what ``tree`` has at each leaf of this nesting, which may be containers again."""
        if _get_node_type(tree) != self.type:
            raise ValueError(f"Type mismatch; expected {self.type!r}, but got {type(tree)!r}.")
        children, context = SUPPORTED_NODES[self.type].flatten_fn(tree)
        if len(children) != self.num_children or context != self.context:
            raise ValueError(
                f"Node mismatch; expected {self.num_children} children of {self.context!r}, got {context!r}"
            )
        return [leaf for spec, child in zip(self.children_specs, children) for leaf in spec.flatten_up_to(child)]


class LeafSpec(TreeSpec):
    """The place of a leaf."""

    def __init__(self) -> None:
        super().__init__(None, None, [])

    def __post_init__(self) -> None:
        self.num_nodes = self.num_leaves = 1
        self.num_children = 0

    def is_leaf(self) -> bool:
        """Return True."""
        return True

    def flatten_up_to(self, tree: Any) -> list[Any]:
        """Return what is here, whatever it is."""
        return [tree]

    def __repr__(self) -> str:
        return "*"


_LEAF_SPEC = LeafSpec()


def tree_flatten(tree: Any, is_leaf: IsLeaf | None = None) -> tuple[list[Any], TreeSpec]:
    """Return the leaves of a nesting and the nesting without them.

    >>> from facula.utils.pytree import tree_flatten
    >>> tree_flatten({"a": [1, 2], "b": 3})[0]
    [1, 2, 3]
    """
    leaves: list[Any] = []
    return leaves, _flatten(tree, leaves, is_leaf)


def _flatten(tree: Any, leaves: list[Any], is_leaf: IsLeaf | None) -> TreeSpec:
    if tree_is_leaf(tree, is_leaf):
        leaves.append(tree)
        return _LEAF_SPEC
    kind = _get_node_type(tree)
    children, context = SUPPORTED_NODES[kind].flatten_fn(tree)
    return TreeSpec(kind, context, [_flatten(each, leaves, is_leaf) for each in children])


def tree_unflatten(leaves: Iterable[Any], treespec: TreeSpec) -> Any:
    """Return the nesting with these leaves. ValueError when their number is another."""
    leaves = list(leaves)
    if len(leaves) != treespec.num_leaves:
        raise ValueError(
            f"tree_unflatten(leaves, treespec): `leaves` has length {len(leaves)} but the spec refers to a pytree that "
            f"holds {treespec.num_leaves} items ({treespec})."
        )
    return _unflatten(iter(leaves), treespec)


def _unflatten(leaves: Any, spec: TreeSpec) -> Any:
    if spec.is_leaf():
        return next(leaves)
    children = [_unflatten(leaves, each) for each in spec.children_specs]
    return SUPPORTED_NODES[spec.type].unflatten_fn(children, spec.context)


def tree_iter(tree: Any, is_leaf: IsLeaf | None = None) -> Iterable[Any]:
    """Yield the leaves of a nesting."""
    yield from tree_leaves(tree, is_leaf)


def tree_leaves(tree: Any, is_leaf: IsLeaf | None = None) -> list[Any]:
    """Return the leaves of a nesting."""
    return tree_flatten(tree, is_leaf)[0]


def tree_structure(tree: Any, is_leaf: IsLeaf | None = None) -> TreeSpec:
    """Return a nesting without its leaves."""
    return tree_flatten(tree, is_leaf)[1]


def tree_map(func: Callable[..., Any], tree: Any, *rests: Any, is_leaf: IsLeaf | None = None) -> Any:
    """Return the nesting with each leaf replaced by what ``func`` returns for it, and for those of ``rests`` there.

    >>> from facula.utils.pytree import tree_map
    >>> tree_map(lambda x, y: x + y, {"a": (1, 2)}, {"a": (10, 20)})
    {'a': (11, 22)}
    """
    leaves, spec = tree_flatten(tree, is_leaf)
    return spec.unflatten(func(*each) for each in zip(leaves, *(spec.flatten_up_to(rest) for rest in rests)))


def tree_map_(func: Callable[..., Any], tree: Any, *rests: Any, is_leaf: IsLeaf | None = None) -> Any:
    """Call ``func`` for each leaf, and those of ``rests`` there, and return the nesting."""
    leaves, spec = tree_flatten(tree, is_leaf)
    for each in zip(leaves, *(spec.flatten_up_to(rest) for rest in rests)):
        func(*each)
    return tree


def _of_type(condition: Any) -> Callable[[Any], bool]:
    if isinstance(condition, (type, tuple)):
        return lambda each: isinstance(each, condition)
    return condition


def tree_map_only(
    type_or_types_or_pred: Any, func: Callable[..., Any], tree: Any, is_leaf: IsLeaf | None = None
) -> Any:
    """Return `tree_map` of ``func`` for the leaves of a type, of one of several, or that a function chooses."""
    chosen = _of_type(type_or_types_or_pred)
    return tree_map(lambda each: func(each) if chosen(each) else each, tree, is_leaf=is_leaf)


def tree_all(pred: Callable[[Any], bool], tree: Any, is_leaf: IsLeaf | None = None) -> bool:
    """Return whether ``pred`` holds for all leaves."""
    return all(map(pred, tree_leaves(tree, is_leaf)))


def tree_any(pred: Callable[[Any], bool], tree: Any, is_leaf: IsLeaf | None = None) -> bool:
    """Return whether ``pred`` holds for any leaf."""
    return any(map(pred, tree_leaves(tree, is_leaf)))


def _broadcast_to_and_flatten(tree: Any, treespec: TreeSpec, is_leaf: IsLeaf | None = None) -> list[Any] | None:
    """Return, for each leaf of ``treespec``, the leaf of ``tree`` at or above its place; None when they do not match."""
    if tree_is_leaf(tree, is_leaf):
        return [tree] * treespec.num_leaves
    if treespec.is_leaf() or _get_node_type(tree) != treespec.type:
        return None
    children, context = SUPPORTED_NODES[treespec.type].flatten_fn(tree)
    if len(children) != treespec.num_children or context != treespec.context:
        return None
    found: list[Any] = []
    for child, spec in zip(children, treespec.children_specs):
        below = _broadcast_to_and_flatten(child, spec, is_leaf)
        if below is None:
            return None
        found += below
    return found


# With the place of each leaf.


def tree_flatten_with_path(
    tree: Any, is_leaf: IsLeaf | None = None
) -> tuple[list[tuple[tuple[Any, ...], Any]], TreeSpec]:
    """Return the leaves, each with its place as a tuple of keys, and the nesting without them."""
    return list(_with_path((), tree, is_leaf)), tree_structure(tree, is_leaf)


def _with_path(path: tuple[Any, ...], tree: Any, is_leaf: IsLeaf | None) -> Iterable[tuple[tuple[Any, ...], Any]]:
    if tree_is_leaf(tree, is_leaf):
        yield path, tree
        return
    node = SUPPORTED_NODES[_get_node_type(tree)]
    if node.flatten_with_keys_fn is None:
        raise ValueError(
            f"Did not find a flatten_with_keys_fn for type: {node.type}. Please pass one when registering."
        )
    for key, child in node.flatten_with_keys_fn(tree)[0]:
        yield from _with_path((*path, key), child, is_leaf)


def tree_map_with_path(func: Callable[..., Any], tree: Any, *rests: Any, is_leaf: IsLeaf | None = None) -> Any:
    """Return `tree_map` of a function that gets the place of the leaf first."""
    placed, spec = tree_flatten_with_path(tree, is_leaf)
    others = [spec.flatten_up_to(rest) for rest in rests]
    return spec.unflatten(func(path, leaf, *rest) for (path, leaf), *rest in zip(placed, *others))


def keystr(kp: tuple[Any, ...]) -> str:
    """Return a place as text: ``['a'][0].name``."""
    return "".join(map(str, kp))
