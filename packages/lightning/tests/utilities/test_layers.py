"""Groups of layers: learning rates of their own, and freezing."""

from __future__ import annotations

import facula
import pytest
from facula import nn
from facula_lightning import Learner
from facula_lightning.utilities import discriminative_lrs, freeze_to, layer_groups
from facula_lightning.utilities.layers import even_rates


class Tokens(nn.Module):
    """Has a parameter of its own beside its layers, two of which share a weight."""

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(facula.zeros(4))
        self.body = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
        self.head = nn.Linear(4, 4)
        self.tied = nn.Linear(4, 4)
        self.tied.weight = self.head.weight


def test_groups_are_the_parts_in_order() -> None:
    model = Tokens()
    groups = layer_groups(model)
    assert [len(group) for group in groups] == [2, 1, 1]
    assert groups[0][0] is model.token and groups[0][1] is model.body and groups[2] == [model.tied]
    assert layer_groups(nn.Sequential(model)) == groups
    layer = nn.Linear(2, 1)
    assert layer_groups(layer) == [[layer.weight, layer.bias]]


def test_rates_grow_from_the_first_to_the_last() -> None:
    # fastai's even_mults and slices.
    assert even_rates(slice(1e-5, 1e-1), 5) == pytest.approx([1e-5, 1e-4, 1e-3, 1e-2, 1e-1])
    assert even_rates(slice(0.1), 3) == pytest.approx([0.01, 0.01, 0.1])
    assert even_rates(slice(1e-3, 1e-1), 1) == [1e-1]
    assert even_rates(0.1, 2) == [0.1, 0.1] and even_rates([1.0, 2.0], 2) == [1.0, 2.0]
    for wrong in (slice(None), slice(1, 2, 3), [1.0]):
        with pytest.raises(ValueError, match="expected"):
            even_rates(wrong, 2)
    model = Tokens()
    optimizer = facula.optim.SGD(discriminative_lrs(model, slice(1e-4, 1e-2)), lr=1.0)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([1e-4, 1e-3, 1e-2])
    assert [len(group["params"]) for group in optimizer.param_groups] == [5, 2, 1]
    given = discriminative_lrs(model, slice(1e-4, 1e-2), groups=[[model.body], [model.head, model.tied]])
    assert [(len(group["params"]), group["lr"]) for group in given] == [(4, 1e-4), (3, 1e-2)]


def test_layers_move_by_their_own_rates() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    with facula.no_grad():
        for parameter in model.parameters():
            parameter.fill_(0.5)
    before = [each.detach().clone() for each in model.parameters()]
    learner = Learner(model)
    # Adam's first step is the rate, wherever there is a gradient.
    learner.compile("adam", "mse", lr=slice(1e-4, 1e-2))
    learner.fit(facula.ones(4, 3), facula.zeros(4, 3), verbose=0)
    moved = [(first - second).abs().mean().item() for first, second in zip(before, model.parameters())]
    assert moved == pytest.approx([1e-4, 1e-4, 1e-2, 1e-2], rel=1e-3)


def test_freezing() -> None:
    def trained(model: nn.Module) -> list[str]:
        return [name for name, parameter in model.named_parameters() if parameter.requires_grad]

    model = Tokens()
    norm = ["body.1.weight", "body.1.bias"]
    freeze_to(model, -1)
    assert trained(model) == [*norm, "head.weight", "tied.bias"]
    freeze_to(model, 1)
    assert trained(model) == [*norm, "head.weight", "head.bias", "tied.bias"]
    freeze_to(model, 1, train_bn=False)
    assert trained(model) == ["head.weight", "head.bias", "tied.bias"]
    freeze_to(model, 0)
    assert trained(model) == [name for name, _ in model.named_parameters()]
    freeze_to(model, 3)
    assert trained(model) == norm
    for wrong in (4, -4):
        with pytest.raises(IndexError, match="there are 3 groups"):
            freeze_to(model, wrong)


def test_a_learner_trains_what_is_not_frozen() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1))
    learner = Learner(model)
    learner.compile("adam", "mse")
    for change, moves in ((learner.freeze, [False, True]), (learner.unfreeze, [True, True])):
        change()
        before = [each.weight.detach().clone() for each in model]
        learner.fit(facula.ones(4, 3), facula.zeros(4, 1), verbose=0)
        assert [not facula.equal(first, layer.weight) for first, layer in zip(before, model)] == moves
    learner.freeze_to(1)
    assert [each.requires_grad for each in model.parameters()] == [False, False, True, True]
