"""Slopes of activations where there is no number."""

import math

import facula
import pytest


@pytest.mark.parametrize("name", ["softplus", "mish", "logsigmoid", "silu", "gelu", "tanh", "sigmoid"])
@pytest.mark.parametrize("dtype", [facula.float32, facula.float64])
def test_what_is_not_a_number_has_no_slope(name, dtype) -> None:
    x = facula.tensor([1.0, math.nan, 30.0], dtype=dtype, requires_grad=True)
    getattr(facula.nn.functional, name)(x).sum().backward()
    assert x.grad.isnan().tolist() == [False, True, False]
