"""The cross-entropy of a linear layer's scores, whole and a few rows at a time."""

import facula
import numpy as np
import pytest
from facula.autograd import gradcheck, gradgradcheck
from facula.nn import LinearCrossEntropyOptions
from facula.nn.functional import cross_entropy, linear, linear_cross_entropy

OPTIONS = LinearCrossEntropyOptions(batch_chunk_size=2)


def _inputs() -> tuple[facula.Tensor, facula.Tensor, facula.Tensor, facula.Tensor]:
    random = np.random.default_rng(0)
    input, matrix, bias = (facula.from_numpy(random.standard_normal(shape)) for shape in ((5, 3), (4, 3), (4,)))
    return input, matrix, bias, facula.tensor([0, 3, -100, 1, 1])


@pytest.mark.parametrize("options", [None, OPTIONS, LinearCrossEntropyOptions()])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("weighted", [False, True])
def test_equals_its_two_parts(options: LinearCrossEntropyOptions | None, reduction: str, weighted: bool) -> None:
    input, matrix, bias, target = _inputs()
    weight = facula.tensor([1.0, 2.0, 3.0, 0.5], dtype=facula.float64) if weighted else None
    leaves = [each.clone().requires_grad_() for each in (input, matrix, bias)]
    again = [each.clone().requires_grad_() for each in (input, matrix, bias)]
    found = linear_cross_entropy(
        *leaves[:2], target, linear_bias=leaves[2], weight=weight, reduction=reduction, options=options
    )
    expected = cross_entropy(linear(*again), target, weight, reduction=reduction)
    np.testing.assert_allclose(found.detach().numpy(), expected.detach().numpy(), rtol=1e-12)
    found.sum().backward()
    expected.sum().backward()
    for leaf, other in zip(leaves, again, strict=True):
        np.testing.assert_allclose(leaf.grad.numpy(), other.grad.numpy(), rtol=1e-10, atol=1e-14)


def test_derivatives_of_chunks() -> None:
    input, matrix, bias, target = _inputs()
    leaves = [each.requires_grad_() for each in (input, matrix, bias)]

    def loss(input: facula.Tensor, matrix: facula.Tensor, bias: facula.Tensor) -> facula.Tensor:
        return linear_cross_entropy(input, matrix, target, linear_bias=bias, options=OPTIONS)

    assert gradcheck(loss, leaves)
    assert gradgradcheck(loss, leaves)


def test_module_over_several_dimensions() -> None:
    module = facula.nn.LinearCrossEntropyLoss(3, 4, out_features=(2,), bias=True)
    input, target = facula.randn(5, 3), facula.randint(0, 4, (5, 2))
    scores = module.linear(input).reshape(5, 4, 2)
    np.testing.assert_allclose(module(input, target).item(), cross_entropy(scores, target).item(), rtol=1e-6)
    assert list(module.state_dict()) == ["linear.weight", "linear.bias"]


def test_how_many_rows() -> None:
    assert LinearCrossEntropyOptions().rows_at_a_time(1000, 64, 640, facula.float32) == 64
    assert LinearCrossEntropyOptions(chunking_method=None).rows_at_a_time(10, 3, 4, facula.float32) == 10
    assert OPTIONS.rows_at_a_time(1, 3, 4, facula.float32) == 1


def test_mistakes() -> None:
    input, matrix, bias, target = _inputs()
    with pytest.raises(RuntimeError, match="dimensionality 1 or 2"):
        linear_cross_entropy(input[None], matrix, target)
    with pytest.raises(RuntimeError, match="in_features"):
        linear_cross_entropy(input, matrix[:, :2], target)
    with pytest.raises(RuntimeError, match="linear_bias shape"):
        linear_cross_entropy(input, matrix, target, linear_bias=bias[:2])
    with pytest.raises(RuntimeError, match="ignore_index cannot be specified"):
        linear_cross_entropy(input, matrix, facula.rand(5, 4), ignore_index=1)
    with pytest.raises(IndexError, match="out of bounds"):
        linear_cross_entropy(input, matrix, target + 3, options=OPTIONS)
    with pytest.warns(UserWarning, match="options"):
        linear_cross_entropy(input, matrix, target, label_smoothing=0.1, options=OPTIONS)
    for wrong in ({"acc_policy": "fast"}, {"chunking_method": "halves"}, {"batch_chunk_size": 0}):
        with pytest.raises(ValueError):
            LinearCrossEntropyOptions(**wrong)
