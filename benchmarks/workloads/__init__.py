"""What is measured, a file for each family; `WORKLOADS` has all, by name.

A workload is a function of the framework, facula or PyTorch, that returns one step of work as a function without
arguments: both run the same lines, with the same inputs.
"""

from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import NamedTuple

Step = Callable[[], object]


class Workload(NamedTuple):
    """One line of the report."""

    name: str
    family: str
    make: Callable[[ModuleType], Step]


#: All workloads, in the order of the report.
WORKLOADS: dict[str, Workload] = {}

FAMILIES = ("calls", "elementwise", "reduction", "matmul", "linear_algebra", "convolution", "pooling", "sequence")
FAMILIES += ("optimizer", "model")


def workload(make: Callable[[ModuleType], Step]) -> Callable[[ModuleType], Step]:
    """Add a workload, named as its function and of the family its file is named for."""
    family = make.__module__.rpartition(".")[2]
    WORKLOADS[make.__name__] = Workload(make.__name__, family, make)
    return make


def load() -> dict[str, Workload]:
    """Return `WORKLOADS`, filled."""
    for family in FAMILIES:
        import_module(f"benchmarks.workloads.{family}")
    return WORKLOADS


def forward_and_backward(function: Callable[..., object], *leaves: object) -> Step:
    """Return a step that computes ``function()``, and its gradients with respect to ``leaves`` for a fixed gradient."""
    result = function()
    gradient = (result.detach() * 0 + 1).contiguous()  # type: ignore[attr-defined]  # a tensor of either framework

    def step() -> None:
        for leaf in leaves:
            leaf.grad = None  # type: ignore[attr-defined]
        function().backward(gradient)  # type: ignore[attr-defined]

    return step
