"""Transforms of functions: gradients, Jacobians, maps over a batch, calls of modules with other parameters."""

from facula.func.gradients import grad, grad_and_value, hessian, jacfwd, jacrev, jvp, linearize, vjp
from facula.func.mapping import vmap
from facula.func.modules import functional_call, replace_all_batch_norm_modules_, stack_module_state

__all__ = [
    "functional_call",
    "grad",
    "grad_and_value",
    "hessian",
    "jacfwd",
    "jacrev",
    "jvp",
    "linearize",
    "replace_all_batch_norm_modules_",
    "stack_module_state",
    "vjp",
    "vmap",
]
