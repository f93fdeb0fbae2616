"""class Tensor: what it knows of itself, and the table of its operations."""

from __future__ import annotations

from facula.methods import inplace, operator, reflected
from facula.ops import conversion
from facula.tensor_base import register_tensor_class
from facula.tensor_properties import TensorProperties


class Tensor(TensorProperties):
    """A multi-dimensional array of one element type that records what is done to it.

    Operations are functions of ``facula``; each line below hangs one of them on the class, also as an in-place method
    (``add_``) or an operator.
    """

    # conversion
    clone = conversion.clone
    contiguous = conversion.contiguous
    detach = conversion.detach
    _take_region = conversion.take_region
    _place_region = conversion.place_region
    _clear_region = conversion.clear_region

    # pointwise, elementary

    # comparison

    # reduction, cumulative

    # sorting

    # matmul, linear_algebra

    # shape, joining

    # indexing

    # activation, normalization

    # random


register_tensor_class(Tensor)
