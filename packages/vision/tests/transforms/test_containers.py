"""Tests of the transforms made of other transforms."""

import random

import facula
import pytest
from facula_vision.transforms import CenterCrop, Compose, Lambda, RandomApply, RandomChoice, RandomOrder, ToTensor


def add_one(number: int) -> int:
    return number + 1


def double(number: int) -> int:
    return number * 2


def test_compose_applies_in_order() -> None:
    assert Compose([add_one, double])(3) == 8
    assert Compose([])(3) == 3


def test_lambda_calls_the_function() -> None:
    assert Lambda(double)(4) == 8
    with pytest.raises(TypeError, match="Argument lambd should be callable, got 'int'"):
        Lambda(3)


def test_random_apply_draws_once_a_call() -> None:
    assert RandomApply([add_one, double], p=1.0)(3) == 8
    assert RandomApply([add_one, double], p=0.0)(3) == 3
    transform = RandomApply([add_one], p=0.5)
    facula.manual_seed(0)
    # PyTorch's numbers after this seed: 0.4963 0.7682 0.0885 0.1320 0.3074 0.6341.
    assert [transform(0) for _ in range(6)] == [1, 0, 1, 1, 1, 0]


def test_random_choice_applies_one() -> None:
    random.seed(0)
    transform = RandomChoice([add_one, double])
    assert {transform(5) for _ in range(50)} == {6, 10}
    assert {RandomChoice([add_one, double], p=[0.0, 1.0])(5) for _ in range(20)} == {10}
    with pytest.raises(TypeError, match="Argument p should be a sequence"):
        RandomChoice([add_one], p=1.0)
    with pytest.raises(TypeError, match="Argument transforms should be a sequence"):
        RandomChoice(add_one)


def test_random_order_applies_all() -> None:
    random.seed(0)
    transform = RandomOrder([add_one, double])
    assert {transform(5) for _ in range(50)} == {12, 11}


def test_representations() -> None:
    steps = [CenterCrop(2), ToTensor()]
    assert repr(Compose(steps)) == "Compose(\n    CenterCrop(size=(2, 2))\n    ToTensor()\n)"
    assert repr(Lambda(double)) == "Lambda()"
    assert (
        repr(RandomApply(steps, p=0.25)) == "RandomApply(\n    p=0.25\n    CenterCrop(size=(2, 2))\n    ToTensor()\n)"
    )
    assert repr(RandomChoice(steps)) == "RandomChoice(\n    CenterCrop(size=(2, 2))\n    ToTensor()\n)(p=None)"
    assert repr(RandomOrder(steps)) == "RandomOrder(\n    CenterCrop(size=(2, 2))\n    ToTensor()\n)"
