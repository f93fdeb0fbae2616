"""Runs that do not fit, and what PyTorch's compiler indexes by masks."""

import facula
import pytest


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lengths": facula.tensor([2, 0, 2])}, r"sum to data.size\(lengths.dim\(\)-1\), 5"),
        ({"lengths": facula.tensor([2, -1, 4])}, "negative"),
        ({"offsets": facula.tensor([0, 3, 2, 5])}, "negative"),
        ({"lengths": facula.tensor([[2, 3]])}, "1 to 1 dimensions, got 2"),
        ({}, "Either lengths or offsets"),
    ],
)
def test_runs_that_do_not_fit(options, message) -> None:
    with pytest.raises(RuntimeError, match=message):
        facula.segment_reduce(facula.arange(5.0), "sum", **options)


def test_empty_runs() -> None:
    x, lengths = facula.arange(3.0), facula.tensor([3, 0])
    found = {each: facula.segment_reduce(x, each, lengths=lengths)[1].item() for each in ("sum", "prod", "max", "min")}
    assert found == {"sum": 0.0, "prod": 1.0, "max": -float("inf"), "min": float("inf")}
    assert facula.segment_reduce(x, "mean", lengths=lengths)[1].isnan()


def test_largest_elements_of_a_run_share_the_gradient_also_with_an_equal_start() -> None:
    x = facula.tensor([2.0, 2.0, 0.0, 1.0], requires_grad=True)
    facula.segment_reduce(x, "max", lengths=facula.tensor([3, 1]), initial=2).sum().backward()
    assert x.grad.tolist() == [0.5, 0.5, 0.0, 0.0]


def test_indices_may_be_anything_where_the_mask_is_false() -> None:
    x = facula.arange(6.0).reshape(2, 3).requires_grad_()
    mask, indices = facula.tensor([True, False]), [facula.tensor([0, 9]), facula.tensor([1, 9])]
    found = facula._unsafe_masked_index(x, mask, indices, 7.0)
    assert found.tolist() == [1.0, 7.0]
    found.sum().backward()
    assert x.grad.tolist() == [[0, 1, 0], [0, 0, 0]]
    added = facula._unsafe_masked_index_put_accumulate(x, mask, indices, facula.ones(2))
    assert added.tolist() == [[0, 2, 2], [3, 4, 5]]


def test_zeros_in_a_product_of_scattered_numbers() -> None:
    x = facula.tensor([0.0, 2.0, 3.0], dtype=facula.float64, requires_grad=True)
    source = facula.tensor([3.0, 4.0, 0.0, 5.0], dtype=facula.float64, requires_grad=True)
    index = facula.tensor([0, 0, 1, 1])

    def product(x, source):
        return facula.scatter_reduce(x, 0, index, source, "prod")

    assert facula.autograd.gradcheck(product, (x, source))
    assert facula.autograd.gradgradcheck(product, (x, source))
    twice = facula.tensor([0.0, 0.0], requires_grad=True)
    found = facula.scatter_reduce(facula.ones(1), 0, facula.tensor([0, 0]), twice, "prod")
    (gradient,) = facula.autograd.grad(found.sum(), twice, create_graph=True)
    assert gradient.tolist() == [0.0, 0.0]
    with pytest.raises(RuntimeError, match="Double backward is unsupported"):
        gradient.sum().backward()


def test_sums_of_booleans_are_whether_any_is_true() -> None:
    no, yes = facula.zeros(2, dtype=facula.bool), facula.tensor([True, True])
    index = facula.tensor([0, 0])
    assert facula.index_add(no, 0, index, yes).tolist() == [True, False]
    assert no.put(index, yes, accumulate=True).tolist() == [True, False]
    assert no.scatter_reduce(0, index, yes, "prod", include_self=False).tolist() == [True, False]


def test_a_view_may_reach_out_of_its_base() -> None:
    memory = facula.arange(10.0, requires_grad=True)
    part = (memory * 2)[2:8]
    view = part.as_strided((2, 2), (1, 2), 0)
    assert view.tolist() == [[0, 4], [2, 6]]
    view.backward(facula.tensor([[1.0, 2.0], [3.0, 4.0]]))
    assert memory.grad.tolist() == [0, 0, 4, 8, 0, 0, 0, 0, 0, 0]


def test_drawn_numbers_give_their_parameters_gradients_of_zero() -> None:
    mean, std = facula.zeros(2, requires_grad=True), facula.ones(2, requires_grad=True)
    facula.normal(mean, std).sum().backward()
    assert mean.grad.tolist() == std.grad.tolist() == [0.0, 0.0]
