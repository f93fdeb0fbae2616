"""Helpers for modules do what PyTorch's do: skipped where PyTorch is not installed."""

import copy
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

import facula
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torch.nn.utils.prune")


def flat(result: Any) -> list[Any]:
    if isinstance(result, (list, tuple)):
        return [each for part in result for each in flat(part)]
    return [result.detach().numpy()] if hasattr(result, "detach") else [result]


def x(m: ModuleType, *shape: int) -> Any:
    return m.tensor(np.random.default_rng(0).standard_normal(shape).astype(np.float32))


def steps(m: ModuleType, layer: Any, *shape: int) -> list[Any]:
    """Return a result, the gradients, and the state of a layer."""
    result = layer(x(m, *shape))
    result.square().sum().backward()
    state = layer.state_dict()
    return [result, [each.grad for each in layer.parameters()], list(state), list(state.values())]


def weight_norms(m: ModuleType) -> list[Any]:
    found = []
    for dim in (0, 1, None):
        found += steps(m, m.nn.utils.parametrizations.weight_norm(m.nn.Linear(6, 4), dim=dim), 2, 6)
    layer = m.nn.utils.weight_norm(m.nn.Linear(6, 4))
    found += steps(m, layer, 2, 6)
    newer = m.nn.utils.parametrizations.weight_norm(m.nn.Linear(6, 4))
    newer.load_state_dict(layer.state_dict())
    m.nn.utils.remove_weight_norm(layer)
    return [*found, newer.weight, layer.weight, list(layer.state_dict())]


def spectral_norms(m: ModuleType) -> list[Any]:
    found = steps(m, m.nn.utils.parametrizations.spectral_norm(m.nn.Linear(6, 4)), 2, 6)
    found += steps(m, m.nn.utils.parametrizations.spectral_norm(m.nn.ConvTranspose1d(3, 4, 2)), 2, 3, 5)
    layer = m.nn.utils.spectral_norm(m.nn.Linear(6, 4))
    found += steps(m, layer, 2, 6)
    state = layer.state_dict()
    layer.load_state_dict(state)
    m.nn.utils.remove_spectral_norm(layer)
    return [*found, dict(state._metadata), layer.weight, list(layer.state_dict())]


def orthogonal_matrices(m: ModuleType) -> list[Any]:
    found = []
    for kind in (None, "matrix_exp", "cayley", "householder"):
        for shape in ((6, 6), (6, 4), (6, 9)):
            for trivial in (True, False):
                layer = m.nn.Linear(*shape)
                m.nn.utils.parametrizations.orthogonal(layer, orthogonal_map=kind, use_trivialization=trivial)
                found += steps(m, layer, 2, 6)
                if trivial:
                    with m.no_grad():
                        layer.weight = m.nn.init.orthogonal_(m.empty(*shape[::-1]))
                    found.append(layer.weight)
    return found


def own_parametrizations(m: ModuleType) -> list[Any]:
    class Symmetric(m.nn.Module):
        def forward(self, x: Any) -> Any:
            return x.triu() + x.triu(1).transpose(-1, -2)

        def right_inverse(self, x: Any) -> Any:
            return x.triu()

    class Exponential(m.nn.Module):
        def forward(self, x: Any) -> Any:
            return x.matrix_exp()

    class Smaller(m.nn.Module):
        def forward(self, x: Any) -> Any:
            return x[:2]

    parametrize, layer = m.nn.utils.parametrize, m.nn.Linear(6, 6)
    parametrize.register_parametrization(layer, "weight", Symmetric())
    found = [str(layer), steps(m, layer, 2, 6)]
    layer.weight = m.ones(6, 6)
    found.append(layer.weight)
    parametrize.register_parametrization(layer, "weight", Exponential())
    found += [str(layer), layer.weight, parametrize.is_parametrized(layer), parametrize.is_parametrized(layer, "bias")]
    found.append(parametrize.type_before_parametrizations(layer).__name__)
    with pytest.raises(RuntimeError, match="right_inverse"):
        layer.weight = m.ones(6, 6)
    with parametrize.cached():
        found.append(layer.weight is layer.weight)
    found += [layer.weight is layer.weight, copy.deepcopy(layer).weight]
    other = m.nn.Linear(6, 6)
    parametrize.transfer_parametrizations_and_params(layer, other)
    found.append(other.weight)
    with pytest.raises(RuntimeError, match="[Ss]erialization"):
        layer.__getstate__()
    parametrize.remove_parametrizations(layer, "weight")
    found += [str(layer), layer.weight, isinstance(layer.weight, m.nn.Parameter), list(layer.state_dict())]
    for name, wrong in (("w", Symmetric()), ("weight", Smaller())):
        with pytest.raises(ValueError):
            parametrize.register_parametrization(layer, name, wrong)
    with pytest.raises(ValueError):
        parametrize.remove_parametrizations(layer, "weight")
    return found


