"""``torch._C``: marks of PyTorch's C++ part that programs touch."""

from facula import Generator as Generator
from facula import device as device
from facula import dtype as dtype


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
