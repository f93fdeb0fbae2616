"""Which operations have a sparse form, by the name that PyTorch gives them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from facula import dtypes
from facula.ops import activation, comparison, complex_numbers, elementary, layouts, pointwise, rounding, special
from facula.sparse import construction, elementwise, products
from facula.sparse.tensor import SparseTensor, to_dense
from facula.tensor import Tensor

#: Operations that ask a tensor only for its shape, type or place in the graph.
METADATA = frozenset(
    "size dim ndimension numel nelement element_size get_device is_floating_point is_complex is_inference is_conj "
    "is_neg is_same_size register_hook retain_grad backward register_post_accumulate_grad_hook type is_shared "
    "share_memory_ __hash__".split()
)


def _dense(input: SparseTensor, dtype: dtypes.dtype | None = None, *, masked_grad: bool | None = None) -> Tensor:
    whole = to_dense(input)
    return whole if dtype is None else whole.to(dtype)


def _cpu(input: SparseTensor, memory_format: object = None) -> Tensor:
    return input


def _refuse_reshape(input: SparseTensor, *shape: Any) -> Tensor:
    raise RuntimeError("reshape is not implemented for sparse tensors")


def _refuse_numpy(input: SparseTensor, *, force: bool = False) -> Any:
    return input.__array__()


def _refuse_item(input: SparseTensor) -> Any:
    if input.numel() != 1:
        raise RuntimeError(f"a Tensor with {input.numel()} elements cannot be converted to Scalar")
    return to_dense(input).item()


TABLE: dict[str, Callable[..., Any]] = {
    # layouts
    "ccol_indices": layouts.ccol_indices,
    "coalesce": construction.coalesce,
    "col_indices": layouts.col_indices,
    "crow_indices": layouts.crow_indices,
    "dense_dim": lambda input: len(input._pattern.shape) - input._pattern.sparse_dim,
    "indices": construction.indices,
    "is_coalesced": construction.is_coalesced,
    "row_indices": layouts.row_indices,
    "sparse_dim": lambda input: input._pattern.sparse_dim,
    "sparse_mask": elementwise.sparse_mask,
    "to_dense": _dense,
    "to_sparse": construction.to_sparse,
    "to_sparse_coo": layouts.to_sparse_coo,
    "to_sparse_csc": layouts.to_sparse_csc,
    "to_sparse_csr": layouts.to_sparse_csr,
    "values": construction.values,
    # copies and types
    "clone": elementwise.clone,
    "contiguous": _cpu,
    "cpu": _cpu,
    "detach": elementwise.detach,
    "requires_grad_": elementwise.requires_grad_,
    "to": elementwise.to,
    "type_as": lambda input, other: elementwise.to(input, other.dtype),
    "zeros_like": elementwise.zeros_like,
    "empty_like": elementwise.zeros_like,
    # arithmetic
    "add": elementwise.add,
    "add_": elementwise.inplace(elementwise.add),
    "copy_": elementwise.copy_,
    "div": elementwise.div,
    "div_": elementwise.inplace(elementwise.div),
    "true_divide": elementwise.div,
    "mul": elementwise.mul,
    "mul_": elementwise.inplace(elementwise.mul),
    "multiply": elementwise.mul,
    "pow": elementwise.power,
    "sub": elementwise.sub,
    "sub_": elementwise.inplace(elementwise.sub),
    "zero_": elementwise.zero_,
    # shape
    "cat": elementwise.cat,
    "index_select": elementwise.index_select,
    "select": elementwise.select,
    "stack": elementwise.stack,
    "t": elementwise.t,
    "transpose": elementwise.transpose,
    "unsqueeze": elementwise.unsqueeze,
    # products and sums
    "addmm": products.addmm,
    "matmul": products.matmul,
    "mm": products.mm,
    "mv": products.matmul,
    "norm": products.norm,
    "linalg_norm": products.norm,
    "smm": products.smm,
    "spmm": products.mm,
    "sum": products.reduced_sum,
    "sum_to_size": products.sum_to_size,
    # refused in words of their own
    "item": _refuse_item,
    "numpy": _refuse_numpy,
    "reshape": _refuse_reshape,
    "reshape_method": _refuse_reshape,
}
for _name in "double float half bfloat16 int long short char byte bool cfloat cdouble".split():
    _types = {"char": "int8", "byte": "uint8", "bool": "bool_"}
    TABLE[_name] = elementwise.converted(getattr(dtypes, _types.get(_name, _name)))
for _module in (activation, comparison, complex_numbers, elementary, pointwise, rounding, special):
    for _name in """
        abs absolute asin asinh atan atanh arcsin arcsinh arctan arctanh ceil deg2rad erf erfinv expm1 floor frac log1p
        nan_to_num rad2deg relu round sgn sign sin sinh sqrt square tan tanh trunc fix isnan isinf signbit
    """.split():
        if hasattr(_module, _name):
            TABLE.setdefault(_name, elementwise.zero_preserving(getattr(_module, _name)))
    for _name in ("neg", "negative", "real", "imag", "conj", "positive"):
        if hasattr(_module, _name):
            TABLE.setdefault(_name, elementwise.linear(getattr(_module, _name)))
TABLE["neg_"] = elementwise.inplace(TABLE["neg"])
