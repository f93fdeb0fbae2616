"""The backward pass: a walk over the recorded graph, newest node first."""

from collections.abc import Sequence
from heapq import heappop, heappush
from typing import Any

from facula import native
from facula.graph.modes import state, watch
from facula.graph.node import AccumulateGrad, Node, Target
from facula.types import Tensor


def run(
    roots: Sequence[Target],
    gradients: Sequence[Tensor],
    *,
    retain_graph: bool,
    create_graph: bool,
    inputs: Sequence[Target] | None = None,
    accumulate_into: frozenset[Node] | None = None,
) -> dict[Target, Tensor]:
    """Walk from ``roots``, with their ``gradients``, to the leaves.

    Without ``inputs``, gradients are added to ``grad`` of every leaf reached (or of those in ``accumulate_into``) and
    the result is empty. With ``inputs``, nothing is added anywhere and the result holds the gradient of each target in
    ``inputs`` that was reached. There is no recursion, so depth has no limit, and nodes are released as they are
    passed unless ``retain_graph``.
    """
    wanted = None if inputs is None else set(inputs)
    # Only paths that lead to what was asked for are walked.
    goals = wanted if wanted is not None else accumulate_into
    useful = None if goals is None else _nodes_leading_to({goal.node for goal in goals}, roots)
    found: dict[Target, Tensor] = {}
    grad_enabled = state.grad_enabled
    # Where nobody records or watches, further gradients are added in place to a sum that was made here.
    observed = create_graph or watch.active > 0
    state.grad_enabled = create_graph
    try:
        _walk(roots, gradients, retain_graph, create_graph, observed, state.anomaly, useful, wanted, found)
    finally:
        state.grad_enabled = grad_enabled
    return found


def _walk(
    roots: Sequence[Target],
    gradients: Sequence[Tensor],
    retain_graph: bool,
    create_graph: bool,
    observed: bool,
    anomaly: bool,
    useful: set[Node] | None,
    wanted: set[Target] | None,
    found: dict[Target, Tensor],
) -> None:
    # A gradient for each node; a list of them for a node of several results.
    pending: dict[Any, Any] = {}
    queue: list[tuple[int, Node]] = []

    def arrive(target: Target, gradient: Tensor) -> None:
        if gradient._array.shape != target.shape:
            gradient = gradient.sum_to_size(target.shape)
        if gradient._array.dtype is not target.dtype:
            gradient = _cast(gradient, target)
        node = target.node
        if node.outputs == 1:
            earlier = pending.get(node)
            if earlier is None:
                pending[node] = gradient
                heappush(queue, (-node.number, node))
            else:
                pending[node] = earlier + gradient
            return
        slots = pending.get(node)
        if slots is None:
            slots = pending[node] = [None] * node.outputs
            heappush(queue, (-node.number, node))
        earlier = slots[target.index]
        slots[target.index] = gradient if earlier is None else earlier + gradient

    owned: dict[Any, Any] = {}
    target: Any
    gradient: Any
    produced: Any
    earlier: Any
    for target, gradient in zip(roots, gradients, strict=True):
        arrive(target, gradient)
    while queue:
        node = heappop(queue)[1]
        received = pending.pop(node)
        if owned:
            owned.pop(node, None)
        hooked = node.hooked
        if hooked and node.tensor_hooks is not None:
            received = _run_tensor_hooks(node, received)
        if wanted is not None:
            _capture(node, received, wanted, found)
        if useful is not None and node not in useful:
            continue
        if type(node) is AccumulateGrad:
            if wanted is None:
                node.accumulate(received, create_graph=create_graph)
            continue
        if hooked and node.pre_hooks is not None:
            received = _run_pre_hooks(node, received)
        produced = _differentiate(node, received) if anomaly else node.gradients(received)
        if hooked and node.hooks is not None:
            produced = _run_hooks(node, produced, received)
        edges = node.edges
        if not retain_graph:
            node.release()
        del received
        for target, gradient in zip(edges, produced):
            if target is None or gradient is None:
                continue
            if target.outputs == 1 and gradient._array.shape == target.shape and gradient._array.dtype is target.dtype:
                # The usual case of `arrive`, without the call.
                earlier = pending.get(target)
                if earlier is None:
                    pending[target] = gradient
                    heappush(queue, (-target.number, target))
                elif observed:
                    pending[target] = earlier + gradient
                elif owned.get(target) is earlier and not (earlier._overrides or gradient._overrides):  # type: ignore[union-attr]
                    array = earlier._array  # type: ignore[union-attr]
                    array += gradient._array
                else:
                    pending[target] = owned[target] = earlier + gradient
                earlier = None
            else:
                arrive(target, gradient)
        # A gradient held by nothing else may become a leaf's grad without a copy.
        gradient = produced = None


