"""Dual tensors: what is computed of them carries the product of the Jacobian and the tangent."""

import facula
import pytest
from facula.autograd import forward_ad


def dual(*values, tangent=None):
    x = facula.tensor(values, dtype=facula.float64)
    return forward_ad.make_dual(x, facula.ones_like(x) if tangent is None else facula.tensor(tangent).double())


def test_tangents_are_products_with_the_jacobian():
    x, v = facula.tensor([1.0, 2.0]).double(), facula.tensor([0.5, -1.0]).double()
    with forward_ad.dual_level():
        y = forward_ad.make_dual(x, v)
        primal, tangent = forward_ad.unpack_dual((y.exp() * y).cumsum(0))
    expected = facula.func.jvp(lambda z: (z.exp() * z).cumsum(0), (x,), (v,))
    facula.testing.assert_close((primal, tangent), expected)
    assert not primal.requires_grad and not tangent.requires_grad


def test_several_dual_tensors_add_up():
    with forward_ad.dual_level():
        x, y = dual(2.0, tangent=[1.0]), dual(5.0, tangent=[10.0])
        assert forward_ad.unpack_dual(x * y).tangent.tolist() == [5.0 + 20.0]
        assert forward_ad.unpack_dual(x).tangent.tolist() == [1.0]


def test_what_is_linear_or_constant_has_its_tangent():
    with forward_ad.dual_level():
        x = dual(2.0)
        assert forward_ad.unpack_dual(3 * x + 1).tangent.tolist() == [3.0]
        assert forward_ad.unpack_dual(facula.ones(1)).tangent is None
        weight = facula.ones(1).double().requires_grad_()
        assert forward_ad.unpack_dual(weight * 2).tangent is None


def test_a_tangent_can_be_differentiated_in_what_requires_gradients():
    weight = facula.tensor([3.0]).double().requires_grad_()
    with forward_ad.dual_level():
        primal, tangent = forward_ad.unpack_dual(weight * dual(2.0) ** 3)
    (gradient,) = facula.autograd.grad(tangent, weight)
    assert gradient.tolist() == [12.0] and primal.requires_grad


def test_what_cannot_be_is_refused():
    x = facula.ones(2)
    with pytest.raises(RuntimeError, match="no level exists"):
        forward_ad.make_dual(x, x)
    assert forward_ad.unpack_dual(x) == (x, None)
    with pytest.raises(RuntimeError, match="no level is entered"):
        forward_ad.exit_dual_level()
    with forward_ad.dual_level():
        with pytest.raises(RuntimeError, match="Nested"):
            forward_ad.enter_dual_level()
        with pytest.raises(ValueError, match="floating point or complex"):
            forward_ad.make_dual(x.long(), x.long())
        with pytest.raises(RuntimeError, match=r"\[2\] and facula.float32, but got \[3\]"):
            forward_ad.make_dual(x, facula.ones(3))
