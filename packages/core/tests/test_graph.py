"""The recorded graph: views, in-place writes, hooks, freeing, errors."""

import gc
import threading

import facula
import numpy as np
import pytest
from facula import nn
from facula.autograd import Function, gradcheck, gradgradcheck


def leaf(*values: float) -> facula.Tensor:
    return facula.tensor(values, dtype=facula.float64, requires_grad=True)


def test_a_gradient_is_the_sum_over_all_paths() -> None:
    x = leaf(1.0, 2.0)
    y = x * x
    (y + y * x).sum().backward()
    assert x.grad.tolist() == [2 * 1 + 3 * 1, 2 * 2 + 3 * 4]


def test_gradients_add_up_over_backward_passes() -> None:
    x = leaf(3.0)
    for _ in range(3):
        (x * 2).sum().backward()
    assert x.grad.item() == 6.0


def test_gradients_of_two_leaves_never_share_memory() -> None:
    x, y = leaf(1.0), leaf(2.0)
    (x + y).backward(facula.ones(1, dtype=facula.float64))
    x.grad.add_(10)
    assert y.grad.item() == 1.0


def test_a_gradient_given_by_the_user_is_not_taken_over() -> None:
    x, start = leaf(1.0), facula.ones(1, dtype=facula.float64)
    (x + 0).backward(start)
    x.grad.add_(5)
    assert start.item() == 1.0


def test_ten_thousand_operations_need_no_recursion() -> None:
    x = leaf(1.0)
    y = x
    for _ in range(10_000):
        y = y + x
    y.sum().backward()
    assert x.grad.item() == 10_001


def test_nothing_is_left_for_the_garbage_collector() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.GELU(), nn.Dropout(), nn.Linear(8, 2))
    x, y = facula.randn(6, 4), facula.randint(0, 2, (6,))
    nn.functional.cross_entropy(model(x), y).backward()
    gc.collect()
    gc.disable()
    try:
        for _ in range(50):
            nn.functional.cross_entropy(model(x), y).backward()
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_a_second_backward_pass_is_refused_unless_the_graph_was_kept() -> None:
    x = leaf(2.0)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    with pytest.raises(RuntimeError, match="second time"):
        y.backward()


def test_a_change_of_what_was_saved_is_an_error() -> None:
    x = leaf(1.0, 2.0)
    y = x.exp()
    z = y * y
    y.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.sum().backward()


def test_a_change_through_a_view_or_a_detached_tensor_is_seen_too() -> None:
    for change in (lambda t: t[0].zero_(), lambda t: t.detach().zero_()):
        x = leaf(1.0, 2.0)
        y = x.exp()
        z = y * y
        with facula.no_grad():
            change(y)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            z.sum().backward()


def test_leaves_refuse_recorded_writes() -> None:
    x = leaf(1.0, 2.0)
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
        x.add_(1)
    with pytest.raises(RuntimeError, match="a view of a leaf"):
        x[0].add_(1)
    with facula.no_grad():
        x.add_(1)
    assert x.tolist() == [2.0, 3.0]


@pytest.mark.parametrize(
    "write",
    [
        lambda y, v: y.__setitem__(0, v.sum()),
        lambda y, v: y[:, 1].mul_(v),
        lambda y, v: y[1:, :].add_(v),
        lambda y, v: y.t()[0].copy_(v),
        lambda y, v: y.view(-1)[2:4].mul_(v),
        lambda y, v: y.__setitem__(y > 0.5, v[0]),
        lambda y, v: y.__setitem__((facula.tensor([0, 1]), facula.tensor([1, 0])), v),
        lambda y, v: y.diagonal().mul_(v),
        lambda y, v: y[0].unsqueeze(0).expand(1, 2)[0].clone().add_(v),
        lambda y, v: y.relu_(),
        lambda y, v: y.masked_fill_(y > 0, 0.0),
        lambda y, v: y.zero_(),
    ],
)
def test_writes_into_views_have_the_right_gradients(write) -> None:
    def function(x, v):
        y = x * 1.5
        part = y[0]
        write(y, v)
        return (y * y).sum() + (part * 3).sum()

    x = facula.tensor([[0.3, -0.8], [1.1, 0.4]], dtype=facula.float64, requires_grad=True)
    v = facula.tensor([0.7, -1.2], dtype=facula.float64, requires_grad=True)
    assert gradcheck(function, (x, v))


def test_a_constant_written_over_a_tensor_ends_its_history() -> None:
    x = leaf(1.0, 2.0)
    y = x * 2
    y.fill_(7.0)
    y.sum().backward()
    assert x.grad.tolist() == [0.0, 0.0]


def test_hooks_see_and_replace_gradients() -> None:
    x = leaf(1.0)
    y = x * 2
    seen = []
    handle = y.register_hook(lambda gradient: seen.append(gradient.item()) or gradient * 10)
    (y * 3).sum().backward(retain_graph=False)
    assert (seen, x.grad.item()) == ([3.0], 60.0)
    handle.remove()
    x.grad = None
    y = x * 2
    y.retain_grad()
    (y * 3).sum().backward()
    assert (y.grad.item(), x.grad.item()) == (3.0, 6.0)


