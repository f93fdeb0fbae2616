"""PyTorch's own functions: other argument orders, and what gradients need beside the result."""

import math

import facula
import numpy as np
import pytest
from facula.autograd import gradcheck, gradgradcheck
from facula.nn import functional as F


def _numbers(*shape: int) -> facula.Tensor:
    return facula.from_numpy(np.random.default_rng(0).standard_normal(shape))


def _close(actual: facula.Tensor, expected: facula.Tensor) -> None:
    np.testing.assert_allclose(actual.detach().numpy(), expected.detach().numpy(), rtol=1e-10, atol=1e-12)


def test_norms_with_their_statistics() -> None:
    x = _numbers(2, 6, 3)
    result, mean, rate = facula.native_layer_norm(x, (3,), None, None, 1e-5)
    _close(result, (x - mean) * rate)
    assert mean.shape == (2, 6, 1)
    result, mean, rate = facula.native_group_norm(x, None, None, 2, 6, 3, 2, 1e-5)
    _close(result, ((x.reshape(2, 2, -1) - mean[..., None]) * rate[..., None]).reshape(2, 6, 3))
    running = facula.zeros(6, dtype=facula.float64), facula.ones(6, dtype=facula.float64)
    result, mean, rate = facula.native_batch_norm(x, None, None, *running, True, 0.5, 1e-5)
    _close(result, (x - mean[:, None]) * rate[:, None])
    _close(running[0], 0.5 * mean)
    assert [len(each) for each in facula.native_batch_norm(x, None, None, *running, False, 0.5, 1e-5)[1:]] == [0, 0]
    _close(facula._native_batch_norm_legit(x, None, None, True, 0.5, 1e-5)[0], result)
    assert len(facula._batch_norm_with_update(x, None, None, *running, 0.5, 1e-5)) == 4
    out = [facula.empty(0, dtype=facula.float64) for _ in range(3)]
    facula.native_batch_norm(x, None, None, None, None, True, 0.5, 1e-5, out=out)
    _close(out[0], result)


def test_statistics_of_groups_are_differentiable() -> None:
    def norms(x: facula.Tensor) -> tuple[facula.Tensor, ...]:
        return facula.native_group_norm(x, None, None, 2, 4, 3, 2, 0.5)

    assert gradcheck(norms, (_numbers(2, 4, 3).requires_grad_(),))
    assert gradgradcheck(norms, (_numbers(2, 4, 3).requires_grad_(),))


def test_dropout_and_what_it_kept() -> None:
    x = facula.ones(1000, dtype=facula.float64, requires_grad=True)
    result, kept = facula.native_dropout(x, 0.25, True)
    _close(result, kept.double() / 0.75)
    assert 650 < kept.sum() < 850
    (gradient,) = facula.autograd.grad(result.sum(), x)
    _close(gradient, facula.native_dropout_backward(facula.ones_like(x), kept, 1 / 0.75))
    assert facula.native_dropout(x, 0.25, False)[1].all() and not facula.native_dropout(x, 1.0, True)[1].any()
    facula.manual_seed(0)
    first = facula.dropout(x, 0.5, True)
    facula.manual_seed(0)
    _close(first, F.dropout(x, 0.5))


def test_softmax_of_nothing_is_zero() -> None:
    x = facula.tensor([[-math.inf, -math.inf], [0.0, 0.0]], requires_grad=True)
    result = facula._safe_softmax(x, 1)
    assert result.tolist() == [[0, 0], [0.5, 0.5]]
    (result * facula.tensor([1.0, 2.0])).sum().backward()
    assert x.grad.isfinite().all()


@pytest.mark.parametrize(
    ("backward", "forward"),
    [("_softmax_backward_data", facula.softmax), ("_log_softmax_backward_data", facula.log_softmax)],
)
def test_gradients_of_softmax(backward: str, forward: object) -> None:
    x, g = _numbers(3, 4).requires_grad_(), _numbers(3, 4).flip(0)
    result = forward(x, 1)
    (expected,) = facula.autograd.grad(result, x, g)
    _close(getattr(facula, backward)(g, result.detach(), 1, facula.float64), expected)


