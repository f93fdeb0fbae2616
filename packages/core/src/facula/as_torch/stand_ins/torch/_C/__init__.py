"""``torch._C``: marks of PyTorch's C++ part that programs touch."""

from facula import Generator as Generator
from facula import device as device
from facula import dtype as dtype
from facula.overrides import DisableTorchFunction as DisableTorchFunction
from facula.overrides import DisableTorchFunctionSubclass as DisableTorchFunctionSubclass
from facula.overrides import disabled_torch_function as _disabled_torch_function_impl

__all__ = ["DisableTorchFunction", "DisableTorchFunctionSubclass", "Generator", "device", "dtype"]
__all__ += ["_disabled_torch_function_impl"]


def _log_api_usage_once(event: str) -> None:
    """Do nothing."""


def _get_tracing_state() -> None:
    """Return None: nothing is traced."""


def _jit_set_profiling_mode(mode: bool) -> bool:
    """Return False."""
    return False


_jit_set_profiling_executor = _jit_set_profiling_mode


def _are_functorch_transforms_active() -> bool:
    """Return False."""
    return False