def test_grad_walks_only_what_leads_to_the_inputs() -> None:
    x, y = leaf(2.0), leaf(3.0)
    z = x * y
    assert facula.autograd.grad(z.sum(), x)[0].item() == 3.0
    assert x.grad is None and y.grad is None
    with pytest.raises(RuntimeError, match="not have been used"):
        facula.autograd.grad((x * 2).sum(), y)
    assert facula.autograd.grad((x * 2).sum(), y, allow_unused=True) == (None,)


def test_second_derivatives() -> None:
    x = leaf(0.5, 1.5)
    (first,) = facula.autograd.grad((x**3).sum(), x, create_graph=True)
    (second,) = facula.autograd.grad(first.sum(), x)
    assert second.tolist() == pytest.approx([3.0, 9.0])


def test_functions_of_ones_own() -> None:
    class Cube(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, gradient):
            (x,) = ctx.saved_tensors
            return gradient * 3 * x * x

    x = leaf(0.5, -1.5)
    assert gradcheck(Cube.apply, x)
    assert gradgradcheck(Cube.apply, x)


def test_gradcheck_finds_a_wrong_gradient() -> None:
    class Wrong(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, gradient):
            return gradient * 3

    with pytest.raises(RuntimeError, match="Jacobian mismatch"):
        gradcheck(Wrong.apply, leaf(1.0))


def test_anomaly_mode_names_the_line() -> None:
    with facula.autograd.detect_anomaly():
        x = leaf(0.0)
        y = x.sqrt() * 0  # the line to name
        with pytest.raises(RuntimeError, match="the line to name"):
            y.sum().backward()


def test_modes() -> None:
    x = leaf(1.0)
    with facula.no_grad():
        assert not (x * 2).requires_grad
        with facula.enable_grad():
            assert (x * 2).requires_grad
    assert (x * 2).requires_grad

    @facula.no_grad()
    def inside():
        return x * 2

    assert not inside().requires_grad


def test_other_threads_record_and_do_not_warn() -> None:
    found = []

    def work() -> None:
        x = leaf(0.0)
        (x.log() * 0 + x / 0).sum()
        (x * 2).sum().backward()
        found.append(x.grad.item())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [2.0]


def test_shape_and_type_mistakes_name_both_sides() -> None:
    with pytest.raises(RuntimeError, match=r"2.*3|3.*2"):
        facula.ones(2, 3) @ facula.ones(2, 3)
    with pytest.raises(IndexError, match="out of bounds"):
        facula.ones(3)[5]
    with pytest.raises(IndexError, match="out of range"):
        facula.ones(3).sum(4)
    with pytest.raises(RuntimeError, match="invalid for input of size 6"):
        facula.ones(2, 3).reshape(4, 2)
    with pytest.raises(RuntimeError, match="Missing key"):
        nn.Linear(2, 3).load_state_dict({})


@pytest.mark.parametrize("number", [np.float64(2), np.float32(2), np.int64(2), np.float16(2), np.bool_(True)])
def test_numbers_of_numpy_are_numbers(number) -> None:
    x = facula.ones(2)
    for result in (x * number, number * x, x + number, facula.mul(x, number), x.add(x, alpha=number)):
        assert type(result) is facula.Tensor and result.dtype == facula.float32
    assert (facula.ones(2, dtype=facula.int32) * np.int64(2)).dtype == facula.int32


@pytest.mark.parametrize("norm", ["layer_norm", "batch_norm", "group_norm", "instance_norm"])
def test_the_result_of_a_norm_may_be_written_to(norm: str) -> None:
    facula.manual_seed(0)
    functional = facula.nn.functional
    arguments = {"layer_norm": ((5,),), "batch_norm": (None, None, None, None, True), "group_norm": (2,)}.get(norm, ())
    x = facula.randn(3, 4, 5, dtype=facula.float64, requires_grad=True)
    gradients = []
    for inplace in (False, True):
        functional.relu(getattr(functional, norm)(x, *arguments), inplace=inplace).square().sum().backward()
        gradients.append(x.grad)
        x.grad = None
    facula.testing.assert_close(*gradients)


def test_losses_of_rows_may_be_written_to() -> None:
    scores = facula.randn(3, 4, requires_grad=True)
    loss = facula.nn.functional.cross_entropy(scores, facula.tensor([0, 1, 2]), reduction="none")
    loss.mul_(2.0).sum().backward()
    assert scores.grad is not None


@pytest.mark.parametrize("name", ["max", "sort", "topk", "median", "max_pool"])
def test_values_that_were_picked_may_be_written_to(name: str) -> None:
    picks = {
        "max": lambda x: x.max(-1).values,
        "sort": lambda x: x.sort(-1).values,
        "topk": lambda x: x.topk(2, -1).values,
        "median": lambda x: x.median(-1).values,
        "max_pool": lambda x: facula.nn.functional.max_pool1d(x, 2),
    }
    x = facula.arange(12.0).reshape(1, 2, 6).requires_grad_()
    picks[name](x).mul_(3.0).sum().backward()
    assert x.grad is not None and set(x.grad.flatten().tolist()) <= {0.0, 3.0}
