"""Transforms of functions, alone and inside each other, and modules as functions."""

import facula
import pytest
from facula import func, nn


def test_gradients_of_any_order_and_in_any_argument() -> None:
    x, y = facula.tensor(2.0), facula.tensor(3.0)
    assert func.grad(lambda x, y: x**2 * y)(x, y).item() == 12.0
    assert [each.item() for each in func.grad(lambda x, y: x**2 * y, argnums=(0, 1))(x, y)] == [12.0, 4.0]
    assert func.grad(func.grad(func.grad(lambda x: x**4)))(x).item() == 48.0
    gradient, value = func.grad_and_value(lambda d: d["a"] * d["b"][0])({"a": x, "b": [y]})
    assert (gradient["a"].item(), gradient["b"][0].item(), value.item()) == (3.0, 2.0, 6.0)
    gradient, aux = func.grad(lambda x: (x**2, "kept"), has_aux=True)(x)
    assert (gradient.item(), aux) == (4.0, "kept")
    assert not gradient.requires_grad


def test_an_outer_backward_pass_goes_through() -> None:
    x = facula.tensor(2.0, requires_grad=True)
    func.grad(lambda x: x**3)(x).backward()
    assert x.grad.item() == 12.0


def test_products_with_jacobians() -> None:
    x, y = facula.tensor([1.0, 2.0]), facula.tensor([3.0, 4.0])
    value, product = func.vjp(lambda x, y: {"s": x * y, "t": x.sum()}, x, y)
    assert value["s"].tolist() == [3.0, 8.0]
    a, b = product({"s": facula.tensor([1.0, 0.0]), "t": facula.tensor(2.0)})
    assert (a.tolist(), b.tolist()) == ([5.0, 2.0], [1.0, 0.0])
    value, moved = func.jvp(lambda x, y: x * y, (x, y), (facula.ones(2), facula.zeros(2)))
    assert (value.tolist(), moved.tolist()) == ([3.0, 8.0], [3.0, 4.0])
    value, linear = func.linearize(lambda x: x.exp(), x)
    assert facula.allclose(linear(facula.ones(2)), value)


def test_jacobians_and_hessians() -> None:
    x = facula.tensor([1.0, 2.0])
    for transform in (func.jacrev, func.jacfwd):
        assert transform(lambda x: x**2)(x).tolist() == [[2.0, 0.0], [0.0, 4.0]]
        both = transform(lambda x, y: (x * y).sum(), argnums=(0, 1))(x, x + 2)
        assert [each.tolist() for each in both] == [[3.0, 4.0], [1.0, 2.0]]
    assert func.hessian(lambda x: x.prod() ** 2)(x).tolist() == [[8.0, 8.0], [8.0, 2.0]]
    assert func.jacrev(func.jacrev(lambda x: x**3))(x)[1, 1, 1].item() == 12.0


def test_maps_over_a_batch() -> None:
    x, y = facula.arange(6.0).reshape(2, 3), facula.arange(3.0)
    assert facula.vmap(facula.dot, in_dims=(0, None))(x, y).tolist() == [5.0, 14.0]
    assert facula.equal(facula.vmap(lambda x: x * 2, in_dims=1, out_dims=1)(x), x * 2)
    pair = facula.vmap(lambda d: (d["a"] + 1, d["a"].sum()), out_dims=(1, 0))({"a": x})
    assert (pair[0].shape, pair[1].tolist()) == ((3, 2), [3.0, 12.0])
    assert facula.equal(facula.vmap(facula.vmap(lambda x, y: x * y), (None, 0))(y, x), x * y)
    assert facula.vmap(lambda x: x if x.sum() > 4 else -x)(x)[0, 1].item() == -1.0


def test_gradients_of_each_example() -> None:
    facula.manual_seed(0)
    layer, x, target = nn.Linear(3, 1), facula.randn(4, 3), facula.randn(4, 1)
    parameters = {name: each.detach() for name, each in layer.named_parameters()}

    def loss(parameters, x, target):
        return (func.functional_call(layer, parameters, (x,)) - target).square().mean()

    found = func.vmap(func.grad(loss), in_dims=(None, 0, 0))(parameters, x, target)
    for index in range(4):
        expected = func.grad(loss)(parameters, x[index], target[index])
        assert all(facula.allclose(found[name][index], expected[name]) for name in expected)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: facula.vmap(lambda x: x)(3), ValueError, "non-Tensor"),
        (lambda: facula.vmap(lambda x, y: x)(facula.ones(2), facula.ones(3)), ValueError, r"sizes \[2, 3\]"),
        (lambda: facula.vmap(lambda x: x, in_dims=2)(facula.ones(2)), ValueError, "dimensionality 1"),
        (lambda: facula.vmap(lambda x: 1.0)(facula.ones(2)), ValueError, "must only return Tensors"),
        (lambda: facula.vmap(lambda x: x + facula.rand(1))(facula.ones(2)), RuntimeError, "randomness error mode"),
        (lambda: facula.vmap(lambda x: x, randomness="some"), RuntimeError, "Got some"),
        (lambda: func.grad(lambda x: x)(facula.ones(2)), RuntimeError, "scalar tensor, got tensor with 1 dims"),
        (lambda: func.grad(lambda x: x, argnums=1)(facula.ones(())), RuntimeError, "argnum=1"),
        (lambda: func.grad(lambda x: x)(facula.tensor(1)), RuntimeError, "floating-point"),
    ],
)
def test_mistakes_are_named(call, error, words) -> None:
    with pytest.raises(error, match=words):
        call()


def test_randomness_is_the_same_or_different() -> None:
    x = facula.zeros(3)
    same = facula.vmap(lambda x: x + facula.rand(()), randomness="same")(x)
    different = facula.vmap(lambda x: x + facula.rand(()), randomness="different")(x)
    assert len(set(same.tolist())) == 1 and len(set(different.tolist())) == 3


def test_modules_are_called_with_other_parameters() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    before = {name: each.clone() for name, each in model.state_dict().items()}
    zeros = {"0.weight": facula.zeros(2, 2), "0.bias": facula.ones(2)}
    model.eval()
    found = func.functional_call(model, (zeros, {"1.running_mean": facula.ones(2)}), facula.randn(3, 2))
    assert facula.allclose(found, facula.zeros(3, 2))
    assert all(facula.equal(each, before[name]) for name, each in model.state_dict().items())
    with pytest.raises(KeyError, match="missing"):
        func.functional_call(model, {"missing": facula.ones(1)}, facula.ones(1, 2))
    with pytest.raises(RuntimeError, match="Missing key"):
        func.functional_call(model, zeros, facula.ones(1, 2), strict=True)


def test_several_models_as_one() -> None:
    models = [nn.Linear(2, 3) for _ in range(4)]
    parameters, buffers = func.stack_module_state(models)
    assert (parameters["weight"].shape, buffers) == ((4, 3, 2), {})
    x = facula.randn(5, 2)
    found = func.vmap(lambda p: func.functional_call(models[0], p, (x,)))(parameters)
    assert all(facula.allclose(each, model(x)) for each, model in zip(found, models, strict=True))
    norm = func.replace_all_batch_norm_modules_(nn.Sequential(nn.BatchNorm1d(2)))
    assert norm[0].running_mean is None and not norm[0].track_running_stats
