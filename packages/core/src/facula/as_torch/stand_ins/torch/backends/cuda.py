"""``torch.backends.cuda``: switches that can be set and change nothing."""

from contextlib import AbstractContextManager, nullcontext
from types import SimpleNamespace

matmul = SimpleNamespace(
    allow_tf32=False,
    allow_fp16_reduced_precision_reduction=True,
    allow_bf16_reduced_precision_reduction=True,
    fp32_precision="none",
)


def is_built() -> bool:
    """Return False: there is no CUDA in this ``torch``."""
    return False


def flash_sdp_enabled() -> bool:
    """Return False: attention is computed in one way."""
    return False


mem_efficient_sdp_enabled = cudnn_sdp_enabled = flash_sdp_enabled


def math_sdp_enabled() -> bool:
    """Return True: attention is computed in one way."""
    return True


def enable_flash_sdp(enabled: bool) -> None:
    """Do nothing."""


enable_mem_efficient_sdp = enable_math_sdp = enable_cudnn_sdp = enable_flash_sdp


def sdp_kernel(*args: object, **kwargs: object) -> AbstractContextManager[None]:
    """Return a context that changes nothing."""
    return nullcontext()
