"""Sparse tensors: what they store, print and refuse, and gradients through them."""

import copy
import gc
import pickle
import subprocess
import sys

import facula
import numpy as np
import pytest

INDICES, VALUES, SIZE = [[0, 1, 1], [2, 0, 2]], [3.0, 4.0, 5.0], (2, 3)
WHOLE = [[0.0, 0.0, 3.0], [4.0, 0.0, 5.0]]


def matrix() -> facula.Tensor:
    return facula.sparse_coo_tensor(INDICES, VALUES, SIZE)


def test_a_matrix_knows_its_layout_and_parts():
    found = matrix().coalesce()
    assert found.layout is facula.sparse_coo and found.is_sparse and not found.is_sparse_csr
    assert (found.sparse_dim(), found.dense_dim(), found._nnz(), found.is_coalesced()) == (2, 0, 3, True)
    assert found.indices().tolist() == INDICES and found.values().tolist() == VALUES
    assert found.to_dense().tolist() == WHOLE and tuple(found.shape) == SIZE and found.dtype is facula.float32


def test_values_at_the_same_place_add_up():
    twice = facula.sparse_coo_tensor([[1, 0, 1]], [[1.0, 2.0], [3.0, 4.0], [10.0, 20.0]], (3, 2))
    once = twice.coalesce()
    assert once.indices().tolist() == [[0, 1]]
    assert once.values().tolist() == [[3.0, 4.0], [11.0, 22.0]]
    assert twice.to_dense().tolist() == once.to_dense().tolist() == [[3.0, 4.0], [11.0, 22.0], [0.0, 0.0]]


@pytest.mark.parametrize("layout", [facula.sparse_csr, facula.sparse_csc, facula.sparse_coo])
def test_layouts_lead_to_each_other(layout):
    assert facula.tensor(WHOLE).to_sparse(layout=layout).to_dense().tolist() == WHOLE
    assert matrix().to_sparse(layout=layout).to_sparse().to_dense().tolist() == WHOLE
    assert matrix().to_sparse(layout=layout).t().to_dense().tolist() == facula.tensor(WHOLE).t().tolist()


def test_empty_tensors():
    empty = facula.sparse_coo_tensor(facula.zeros(2, 0, dtype=facula.int64), facula.zeros(0), (2, 3))
    assert empty._nnz() == 0 and empty.coalesce().to_dense().tolist() == [[0.0] * 3] * 2
    assert facula.sparse.mm(empty, facula.ones(3, 2)).tolist() == [[0.0, 0.0]] * 2
    assert facula.zeros(0, 3).to_sparse().to_dense().shape == (0, 3)


