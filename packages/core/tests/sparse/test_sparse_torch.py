"""Sparse tensors beside PyTorch's, when it is installed: results and texts of the same expressions."""

import re
import warnings
from types import ModuleType
from typing import Any

import facula
import pytest

torch = pytest.importorskip("torch")

EXPRESSIONS = """
S | S.double() | S.to(T.int32) | C | C.double() | S + S | U + U | D + S | S * D | D * S | S * S | S * 2 | S / 2 | 2 * S
-S | S - S | D - S | S ** 2 | S.sum() | S.sum(0) | T.sparse.sum(S) | T.sparse.sum(S, 0) | T.sparse.sum(S, [0, 1])
S.mm(E) | S @ E | E @ S | E.mm(S) | S @ T.ones(3) | T.sparse.mm(S, E) | T.sparse.mm(S, S.t()) | T.mm(S, S.t())
D.matmul(S.t()) | T.smm(S, E) | T.spmm(S, E) | C @ E | T.sparse.mm(C, E, 'mean') | T.sparse.mm(C, E, 'amax')
T.addmm(T.ones(2, 2), S, E) | T.sparse.addmm(T.ones(2, 2), S, E, beta=2.0, alpha=3.0)
T.sparse.sampled_addmm(C, T.ones(2, 2), T.ones(2, 3)) | S.t() | S.T | S[0] | S[0, 2] | S.unsqueeze(0) | C.t()
T.cat([S, S]) | T.stack([S, S]) | S.index_select(0, T.tensor([1])) | U.coalesce() | U.sqrt() | S.isnan() | T.relu(S)
T.tanh(S) | T.zeros_like(S) | S.norm() | C + C | C * 2 | D * C | C.sum() | C.to_sparse() | S.to_sparse_csc()
T.sparse.softmax(S, 1) | T.sparse.log_softmax(S, 1) | D.to_sparse(1) | D.to_sparse(layout=T.sparse_csr)
D.sparse_mask(S) | D.to_dense() | D.sparse_dim() | D.dense_dim() | S.to_dense() | C.t().to_dense() | S.is_coalesced()
D.clone().add_(S) | S.clone().add_(S) | S.clone().mul_(2) | S.clone().zero_() | C.crow_indices() | C.col_indices()
T.sparse_coo_tensor([[0, 1]], [[1.0, 2.0], [3.0, 4.0]]) | T.sparse_coo_tensor((2, 3)) | S.clone().requires_grad_()
""".replace("\n", "|").split("|")
REFUSED = """
U.indices() | U.values() | D.coalesce() | D.indices() | D.values() | D._nnz() | D.is_coalesced() | D.crow_indices()
C.indices() | S.crow_indices() | S.exp() | S.numpy() | S.item() | S.reshape(6) | S == S | S.mean()
T.sparse_coo_tensor([[0, 1]], [1.0, 2.0, 3.0], (2,)) | T.sparse_coo_tensor([[0, 1]], [1.0, 2.0], (2, 2))
""".replace("\n", "|").split("|")


def names(T: ModuleType) -> dict[str, Any]:
    S = T.sparse_coo_tensor([[0, 1, 1], [2, 0, 2]], [3.0, 4.0, 5.0], (2, 3))
    return {
        "T": T,
        "S": S,
        "U": T.sparse_coo_tensor([[0, 1, 1, 1], [2, 0, 2, 2]], [3.0, 4.0, 5.0, 1.0], (2, 3)),
        "C": S.to_sparse_csr(),
        "D": T.arange(6.0).reshape(2, 3),
        "E": T.arange(6.0).reshape(3, 2),
    }


def in_torch(expression: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch calls its CSR layout unfinished
        return eval(expression, names(torch))


@pytest.mark.parametrize("expression", [each.strip() for each in EXPRESSIONS if each.strip()])
def test_results_look_the_same(expression):
    expected = re.sub(r",\s+grad_fn=<\w+>", "", repr(in_torch(expression))).replace("torch.", "facula.")
    assert repr(eval(expression, names(facula))) == expected


@pytest.mark.parametrize("expression", [each.strip() for each in REFUSED if each.strip()])
def test_refusals_are_the_same(expression):
    with pytest.raises(Exception) as theirs:
        in_torch(expression)
    with pytest.raises(theirs.type) as mine:
        eval(expression, names(facula))
    assert str(mine.value)[:20] == str(theirs.value)[:20]
