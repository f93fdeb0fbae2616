"""Copies of views, and what is done by positions."""

import facula
import numpy as np
import pytest


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        *(("alias", ()), ("diagonal", (1,)), ("narrow", (1, 1, 2)), ("permute", ((1, 0),)), ("select", (0, 1))),
        *(("squeeze", ()), ("t", ()), ("transpose", (0, 1)), ("unfold", (1, 2, 1)), ("unsqueeze", (0,))),
        *(("view", ((4, 3),)), ("expand", ((2, 3, 4),)), ("as_strided", ((2, 2), (4, 1)))),
    ],
)
def test_a_copy_has_the_elements_of_the_view_and_memory_of_its_own(name, arguments) -> None:
    x = facula.arange(12.0).reshape(3, 4)
    view = x if name == "alias" else getattr(x, name)(*arguments)
    copy = getattr(facula, name + "_copy")(x, *arguments)
    assert facula.equal(copy, view) and copy.is_contiguous()
    copy.zero_()
    assert facula.equal(x, facula.arange(12.0).reshape(3, 4))
    out = facula.empty(0)
    assert getattr(facula, name + "_copy")(x, *arguments, out=out) is out
    assert facula.equal(out, view)


def test_copies_of_several_views() -> None:
    x = facula.arange(6.0).reshape(2, 3)
    assert [each.tolist() for each in facula.unbind_copy(x, 1)] == [[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]
    out = [facula.empty(0), facula.empty(0)]
    assert facula.split_with_sizes_copy(x, [1, 2], 1, out=out) is None
    assert [each.tolist() for each in out] == [[[0.0], [3.0]], [[1.0, 2.0], [4.0, 5.0]]]
    assert [each.shape for each in facula.unsafe_split(x, 2, 1)] == [(2, 2), (2, 1)]
    with pytest.raises(RuntimeError, match="2 tensors, got 1"):
        facula.unbind_copy(x, out=[facula.empty(0)])


def test_values_are_written_where_strides_lead() -> None:
    x = facula.zeros(2, 3)
    assert facula.as_strided_scatter(x, facula.ones(2), (2,), (2,), 1).tolist() == [[0, 1, 0], [1, 0, 0]]
    with pytest.raises(RuntimeError, match=r"src size = \[3\], slice size = \[2\]"):
        facula.as_strided_scatter(x, facula.ones(3), (2,), (2,))


def test_positions() -> None:
    flat = facula.tensor([0, 5, 11])
    expected = np.unravel_index(flat.numpy(), (3, 4))
    assert [each.tolist() for each in facula.unravel_index(flat, (3, 4))] == [list(each) for each in expected]
    with pytest.raises(ValueError, match="integer dtype"):
        facula.unravel_index(facula.tensor([0.5]), (2,))
    assert facula.nonzero_static(facula.tensor([0, 3, 4]), size=3).tolist() == [[1], [2], [-1]]
    assert facula.nonzero_static(facula.tensor([0, 3, 4]), size=1, fill_value=7).tolist() == [[1]]


@pytest.mark.parametrize(
    ("reduce", "with_old", "without"),
    [
        ("prod", [12.0, 2.0], [6.0, 2.0]),
        ("mean", [7 / 3, 2.0], [2.5, 2.0]),
        ("amax", [3, 2], [3, 2]),
        ("amin", [2, 2], [2, 2]),
    ],
)
def test_slices_are_reduced_into_those_named(reduce, with_old, without) -> None:
    x, index, source = facula.tensor([2.0, 2.0]), facula.tensor([0, 0]), facula.tensor([2.0, 3.0])
    assert np.allclose(x.index_reduce(0, index, source, reduce).tolist(), with_old)
    assert np.allclose(x.index_reduce(0, index, source, reduce, include_self=False).tolist(), without)
    with pytest.raises(RuntimeError, match="got sum"):
        x.index_reduce(0, index, source, "sum")


def test_a_flip_shares_no_memory_where_nothing_is_moved() -> None:
    for shape, dims in (((1,), (0,)), ((3, 1), (1,)), ((2, 2), ()), ((), ())):
        x = facula.ones(shape)
        facula.flip(x, dims).add_(5)
        assert x.eq(1).all()
