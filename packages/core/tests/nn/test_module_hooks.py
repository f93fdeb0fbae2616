"""Hooks that see what modules are given, and what backward hooks may return."""

from collections.abc import Iterator

import facula
import pytest
from facula import nn
from facula.nn.modules import module as module_names


@pytest.fixture
def handles() -> Iterator[list]:
    """A list of handles of hooks of all modules, which are removed after the test."""
    made: list = []
    yield made
    for each in made:
        each.remove()


def test_registrations_are_seen_and_may_be_replaced(handles) -> None:
    seen = []

    def see(module: nn.Module, name: str, value: object) -> None:
        seen.append((type(module).__name__, name, type(value).__name__))

    handles += [
        module_names.register_module_parameter_registration_hook(see),
        module_names.register_module_buffer_registration_hook(see),
        module_names.register_module_module_registration_hook(see),
    ]
    net = nn.Sequential(nn.Linear(2, 3, bias=False), nn.BatchNorm1d(3, affine=False))
    assert ("Linear", "weight", "Parameter") in seen
    assert ("BatchNorm1d", "running_mean", "Tensor") in seen
    assert ("Sequential", "0", "Linear") in seen and ("Sequential", "1", "BatchNorm1d") in seen

    def share(module: nn.Module, name: str, value: nn.Module) -> nn.Module | None:
        return net[0] if isinstance(value, nn.Linear) else None

    handles.append(module_names.register_module_module_registration_hook(share))
    other = nn.Module()
    other.child = nn.Linear(5, 5)
    assert other.child is net[0]
    other.buffer = nn.Buffer(facula.ones(2))
    assert seen[-1] == ("Module", "buffer", "Tensor") or seen[-1][1] == "buffer"


def test_a_module_has_backward_hooks_of_one_kind() -> None:
    def nothing(*arguments: object) -> None:
        return None

    for first, second in (
        ("register_backward_hook", "register_full_backward_hook"),
        ("register_full_backward_hook", "register_backward_hook"),
    ):
        layer = nn.Linear(2, 2)
        handle = getattr(layer, first)(nothing)
        with pytest.raises(RuntimeError, match="Cannot use both regular backward hooks and full backward hooks"):
            getattr(layer, second)(nothing)
        handle.remove()
        getattr(layer, second)(nothing)


def test_backward_hooks_return_as_many_gradients_as_there_are() -> None:
    x = facula.ones(1, 2, requires_grad=True)
    layer = nn.Linear(2, 2)
    layer.register_full_backward_hook(lambda module, grad_input, grad_output: (grad_input[0], grad_input[0]))
    with pytest.raises(RuntimeError, match="invalid number of grad_input, got 2, but expected 1"):
        layer(x).sum().backward()
    layer = nn.Linear(2, 2)
    layer.register_full_backward_pre_hook(lambda module, grad_output: (grad_output[0], grad_output[0]))
    with pytest.raises(RuntimeError, match="invalid number of grad_output, got 2, but expected 1"):
        layer(x).sum().backward()


def test_what_loading_returns_is_named_as_in_pytorch() -> None:
    layer = nn.Linear(2, 2)
    assert repr(layer.load_state_dict(layer.state_dict())) == "<All keys matched successfully>"
    found = layer.load_state_dict({}, strict=False)
    assert repr(found) == "_IncompatibleKeys(missing_keys=['weight', 'bias'], unexpected_keys=[])"
    assert isinstance(found, module_names._IncompatibleKeys)
