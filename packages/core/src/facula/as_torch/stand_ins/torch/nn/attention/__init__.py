"""``torch.nn.attention``: attention is computed in one way, whichever is asked for."""

import enum
from contextlib import AbstractContextManager, nullcontext


class SDPBackend(enum.Enum):
    """The ways PyTorch computes attention."""

    ERROR = -1
    MATH = 0
    FLASH_ATTENTION = 1
    EFFICIENT_ATTENTION = 2
    CUDNN_ATTENTION = 3
    OVERRIDEABLE = 4


def sdpa_kernel(backends: object, set_priority: bool = False) -> AbstractContextManager[None]:
    """Return a context that changes nothing."""
    return nullcontext()
