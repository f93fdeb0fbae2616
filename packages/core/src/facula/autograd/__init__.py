"""Gradients: of whole graphs, of functions of one's own, and checks of them."""

from facula.autograd import function
from facula.autograd.function import Function
from facula.autograd.gradcheck import GradcheckError, gradcheck, gradgradcheck
from facula.autograd.modes import detect_anomaly, set_detect_anomaly
from facula.graph.backward import backward, grad
from facula.graph.modes import enable_grad, inference_mode, no_grad, set_grad_enabled
from facula.tensor import Tensor as Variable

__all__ = [
    *("Function", "GradcheckError", "Variable", "backward", "detect_anomaly", "enable_grad", "function", "grad"),
    *("gradcheck", "gradgradcheck", "inference_mode", "no_grad", "set_detect_anomaly", "set_grad_enabled"),
]
