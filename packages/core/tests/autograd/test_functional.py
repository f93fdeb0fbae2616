"""Jacobians, Hessians and their products, against closed forms and against each other."""

import facula
import pytest
from facula.autograd import functional


def cubes(x, y):
    return (x**3).sum() * y


def test_products_are_those_with_the_jacobian() -> None:
    def function(x, y):
        return x.sin() * y, (x * y).sum()

    x, y = facula.tensor([0.5, 1.0, 2.0]), facula.tensor([1.0, -1.0, 3.0])
    jacobian = functional.jacobian(function, (x, y))
    assert [[each.shape for each in row] for row in jacobian] == [[(3, 3), (3, 3)], [(3,), (3,)]]
    u = (facula.tensor([1.0, 2.0, 3.0]), facula.tensor(4.0))
    v = (facula.tensor([1.0, 0.0, -1.0]), facula.tensor([2.0, 1.0, 0.5]))
    outputs, left = functional.vjp(function, (x, y), u)
    assert facula.allclose(outputs[0], x.sin() * y)
    for index in range(2):
        assert facula.allclose(left[index], u[0] @ jacobian[0][index] + u[1] * jacobian[1][index])
    _, right = functional.jvp(function, (x, y), v)
    for index in range(2):
        assert facula.allclose(right[index], sum(jacobian[index][each] @ v[each] for each in range(2)), atol=1e-6)


def test_hessians_and_their_products() -> None:
    x, y = facula.tensor([1.0, 2.0]), facula.tensor(3.0)
    hessian = functional.hessian(cubes, (x, y))
    assert hessian[0][0].tolist() == [[18.0, 0.0], [0.0, 36.0]]
    assert hessian[0][1].tolist() == hessian[1][0].tolist() == [3.0, 12.0]
    assert hessian[1][1].tolist() == 0.0
    v = (facula.tensor([1.0, -1.0]), facula.tensor(2.0))
    for product in (functional.vhp, functional.hvp):
        value, found = product(cubes, (x, y), v)
        assert value.item() == 27.0
        assert [each.tolist() for each in found] == [[24.0, -12.0], -9.0]


def test_results_can_be_differentiated_again() -> None:
    x = facula.tensor([1.0, 2.0], requires_grad=True)
    functional.jacobian(lambda x: x**3, x, create_graph=True).sum().backward()
    assert x.grad.tolist() == [6.0, 12.0]
    assert not functional.jacobian(lambda x: x**3, x).requires_grad


def test_what_does_not_depend_is_zero_or_an_error() -> None:
    x = facula.tensor([1.0, 2.0])
    assert functional.jacobian(lambda x: facula.ones(2), x).tolist() == [[0.0, 0.0], [0.0, 0.0]]
    with pytest.raises(RuntimeError, match="Output 0"):
        functional.jacobian(lambda x: facula.ones(2), x, strict=True)
    with pytest.raises(RuntimeError, match="independent of input 1"):
        functional.vjp(lambda x, y: x, (x, x), x, strict=True)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda x: functional.vjp(lambda x: x, x), RuntimeError, "v can only be None"),
        (lambda x: functional.vjp(lambda x: x, x, facula.ones(3)), RuntimeError, r"\(2,\) but got \(3,\)"),
        (lambda x: functional.jvp(lambda x: x, (x, x), x), RuntimeError, "should be 2 but got 1"),
        (lambda x: functional.hessian(lambda x: x, x), RuntimeError, "single element"),
        (lambda x: functional.jacobian(lambda x: 1.0, x), TypeError, "must be a Tensor"),
        (lambda x: functional.jacobian(lambda x: x, [x]), TypeError, "must be a Tensor"),
    ],
)
def test_mistakes_are_named(call, error, words) -> None:
    with pytest.raises(error, match=words):
        call(facula.ones(2))