def test_printing():
    assert repr(matrix()) == (
        "tensor(indices=tensor([[0, 1, 1],\n                       [2, 0, 2]]),\n       values=tensor([3., 4., 5.]),\n"
        "       size=(2, 3), nnz=3, layout=facula.sparse_coo)"
    )
    assert repr(matrix().to_sparse_csr()) == (
        "tensor(crow_indices=tensor([0, 1, 3]),\n       col_indices=tensor([2, 0, 2]),\n"
        "       values=tensor([3., 4., 5.]), size=(2, 3), nnz=3,\n       layout=facula.sparse_csr)"
    )


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: facula.sparse_coo_tensor([[0, 1]], [1.0, 2.0, 3.0], (2,)), RuntimeError, "same nnz"),
        (lambda: facula.sparse_coo_tensor([[0, 1]], [1.0, 2.0], (2, 2)), RuntimeError, "len\\(size\\)"),
        (lambda: facula.sparse_coo_tensor([[0, 2]], [1.0, 2.0], (2,)), RuntimeError, "size is 2 but found index 2"),
        (lambda: facula.sparse_coo_tensor([[0, -1]], [1.0, 2.0], (2,)), RuntimeError, "negative index -1"),
        (lambda: facula.sparse_csr_tensor([0, 2], [0, 5], [1.0, 2.0], (1, 3)), RuntimeError, "col_indices < 3"),
        (lambda: facula.sparse_csr_tensor([0, 3], [0, 1], [1.0, 2.0], (1, 3)), RuntimeError, "crow_indices"),
        (lambda: facula.sparse_coo_tensor([[1, 1]], [1.0, 2.0], (2,)).values(), RuntimeError, "uncoalesced"),
        (lambda: facula.ones(2).coalesce(), RuntimeError, "got Strided"),
        (lambda: matrix().crow_indices(), RuntimeError, "got Sparse"),
        (lambda: matrix().numpy(), TypeError, "to_dense"),
        (lambda: np.asarray(matrix()), TypeError, "to_dense"),
        (lambda: matrix().exp(), NotImplementedError, "aten::exp.*SparseCPU"),
        (lambda: facula.exp(matrix()), NotImplementedError, "aten::exp.*SparseCPU"),
        (lambda: facula.zeros(2, 3).copy_(matrix()), RuntimeError, "between dense and sparse"),
        (lambda: matrix() @ facula.ones(2, 2), RuntimeError, "2x3 and 2x2"),
        (lambda: matrix() + facula.ones(3, 2).to_sparse(), RuntimeError, "same size"),
    ],
)
def test_refusals(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_dense_and_sparse_meet_in_either_order():
    dense, whole = facula.arange(6.0).reshape(2, 3), facula.tensor(WHOLE)
    assert (dense + matrix()).tolist() == (dense + whole).tolist() == (matrix() + dense).tolist()
    assert (dense - matrix()).tolist() == (dense - whole).tolist()
    assert (dense * matrix()).to_dense().tolist() == (dense * whole).tolist()
    left, right = facula.arange(4.0).reshape(2, 2), facula.arange(6.0).reshape(3, 2)
    assert (left @ matrix()).tolist() == (left @ whole).tolist()
    assert (matrix() @ right).tolist() == (whole @ right).tolist()
    assert facula.mm(matrix(), matrix().t()).to_dense().tolist() == (whole @ whole.t()).tolist()
    total = dense.clone()
    total.add_(matrix(), alpha=2)
    assert total.tolist() == (dense + 2 * whole).tolist()


def test_changes_in_place():
    found = matrix()
    found.mul_(2).add_(matrix())
    assert found.to_dense().tolist() == (3 * facula.tensor(WHOLE)).tolist()
    assert found.zero_()._nnz() == 0


def test_copies_are_whole():
    for found in (copy.deepcopy(matrix()), pickle.loads(pickle.dumps(matrix())), matrix().clone()):
        assert found.to_dense().tolist() == WHOLE and found.layout is facula.sparse_coo


def test_the_gradient_of_a_sparse_leaf_is_sparse():
    leaf = matrix().requires_grad_()
    right = facula.arange(6.0).reshape(3, 2).requires_grad_()
    facula.sparse.mm(leaf, right).sum().backward()
    assert leaf.grad.layout is facula.sparse_coo
    assert leaf.grad.coalesce().values().tolist() == [9.0, 1.0, 9.0]
    assert right.grad.tolist() == [[4.0, 4.0], [0.0, 0.0], [8.0, 8.0]]


@pytest.mark.parametrize(
    "function",
    [
        lambda values: facula.sparse_coo_tensor(INDICES, values, SIZE).to_dense(),
        lambda values: facula.sparse_coo_tensor([[0, 0, 1]], values, (2,)).coalesce().values(),
        lambda values: (
            facula.sparse_coo_tensor(INDICES, values, SIZE) * facula.arange(6.0).double().reshape(2, 3)
        ).to_dense(),
        lambda values: facula.sparse.mm(facula.sparse_coo_tensor(INDICES, values, SIZE), facula.ones(3, 2).double()),
        lambda values: facula.sparse.softmax(facula.sparse_coo_tensor(INDICES, values, SIZE), 1).to_dense(),
        lambda values: facula.sparse.log_softmax(facula.sparse_coo_tensor(INDICES, values, SIZE), 0).to_dense(),
        lambda values: facula.sparse.sum(facula.sparse_coo_tensor(INDICES, values, SIZE), 0).to_dense(),
        lambda values: facula.sparse_csr_tensor([0, 1, 3], [2, 0, 2], values, SIZE).t().to_dense(),
        lambda values: facula.sparse_coo_tensor(INDICES, values, SIZE).sqrt().to_dense(),
    ],
)
def test_first_and_second_derivatives(function):
    values = facula.tensor([3.0, 4.0, 5.0], dtype=facula.float64, requires_grad=True)
    assert facula.autograd.gradcheck(function, (values,))
    assert facula.autograd.gradgradcheck(function, (values,))


@pytest.mark.parametrize("name", ["Embedding", "EmbeddingBag"])
def test_rows_that_were_looked_up_are_the_gradient(name):
    facula.manual_seed(0)
    layer = getattr(facula.nn, name)(6, 3, sparse=True)
    dense = getattr(facula.nn, name)(6, 3)
    dense.load_state_dict(layer.state_dict())
    index = facula.tensor([[0, 1, 2], [2, 5, 0]])
    for module in (layer, dense):
        module(index).pow(2).sum().backward()
        module(index).sum().backward()
    assert layer.weight.grad.is_sparse and not dense.weight.grad.is_sparse
    # Sums of several rows in another order, some of which cancel.
    np.testing.assert_allclose(layer.weight.grad.to_dense().numpy(), dense.weight.grad.numpy(), rtol=1e-6, atol=1e-6)


def test_dense_gradients_are_added_to_sparse_ones_in_any_order():
    layer = facula.nn.Embedding(4, 2, sparse=True)
    index = facula.tensor([1, 3, 1])
    expected = facula.zeros(4, 2).index_add(0, index, facula.ones(3, 2)) + 2 * layer.weight.detach()
    for order in (0, 1):
        layer.weight.grad = None
        losses = [layer(index).sum(), (layer.weight**2).sum()]
        losses[order].backward()
        losses[1 - order].backward()
        np.testing.assert_allclose(layer.weight.grad.numpy(), expected.numpy(), rtol=1e-6)
    layer.weight.grad = None
    ((layer.weight**2).sum() + layer(index).sum() + layer(index).sum() + layer.weight.sum()).backward()
    twice = expected + facula.zeros(4, 2).index_add(0, index, facula.ones(3, 2)) + 1
    np.testing.assert_allclose(layer.weight.grad.numpy(), twice.numpy(), rtol=1e-6)


def test_padding_has_no_gradient_and_frequencies_are_refused():
    layer = facula.nn.Embedding(4, 2, padding_idx=1, sparse=True)
    layer(facula.tensor([1, 3, 1])).sum().backward()
    assert layer.weight.grad._indices().tolist() == [[3]]
    scaled = facula.nn.Embedding(4, 2, scale_grad_by_freq=True, sparse=True)
    with pytest.raises(RuntimeError, match="scale_grad_by_freq"):
        scaled(facula.tensor([1])).sum().backward()


def test_nothing_is_left_after_backward():
    layer = facula.nn.Embedding(4, 2, sparse=True)
    layer(facula.tensor([1, 3])).sum().backward()
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            layer.weight.grad = None
            layer(facula.tensor([1, 3])).pow(2).sum().backward()
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_dense_programs_do_not_load_the_module():
    program = (
        "import facula, sys; l = facula.nn.Embedding(3, 2); l(facula.tensor([1])).sum().backward(); "
        "sys.exit('facula.sparse' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
