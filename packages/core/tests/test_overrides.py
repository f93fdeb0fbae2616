"""Subclasses of Tensor, classes with __torch_function__, and modes."""

import copy
import pickle

import facula
import numpy as np
import pytest
from facula import nn, overrides
from facula.nn import functional as F


class Plain(facula.Tensor):
    """A subclass that overrides nothing itself."""


class Logging(facula.Tensor):
    calls: list = []

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        cls.calls.append(func)
        return super().__torch_function__(func, types, args, kwargs or {})


class Foreign:
    """Not a tensor; has its own mean."""

    table: dict = {}

    def __init__(self, value):
        self.value = value

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return cls.table[func](*args) if func in cls.table else NotImplemented


class Doubling(overrides.TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        return result * 2 if func is facula.Tensor.add or getattr(func, "__name__", "") == "ones" else result


@pytest.mark.parametrize(
    "call",
    [
        *(lambda x: x + 1, lambda x: 1 - x, lambda x: x @ x.mT, lambda x: x[0], lambda x: x.sum(), lambda x: x.T),
        *(lambda x: facula.exp(x), lambda x: F.relu(x), lambda x: facula.cat([x, x]), lambda x: x.detach()),
        *(lambda x: facula.zeros_like(x), lambda x: x.clone(), lambda x: x.to(facula.float64), lambda x: x.add_(1)),
        *(lambda x: x.max(0).values, lambda x: x.unbind()[1], lambda x: facula.ones(2, 2) * x, lambda x: x.data),
        *(lambda x: nn.Linear(2, 3)(x), lambda x: F.cross_entropy(x, facula.tensor([0, 1])), lambda x: x.view(-1)),
    ],
)
def test_results_have_the_class_of_the_argument(call) -> None:
    x = facula.tensor([[1.0, 2.0], [3.0, 4.0]])
    facula.manual_seed(0)
    mine = call(Plain(x.clone()))
    facula.manual_seed(0)
    expected = call(x.clone())
    assert type(mine) is Plain
    assert np.array_equal(mine.detach().numpy(), expected.detach().numpy())


def test_what_leaves_a_subclass_is_plain() -> None:
    x = Plain([1.0, 2.0])
    assert type(x.numpy()) is np.ndarray
    assert x.tolist() == [1.0, 2.0]
    assert repr(x) == "Plain([1., 2.])"
    assert type(x.as_subclass(facula.Tensor)) is facula.Tensor
    assert type(copy.deepcopy(x)) is type(pickle.loads(pickle.dumps(x))) is Plain


def test_gradients_pass_through_a_subclass() -> None:
    leaf = facula.tensor([1.0, 2.0], requires_grad=True)
    (leaf.as_subclass(Plain) ** 2).sum().backward()
    assert leaf.grad.tolist() == [2.0, 4.0]


def test_a_class_is_asked_about_functions_methods_and_operators() -> None:
    Logging.calls.clear()
    x = facula.ones(2, 2).as_subclass(Logging)
    assert all(type(each) is Logging for each in (facula.exp(x), x * 2, F.linear(x, facula.ones(3, 2))))
    assert Logging.calls[0] == facula.exp
    assert Logging.calls[2] == F.linear
    assert [call.__name__ for call in Logging.calls] == ["exp", "mul", "linear"]


def test_a_foreign_class_is_asked() -> None:
    Foreign.table = {facula.mean: lambda x: ("mean", x.value)}
    assert facula.mean(Foreign(3)) == ("mean", 3)
    with pytest.raises(TypeError, match="no implementation found for 'sum' on types that implement __torch_function__"):
        facula.sum(Foreign(3))


def test_the_subclass_is_asked_before_its_parent() -> None:
    asked = []

    class Parent(facula.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            asked.append((cls.__name__, [kind.__name__ for kind in types]))
            return super().__torch_function__(func, types, args, kwargs)

    class Child(Parent):
        pass

    assert type(facula.add(Parent([1.0]), Child([1.0]))) is Child
    assert asked == [("Child", ["Child", "Parent"])]


def test_a_mode_sees_functions_and_methods_and_leaves_no_trace() -> None:
    before = facula.Tensor.add
    with Doubling():
        assert facula.ones(2).tolist() == [2.0, 2.0]
        assert facula.tensor([1.0]).add(1).tolist() == [4.0]
    assert facula.Tensor.add is before
    assert facula.ones(2).tolist() == [1.0, 1.0]


def test_asking_can_be_switched_off() -> None:
    x = Plain([1.0])
    with overrides.DisableTorchFunctionSubclass():
        assert type(x + 1) is facula.Tensor
    assert type(x + 1) is Plain


@pytest.mark.parametrize(
    ("arguments", "shape"),
    [((), (0,)), ((2, 3), (2, 3)), (([1, 2],), (2,)), ((np.ones((2, 1)),), (2, 1)), ((facula.Size([4]),), (4,))],
)
def test_the_class_makes_tensors_of_the_default_type(arguments, shape) -> None:
    made = facula.Tensor(*arguments)
    assert (made.shape, made.dtype) == (shape, facula.float32)


def test_the_class_refuses_a_tensor_of_another_type() -> None:
    with pytest.raises(TypeError, match="expected float32"):
        facula.Tensor(facula.tensor([1]))


def test_own_functions_can_be_overridden() -> None:
    @overrides.wrap_torch_function(lambda x: (x,))
    def own(x):
        return "own"

    Foreign.table = {own: lambda x: "foreign"}
    assert (own(facula.ones(1)), own(Foreign(1))) == ("own", "foreign")
