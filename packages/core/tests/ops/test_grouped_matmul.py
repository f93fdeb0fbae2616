"""Products of groups of matrices, distances of pairs, convolution in time."""

import facula
import numpy as np
import pytest
from facula.autograd import gradcheck
from facula.nn.functional import conv1d, grouped_mm


def _numbers(*shape: int) -> facula.Tensor:
    return facula.from_numpy(np.random.default_rng(0).standard_normal(shape)).requires_grad_()


def test_groups() -> None:
    ends = facula.tensor([2, 5])
    a, b = _numbers(5, 3), _numbers(2, 3, 4)
    rows = grouped_mm(a, b, offs=ends)
    assert rows[:2].equal(a[:2] @ b[0]) and rows[2:].equal(a[2:] @ b[1])
    columns = grouped_mm(b.transpose(1, 2), a.t(), offs=ends)
    assert columns.equal(rows.t())
    summed = grouped_mm(a.t(), _numbers(5, 4), offs=ends)
    assert summed.shape == (2, 3, 4)
    assert grouped_mm(b, _numbers(2, 4, 2)).shape == (2, 3, 2)
    assert gradcheck(lambda a, b: grouped_mm(a, b, offs=ends), (a, b))


def test_mistakes_of_groups() -> None:
    with pytest.raises(RuntimeError, match="provide offsets"):
        grouped_mm(_numbers(5, 3), _numbers(2, 3, 4))
    with pytest.raises(RuntimeError, match="contraction"):
        grouped_mm(_numbers(2, 5, 3), _numbers(2, 4, 4))
    with pytest.raises(RuntimeError, match="dtype"):
        grouped_mm(_numbers(2, 5, 3), _numbers(2, 3, 4).float())


@pytest.mark.parametrize("p", [0.0, 1.0, 1.5, 2.0, float("inf")])
def test_distances_of_pairs(p: float) -> None:
    x = _numbers(4, 3)
    expected = facula.cdist(x, x, p)[tuple(facula.triu_indices(4, 4, 1))]
    np.testing.assert_allclose(facula.pdist(x, p).detach().numpy(), expected.detach().numpy())
    assert gradcheck(lambda x: facula.pdist(x, p), (x,))


def test_rows_that_are_equal_have_no_slope() -> None:
    x = facula.ones(2, 3, requires_grad=True)
    facula.pdist(x).sum().backward()
    assert not x.grad.any()
    with pytest.raises(RuntimeError, match="2D"):
        facula.pdist(facula.zeros(3))


def test_convolution_in_time() -> None:
    x, weight, bias = _numbers(6, 2, 3), _numbers(2, 3, 4), _numbers(4)
    expected = conv1d(x.permute(1, 2, 0), weight.permute(2, 1, 0), bias, padding=1).permute(2, 0, 1)
    assert facula.conv_tbc(x, weight, bias, 1).equal(expected)
    with pytest.raises(RuntimeError, match="Bias"):
        facula.conv_tbc(x, weight, bias[:2])
