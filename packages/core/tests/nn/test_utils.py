"""Helpers for modules: what holds of them without anything to compare with."""

import facula
import pytest
from facula import nn
from facula.nn.utils import parametrizations, parametrize, prune
from facula.nn.utils.stateless import NamedMemberAccessor


def test_weight_norm_keeps_the_weight_and_its_gradient() -> None:
    layer = nn.Linear(3, 2)
    before = layer.weight.detach().clone()
    parametrizations.weight_norm(layer)
    assert facula.allclose(layer.weight, before)
    layer.weight.sum().backward()
    assert layer.parametrizations.weight.original0.grad.shape == (2, 1)
    with facula.no_grad():
        layer.parametrizations.weight.original0.mul_(2)
    assert facula.allclose(layer.weight, 2 * before)


@pytest.mark.parametrize("kind", ["matrix_exp", "cayley", "householder"])
@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (3, 5)])
def test_orthogonal_stays_so_while_training(kind: str, shape: tuple[int, int]) -> None:
    layer = parametrizations.orthogonal(nn.Linear(*shape, dtype=facula.float64), orthogonal_map=kind)
    optimizer = facula.optim.SGD(layer.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        layer(facula.ones(2, shape[0], dtype=facula.float64)).square().sum().backward()
        optimizer.step()
    weight = layer.weight if layer.weight.shape[0] >= layer.weight.shape[1] else layer.weight.t()
    assert facula.allclose(weight.t() @ weight, facula.eye(min(shape), dtype=facula.float64), atol=1e-10)


def test_spectral_norm_has_largest_singular_value_one() -> None:
    layer = parametrizations.spectral_norm(nn.Linear(6, 4), n_power_iterations=30)
    layer(facula.ones(1, 6))
    assert facula.linalg.svdvals(layer.weight)[0].item() == pytest.approx(1, abs=1e-4)


def test_a_parametrized_buffer_and_the_way_back() -> None:
    class Double(nn.Module):
        def forward(self, x: facula.Tensor) -> facula.Tensor:
            return 2 * x

    module = nn.BatchNorm1d(3)
    parametrize.register_parametrization(module, "running_var", Double())
    assert module.running_var.tolist() == [2, 2, 2]
    assert "parametrizations.running_var.original" in dict(module.named_buffers())
    parametrize.remove_parametrizations(module, "running_var", leave_parametrized=False)
    assert module.running_var.tolist() == [1, 1, 1] and type(module) is nn.BatchNorm1d


def test_pruned_weights_stay_zero_in_training() -> None:
    layer = nn.Linear(4, 3)
    prune.l1_unstructured(layer, "weight", 0.5)
    optimizer = facula.optim.SGD(layer.parameters(), lr=0.1)
    layer(facula.ones(1, 4)).sum().backward()
    optimizer.step()
    layer(facula.ones(1, 4))
    assert int((layer.weight == 0).sum()) == 6


def test_modules_without_initial_values_take_no_random_numbers() -> None:
    facula.manual_seed(0)
    expected = facula.rand(3)
    facula.manual_seed(0)
    layer = nn.utils.skip_init(nn.Linear, 5, 2)
    assert layer.weight.shape == (2, 5) and facula.rand(3).equal(expected)
    with pytest.raises(RuntimeError, match="device"):
        nn.utils.skip_init(nn.ReLU)


def test_layout_of_convolutions() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 2), nn.Conv3d(3, 4, 2))
    before = model[0].weight.detach().clone()
    nn.utils.convert_conv2d_weight_memory_format(model, facula.channels_last)
    assert model[0].weight.is_contiguous(memory_format=facula.channels_last)
    assert model[0].weight.equal(before) and model[1].weight.is_contiguous()


def test_tensors_by_their_names() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    accessor = NamedMemberAccessor(model)
    bias = model[0].bias
    assert accessor.get_tensor("0.bias") is bias
    new = facula.ones(2)
    assert accessor.swap_tensor("0.bias", new) is bias and model[0].bias is new
    missing, unexpected = accessor.check_keys(["0.weight", "0.bias", "2.weight"])
    assert unexpected == ["2.weight"] and "1.running_mean" in missing
    before, absent = accessor.swap_tensors_dict({"0.bias": bias, "3.bias": bias}, allow_missing=True)
    assert before == {"0.bias": new} and absent == ["3.bias"]
    with pytest.raises(RuntimeError, match="Missing"):
        accessor.swap_tensors_dict({"3.bias": bias})
    relu = nn.ReLU()
    accessor.swap_submodule("1", relu)
    assert model[1] is relu


def test_old_names_warn() -> None:
    with pytest.warns(FutureWarning, match="normal_"):
        nn.init.normal(facula.empty(2))
    with pytest.warns(FutureWarning, match="weight_norm"):
        nn.utils.weight_norm(nn.Linear(2, 2))
    with pytest.warns(FutureWarning, match="functional_call"):
        nn.utils.stateless.functional_call(nn.ReLU(), {}, facula.ones(1))
    with pytest.warns(FutureWarning, match="Container"):
        assert [name for name, _ in nn.Container(a=nn.ReLU()).named_children()] == ["a"]
    with pytest.warns(FutureWarning, match="NLLLoss"):
        nn.NLLLoss2d()