def _differentiate(node: Node, received: Any) -> "Sequence[Tensor | None]":
    try:
        produced = node.gradients(received)
    except Exception as error:
        if node.trace is not None:
            error.add_note(f"{node.name()} failed in the backward pass. It was recorded here:\n{node.trace}")
        raise
    if state.anomaly:
        for position, gradient in enumerate(produced):
            if gradient is not None and gradient.is_floating_point() and bool(gradient.isnan().any()):
                where = "" if node.trace is None else f" It was recorded here:\n{node.trace}"
                raise RuntimeError(f"Function '{node.name()}' returned nan values in its {position}th output.{where}")
    return produced


def _cast(gradient: Tensor, target: Target) -> Tensor:
    """Return the gradient in the type of what it belongs to; a real tensor has a real gradient."""
    if gradient.is_complex() and target.dtype.kind != "c":
        gradient = gradient.real
    return gradient if gradient._array.dtype == target.dtype else gradient._to_numpy_dtype(target.dtype)


def _nodes_leading_to(goals: set[Node], roots: Sequence[Target]) -> set[Node]:
    """Return the nodes, from ``roots`` on, from which one of ``goals`` can be reached; the goals among them."""
    useful: set[Node] = set()
    seen: set[Node] = set()
    # Each node is met twice: on the way down its edges are queued, on the way up they are known.
    stack = [(root.node, False) for root in roots]
    while stack:
        node, returning = stack.pop()
        if returning:
            if node in goals or any(edge is not None and edge.node in useful for edge in node.edges):
                useful.add(node)
            continue
        if node in seen:
            continue
        seen.add(node)
        stack.append((node, True))
        stack.extend((edge.node, False) for edge in node.edges if edge is not None and edge.node not in seen)
    return useful


def _capture(node: Node, received: Any, wanted: set[Target], found: dict[Target, Tensor]) -> None:
    if node.outputs == 1:
        if node in wanted:
            found[node] = received
        return
    for target in wanted:
        if target.node is node and received[target.index] is not None:
            found[target] = received[target.index]


def _run_tensor_hooks(node: Node, received: Any) -> Any:
    several = node.outputs > 1
    for index, hooks in node.tensor_hooks.items():  # type: ignore[union-attr]  # `hooked` said so
        gradient = received[index] if several else received
        if gradient is None:
            continue
        for hook in tuple(hooks.values()):
            replaced = hook(gradient)
            if replaced is not None:
                gradient = replaced
        if several:
            received[index] = gradient
        else:
            received = gradient
    return received


def _run_pre_hooks(node: Node, received: Any) -> Any:
    several = node.outputs > 1
    for hook in tuple(node.pre_hooks.values()):  # type: ignore[union-attr]
        replaced = hook(tuple(received) if several else (received,))
        if replaced is not None:
            replaced = replaced if isinstance(replaced, tuple) else (replaced,)
            received = list(replaced) if several else replaced[0]
    return received


def _run_hooks(node: Node, produced: "Sequence[Tensor | None]", received: Any) -> "Sequence[Tensor | None]":
    outputs = tuple(received) if node.outputs > 1 else (received,)
    for hook in tuple(node.hooks.values()):  # type: ignore[union-attr]
        replaced = hook(tuple(produced), outputs)
        if replaced is not None:
            produced = replaced if isinstance(replaced, tuple) else (replaced,)
    return produced


if native.base is not None:
    native.know(
        sum_to_size=lambda gradient, shape: gradient.sum_to_size(shape),
        cast=_cast,
        capture=_capture,
        differentiate=_differentiate,
        run_tensor_hooks=_run_tensor_hooks,
        run_pre_hooks=_run_pre_hooks,
        run_hooks=_run_hooks,
    )
    _walk = native.base.walk
