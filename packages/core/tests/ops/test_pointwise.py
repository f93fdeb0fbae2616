"""Elementwise operations where types meet, and at the ends of their domains."""

import math

import facula
import numpy as np
import pytest


@pytest.mark.parametrize("dtype", [facula.float16, facula.float32, facula.float64])
@pytest.mark.parametrize("function", [facula.xlogy, facula.special.xlog1py])
def test_a_number_has_no_say_in_the_type_of_logarithms(function, dtype) -> None:
    x = facula.tensor([0.0, 2.0], dtype=dtype)
    result = function(x, 3)
    assert result.dtype is dtype
    assert result.tolist() == function(x, facula.full_like(x, 3)).tolist()


def test_slopes_of_an_exponent_are_computed_in_the_type_of_the_result() -> None:
    x = facula.tensor([2.7], dtype=facula.float16)
    exponent = facula.tensor([9.0], requires_grad=True)
    x.pow(exponent).backward()
    base = float(x)
    assert exponent.grad.item() == pytest.approx(base**9 * math.log(base), rel=1e-6)


def test_slopes_with_logarithms_of_integers() -> None:
    x = facula.tensor([1.5], dtype=facula.float64, requires_grad=True)
    facula.xlogy(x, facula.tensor([7])).backward()
    assert x.grad.item() == pytest.approx(math.log(7), rel=1e-15)


@pytest.mark.parametrize(("dtype", "digits"), [("float16", 10), ("bfloat16", 7), ("float32", 23), ("float64", 52)])
def test_the_next_number_is_one_of_the_type(dtype, digits) -> None:
    one = facula.ones(2, dtype=getattr(facula, dtype))
    after = facula.nextafter(one, facula.full_like(one, 2))
    assert (after.double() - 1).tolist() == [2.0**-digits] * 2


def test_the_next_number_of_two_types() -> None:
    assert facula.nextafter(facula.tensor([1.0]), facula.tensor(2)).item() == np.nextafter(np.float32(1), np.float32(2))
    with pytest.raises(NotImplementedError, match="expected floating point tensors, got facula.int64 and facula.int64"):
        facula.nextafter(facula.tensor([1]), facula.tensor([2]))


def test_powers_of_two_beyond_the_range_of_the_type() -> None:
    assert facula.ldexp(facula.tensor([1.0], dtype=facula.float64), facula.tensor([200])).item() == 2.0**200
    assert facula.ldexp(facula.tensor([2.0**-100]), facula.tensor([200])).item() == 2.0**100
    small = facula.ldexp(facula.tensor([2.0**-14], dtype=facula.float16), facula.tensor([20]))
    assert small.dtype is facula.float16 and small.item() == 64
    assert facula.ldexp(facula.tensor([1, 2]), facula.tensor([3, 1 << 40])).tolist() == [8.0, math.inf]


def test_lerp_with_what_is_infinite_on_the_way() -> None:
    start = facula.tensor([math.inf, 1.0], requires_grad=True)
    end = facula.tensor([3.0, 2.0], requires_grad=True)
    weight = facula.tensor([0.75, 0.25], requires_grad=True)
    facula.lerp(start, end, weight).sum().backward()
    assert start.grad.tolist() == [0.25, 0.75]
    assert end.grad.tolist() == [0.75, 0.25]
    assert weight.grad.tolist() == [-math.inf, 1.0]


def test_sums_of_exponentials_with_what_is_infinite() -> None:
    for function in (facula.logaddexp, facula.logaddexp2):
        x = facula.tensor([1.0, -math.inf], requires_grad=True)
        other = facula.tensor([math.inf, 0.0], requires_grad=True)
        function(x, other).sum().backward()
        assert x.grad.tolist() == [0.0, 0.0] and other.grad.tolist() == [1.0, 1.0]


def test_the_slope_of_logit_ends_with_its_domain() -> None:
    x = facula.tensor([-0.5, 0.5, 1.5, 0.0], requires_grad=True)
    facula.logit(x).sum().backward()
    assert x.grad.isnan().tolist() == [True, False, True, False]
    assert x.grad[1].item() == 4 and x.grad[3].item() == math.inf


def test_gradients_of_half_precision_are_summed_in_single() -> None:
    rows = facula.full((4096, 3), 1.0, dtype=facula.float16)
    bias = facula.zeros(3, dtype=facula.float16, requires_grad=True)
    (rows + bias).backward(rows)
    assert bias.grad.tolist() == [4096.0] * 3
    noise = facula.tensor(np.random.default_rng(0).standard_normal((1001, 3)).astype(np.float16))
    exact = noise.double().sum(0)
    assert (noise.sum_to_size(3).double() - exact).abs().max().item() <= 2**-11 * exact.abs().max().item()
