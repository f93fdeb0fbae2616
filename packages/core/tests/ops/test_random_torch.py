"""Random numbers in tensors that lie otherwise in memory, and of initializers, bit for bit as PyTorch draws them."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import facula
import pytest

torch = pytest.importorskip("torch")


def turned(module: ModuleType) -> Any:
    return module.empty(2, 5, 9).permute(2, 0, 1)


CASES: dict[str, Callable[[Any], Any]] = {
    "uniform_": lambda module: turned(module).uniform_(-1, 2),
    "normal_": lambda module: turned(module).normal_(),
    "exponential_": lambda module: turned(module).exponential_(),
    "geometric_": lambda module: turned(module).geometric_(0.3),
    "cauchy_": lambda module: turned(module).cauchy_(),
    "log_normal_": lambda module: turned(module).log_normal_(),
    "random_": lambda module: module.empty(2, 5, 9)[:, ::2].transpose(0, 2).random_(0, 50),
    "bernoulli_": lambda module: turned(module).bernoulli_(0.3),
    "bernoulli_ of a tensor": lambda module: turned(module).bernoulli_(module.linspace(0, 1, 90).reshape(9, 2, 5)),
    "rand_like": lambda module: module.rand_like(module.ones(4, 5).t()),
    "randn_like": lambda module: module.randn_like(module.ones(4, 5).t()),
    "rand_like of a repeated row": lambda module: module.rand_like(module.ones(5).expand(4, 5)),
    "trunc_normal_": lambda module: module.nn.init.trunc_normal_(module.empty(30, 40), std=0.02, a=-0.03, b=0.05),
    "trunc_normal_ of a tail": lambda module: module.nn.init.trunc_normal_(module.empty(30, 40), a=1.0, b=2.0),
    "dropout of float16": lambda module: module.nn.functional.dropout(module.ones(100, dtype=module.float16), 0.3),
}


@pytest.mark.parametrize("name", CASES)
def test_bits(name: str) -> None:
    found = []
    for module in (torch, facula):
        module.manual_seed(7)
        found.append((CASES[name](module), module.rand(1)))
    for theirs, ours in zip(*found, strict=True):
        assert ours.numpy().tobytes() == theirs.contiguous().numpy().tobytes()


def test_numbers_like_a_turned_tensor_lie_as_it_does() -> None:
    assert facula.rand_like(facula.ones(4, 5).t()).stride() == (1, 5)
    kept = facula.randn_like(facula.ones(4, 5).t(), requires_grad=True, dtype=facula.float64)
    assert kept.stride() == (1, 5) and kept.requires_grad and kept.dtype is facula.float64
    assert facula.rand_like(facula.ones(4, 5).t(), memory_format=facula.contiguous_format).is_contiguous()
