"""Outputs of inner layers: by layer, by use, of operations, and what is refused."""

import copy

import facula
import pytest
from facula import Tensor, nn
from facula_vision.models import resnet18
from facula_vision.models.feature_extraction import create_feature_extractor, get_graph_node_names


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 3)
        self.relu = nn.ReLU()
        self.fails = nn.Linear(7, 7)

    def forward(self, x: Tensor) -> Tensor:
        first = self.relu(self.linear(x))
        second = self.relu(first - 1)
        second += first
        return self.fails(second)


def test_outputs_of_layers_uses_and_operations() -> None:
    block, x = Block(), facula.randn(2, 3)
    nodes = {"relu": "first", "relu_1": "second", "sub": "less", "add": "sum"}
    found = create_feature_extractor(block, nodes)(x)
    first = block.linear(x).relu()
    expected = {"first": first, "second": (first - 1).relu(), "less": first - 1, "sum": (first - 1).relu() + first}
    assert list(found) == list(expected)
    assert facula.equal(found["first"], expected["first"])
    assert facula.equal(found["less"], expected["less"])
    assert facula.equal(found["sum"], expected["sum"])


def test_layers_are_shared_and_their_gradients() -> None:
    model = resnet18()
    body = create_feature_extractor(model, ["layer1", "avgpool"])
    assert list(body.state_dict()) == list(model.state_dict())
    assert body.layer1 is model.layer1
    body(facula.randn(2, 3, 32, 32))["avgpool"].sum().backward()
    assert model.conv1.weight.grad is not None
    assert model.fc.weight.grad is None
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_training_and_evaluation_have_nodes_of_their_own() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(), nn.Linear(2, 2)).eval()
    body = create_feature_extractor(model, train_return_nodes=["0"], eval_return_nodes=["2"])
    x = facula.ones(1, 2)
    assert list(body(x)) == ["2"]
    body.train()
    assert list(body(x)) == ["0"]
    twin = copy.deepcopy(body).eval()
    assert facula.equal(twin(x)["2"], model.eval()(x))


def test_names() -> None:
    train, evaluation = get_graph_node_names(Block())
    assert train == evaluation == ["x", "linear", "relu", "fails"]


def test_what_is_refused() -> None:
    block = Block()
    with pytest.raises(ValueError, match="'body.relu' is not present"):
        create_feature_extractor(block, ["body.relu"])
    with pytest.raises(ValueError, match="expected return_nodes"):
        create_feature_extractor(block, train_return_nodes=["relu"])
    with pytest.raises(ValueError, match="not both"):
        create_feature_extractor(block, ["relu"], ["relu"], ["relu"])
    with pytest.raises(ValueError, match="without passing \\['flatten'\\]"):
        create_feature_extractor(nn.Sequential(nn.ReLU()), ["flatten"])(facula.zeros(1))