def pruning(m: ModuleType) -> list[Any]:
    prune, layer, found = m.nn.utils.prune, m.nn.Linear(6, 4), []
    for method, arguments in (
        (prune.random_unstructured, (0.3,)),
        (prune.l1_unstructured, (3,)),
        (prune.ln_structured, (0.5, 2, 0)),
        (prune.random_structured, (2, 1)),
    ):
        method(layer, "weight", *arguments)
        found += [layer.weight, list(layer.state_dict())]
    found += [steps(m, layer, 2, 6), prune.is_pruned(layer)]
    prune.remove(layer, "weight")
    found += [layer.weight, prune.is_pruned(layer), list(layer.state_dict())]
    a, b = m.nn.Linear(3, 2), m.nn.Linear(2, 2)
    prune.global_unstructured([(a, "weight"), (b, "weight")], prune.L1Unstructured, amount=0.4)
    prune.identity(a, "bias")
    prune.custom_from_mask(b, "bias", m.tensor([1, 0]))
    found += [a.weight, b.weight, a.bias, b.bias, prune.L1Unstructured(2).prune(m.tensor([3.0, -1.0, 2.0]))]
    for amount, error in ((-1, ValueError), (7, ValueError), (1.5, ValueError), ("a", TypeError)):
        with pytest.raises(error):
            prune.l1_unstructured(m.nn.Linear(2, 2), "weight", amount)
    for wrong in (lambda: prune.ln_structured(m.nn.Linear(2, 2), "bias", 1, 2, 0), lambda: prune.remove(a, "w")):
        with pytest.raises(ValueError):
            wrong()
    return found


def other_tensors(m: ModuleType) -> list[Any]:
    layer = m.nn.BatchNorm1d(6)
    values = {"weight": m.full((6,), 2.0), "running_mean": m.ones(6)}
    result = m.nn.utils.stateless.functional_call(layer, values, x(m, 4, 6))
    with pytest.raises(RuntimeError, match="Missing"):
        m.nn.utils.stateless.functional_call(layer, values, x(m, 4, 6), strict=True)
    tied = m.nn.Sequential(m.nn.Linear(2, 2, bias=False), m.nn.Linear(2, 2, bias=False))
    tied[1].weight = tied[0].weight
    both = m.nn.utils.stateless.functional_call(tied, {"0.weight": m.ones(2, 2)}, m.ones(1, 2))
    return [result, values["running_mean"], layer.weight, layer.running_mean, both]


def initial_values(m: ModuleType) -> list[Any]:
    init = m.nn.init
    return [
        init.sparse_(m.empty(6, 5), 0.3),
        init.dirac_(m.empty(4, 2, 3)),
        init.dirac_(m.empty(4, 2, 3, 3), 2),
        init.normal(m.empty(3, 3)),
        init.uniform(m.empty(3, 3)),
        init.kaiming_uniform(m.empty(3, 3)),
        init.xavier_normal(m.empty(3, 3)),
        init.orthogonal(m.empty(3, 5)),
        init.sparse(m.empty(20, 3), 0.5),
        init.constant(m.empty(2), 3.0),
        init.eye(m.empty(2, 3)),
    ]


@pytest.mark.parametrize(
    "program",
    [
        weight_norms,
        spectral_norms,
        orthogonal_matrices,
        own_parametrizations,
        pruning,
        other_tensors,
        initial_values,
    ],
)
def test_same_as_pytorch(program: Callable[[ModuleType], list[Any]]) -> None:
    results = []
    for module in (torch, facula):
        module.manual_seed(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch's old names warn, and so do ours
            results.append(flat(program(module)))
    for at, (expected, found) in enumerate(zip(*results, strict=True)):
        if isinstance(expected, np.ndarray):
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5, err_msg=f"result {at}")
        else:
            assert found == expected, f"result {at}"