def test_gradient_of_a_pool() -> None:
    x = _numbers(2, 3, 6, 6).requires_grad_()
    result, indices = F.max_pool2d(x, 3, 2, 1, return_indices=True)
    g = _numbers(*result.shape)
    (expected,) = facula.autograd.grad(result, x, g)
    found = facula.ops.aten.max_pool2d_with_indices_backward(g, x, [3, 3], [2, 2], [1, 1], [1, 1], False, indices)
    _close(found, expected)


def test_reductions_are_numbers() -> None:
    x, target = _numbers(4, 3), _numbers(4, 3).sigmoid()
    for number, reduction in enumerate(("none", "mean", "sum")):
        _close(
            facula.binary_cross_entropy_with_logits(x, target, reduction=number),
            F.binary_cross_entropy_with_logits(x, target, reduction=reduction),
        )
        _close(
            facula.poisson_nll_loss(x, target, True, False, 1e-8, number),
            F.poisson_nll_loss(x, target, reduction=reduction),
        )
    _close(facula.kl_div(x, target), F.kl_div(x, target, reduction="sum") / 12)
    with pytest.raises(ValueError, match="reduction"):
        facula.hinge_embedding_loss(x, target, reduction=3)


def test_orders_of_arguments() -> None:
    table, indices = _numbers(5, 2), facula.tensor([0, 3, 3, 1])
    _close(facula.embedding(table, indices), table[indices])
    x, weight = _numbers(2, 3, 4), _numbers(3).abs()
    _close(
        facula.batch_norm(x, weight, None, None, None, True, 0.1, 1e-5, False),
        F.batch_norm(x, None, None, weight, training=True),
    )
    _close(facula.instance_norm(x, weight, None, None, None, True, 0.1, 1e-5, False), F.instance_norm(x, weight=weight))
    assert len(facula.adaptive_max_pool1d(x, 2)) == 2
    _close(facula.max_pool1d(x, 2), F.max_pool1d(x, 2))
    kernel = _numbers(6, 3, 2)
    _close(facula.convolution(x, kernel, None, [1], [0], [1], False, [0], 1), F.conv1d(x, kernel))
    _close(
        facula.convolution(x, kernel.transpose(0, 1), None, [2], [0], [1], True, [1], 1),
        F.conv_transpose1d(x, kernel.transpose(0, 1), stride=2, output_padding=1),
    )
    _close(facula.constant_pad_nd(x, (1, 2), 3.0), F.pad(x, (1, 2), value=3.0))
    assert facula.norm_except_dim(x, 2, 1).shape == (1, 3, 1)


def test_bags_with_their_sizes() -> None:
    table, indices, offsets = _numbers(5, 2), facula.tensor([0, 3, 3, 1]), facula.tensor([0, 3, 3])
    sums, bags, sizes, _ = facula.embedding_bag(table, indices, offsets)
    _close(sums, F.embedding_bag(indices, table, offsets, mode="sum"))
    assert bags.tolist() == [0, 0, 0, 2] and sizes.tolist() == [3, 0, 1]
    largest, _, _, winners = facula.embedding_bag(table, indices, offsets, mode=2)
    _close(table.gather(0, winners)[[0, 2]], largest[[0, 2]])


def test_antialiased_resizing_with_factors_of_its_own() -> None:
    x = _numbers(1, 1, 6, 8)
    _close(
        facula._upsample_bilinear2d_aa(x, [3, 4], False),
        F.interpolate(x, (3, 4), mode="bilinear", antialias=True),
    )
    _close(
        facula._upsample_bilinear2d_aa(x, None, False, scale_factors=[0.5, 0.5]),
        F.interpolate(x, scale_factor=0.5, mode="bilinear", antialias=True),
    )
    assert facula._upsample_bilinear2d_aa(x, [3, 4], False, 0.4, 0.4).shape == (1, 1, 3, 4)


def test_randomised_rectifier_takes_a_generator() -> None:
    x = -facula.ones(4)
    first = facula.rrelu(x, 0.1, 0.3, True, generator=facula.Generator().manual_seed(3))
    again = facula.rrelu_(x.clone(), 0.1, 0.3, True, generator=facula.Generator().manual_seed(3))
    _close(first, again)
    assert ((first <= -0.1) & (first >= -0.3)).all()
