"""``torch.backends.cudnn``: switches that can be set and change nothing."""

from contextlib import AbstractContextManager, nullcontext

enabled = True
benchmark = False
deterministic = False
allow_tf32 = True


def is_available() -> bool:
    """Return False: PyTorch's build of cuDNN is not there."""
    return False


def version() -> None:
    """Return None."""


def flags(*args: object, **kwargs: object) -> AbstractContextManager[None]:
    """Return a context that changes nothing."""
    return nullcontext()
