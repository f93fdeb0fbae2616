"""Hooks on saved tensors, and checkpointing, which is made of them."""

import gc

import facula
import pytest
from facula import nn
from facula.autograd import graph
from facula.utils.checkpoint import CheckpointError, checkpoint, checkpoint_sequential


def test_hooks_see_each_saved_tensor_and_give_it_back() -> None:
    kept = []

    def pack(tensor):
        kept.append(tensor)
        return len(kept) - 1

    x = facula.tensor([1.0, 2.0], requires_grad=True)
    y = facula.tensor([3.0, 4.0], requires_grad=True)
    with graph.saved_tensors_hooks(pack, lambda index: kept[index] * 10):
        z = (x * y).exp().sum()
    with graph.save_on_cpu():
        w = x * y
    assert len(kept) == 3
    z.backward()
    expected = (x * y).exp().detach() * 10 * y.detach() * 10
    assert facula.allclose(x.grad, expected)
    w.sum().backward()
    assert facula.allclose(x.grad, expected + y.detach())


def test_hooks_serve_functions_of_ones_own() -> None:
    class Square(facula.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return 2 * x * g

    x = facula.tensor([1.0, 2.0], requires_grad=True)
    with graph.saved_tensors_hooks(lambda tensor: tensor.tolist(), facula.tensor):
        y = Square.apply(x)
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 4.0]


def test_hooks_can_be_forbidden() -> None:
    with graph.disable_saved_tensors_hooks("not here"), pytest.raises(RuntimeError, match="not here"):
        with graph.saved_tensors_hooks(lambda x: x, lambda x: x):
            pass


def test_what_unpacks_must_give_a_tensor() -> None:
    x = facula.ones(2, requires_grad=True)
    with graph.saved_tensors_hooks(lambda x: x, lambda x: None):
        y = x.exp()
    with pytest.raises(TypeError, match="expected the unpack hook to return a Tensor, got NoneType"):
        y.sum().backward()


class Block(nn.Module):
    """A layer that counts how often it is called."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Dropout(0.5), nn.Linear(8, 4))
        self.calls = 0

    def forward(self, x, scale=1.0):
        self.calls += 1
        return self.layers(x) * scale


@pytest.mark.parametrize("reentrant", [True, False, None])
def test_gradients_are_those_without_a_checkpoint(reentrant) -> None:
    facula.manual_seed(0)
    block, x = Block(), facula.randn(3, 4, requires_grad=True)
    facula.manual_seed(1)
    block(x, scale=2.0).square().sum().backward()
    expected = [each.grad.clone() for each in (x, *block.parameters())]
    x.grad = None
    block.zero_grad()
    facula.manual_seed(1)
    output = checkpoint(block, x, use_reentrant=reentrant, scale=2.0)
    after = facula.rand(1)
    output.square().sum().backward()
    assert block.calls == 3
    assert all(facula.equal(each.grad, want) for each, want in zip((x, *block.parameters()), expected, strict=True))
    facula.manual_seed(1)
    block(x)
    assert facula.equal(facula.rand(1), after)


def test_parameters_get_gradients_when_the_input_needs_none_and_in_grad() -> None:
    block, x = nn.Linear(4, 4), facula.randn(3, 4)
    (found,) = facula.autograd.grad(checkpoint(block, x, use_reentrant=False).exp().sum(), [block.weight])
    (expected,) = facula.autograd.grad(block(x).exp().sum(), [block.weight])
    assert facula.equal(found, expected)
    assert not checkpoint(facula.exp, x, use_reentrant=False).requires_grad


def test_a_sequence_in_parts() -> None:
    facula.manual_seed(0)
    layers, x = nn.Sequential(*(nn.Linear(4, 4) for _ in range(5))), facula.randn(2, 4, requires_grad=True)
    checkpoint_sequential(layers, 2, x, use_reentrant=False).sum().backward()
    found, x.grad = x.grad, None
    layers(x).sum().backward()
    assert facula.equal(found, x.grad)


def test_a_function_that_does_something_else_the_second_time_is_found_out() -> None:
    lengths = iter([2, 3])
    x = facula.ones(3, requires_grad=True)
    y = checkpoint(lambda x: x[: next(lengths)].exp(), x, use_reentrant=False)
    with pytest.raises(CheckpointError, match="different metadata"):
        y.sum().backward()


def test_nothing_is_left_behind() -> None:
    block, x = Block(), facula.randn(3, 4, requires_grad=True)
    gc.collect()
    gc.disable()
    try:
        for _ in range(5):
            checkpoint(block, x, use_reentrant=False).sum().backward()
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_one_hook_on_several_gradients() -> None:
    x, y = (facula.ones(2, requires_grad=True) for _ in range(2))
    seen = []
    handle = graph.register_multi_grad_hook((x, y), seen.append)
    (x * 2 + y * 3).sum().backward()
    assert [each.tolist() for each in seen[0]] == [[2.0, 2.0], [3.0, 3.0]]
    handle.remove()
    (x + y).sum().backward()
    assert len(seen) == 1
    edge = graph.get_gradient_edge(x * 2)
    assert (edge.node.name(), edge.output_nr) == ("MulBackward0", 0)
