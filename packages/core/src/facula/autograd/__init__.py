"""Gradients: of whole graphs, of functions of one's own, and checks of them."""

from importlib import import_module
from typing import TYPE_CHECKING

from facula.autograd import function
from facula.autograd.function import Function
from facula.autograd.gradcheck import GradcheckError, gradcheck, gradgradcheck
from facula.autograd.modes import detect_anomaly, set_detect_anomaly
from facula.graph.backward import backward, grad
from facula.graph.modes import enable_grad, inference_mode, no_grad, set_grad_enabled
from facula.tensor import Tensor as Variable

if TYPE_CHECKING:
    from facula.autograd import forward_ad, functional, graph

__all__ = [
    "Function",
    "GradcheckError",
    "Variable",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "forward_ad",
    "function",
    "functional",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "graph",
    "inference_mode",
    "no_grad",
    "set_detect_anomaly",
    "set_grad_enabled",
    "set_multithreading_enabled",
]


class set_multithreading_enabled:
    """Setting that is kept: the backward pass runs in the thread that asks for it. A function, and a context manager."""

    def __init__(self, mode: bool) -> None:
        self.mode = mode

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exception: object) -> None:
        pass


def __getattr__(name: str) -> object:
    if name in ("forward_ad", "functional", "graph"):
        return import_module(f"facula.autograd.{name}")
    raise AttributeError(f"module 'facula.autograd' has no attribute {name!r}")
