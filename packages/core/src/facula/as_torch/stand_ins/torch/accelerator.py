"""``torch.accelerator``: the GPU, where there is one."""

from facula import cuda, device


def is_available() -> bool:
    """Return whether there is a GPU."""
    return cuda.is_available()


def current_accelerator(check_available: bool = False) -> device | None:
    """Return the kind of accelerator: a CUDA device, or None."""
    return device("cuda") if cuda.is_available() else None


def device_count() -> int:
    """Return how many GPUs there are."""
    return cuda.device_count()
