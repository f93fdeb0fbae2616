"""``torch.mps``: such devices are not there."""


def is_available() -> bool:
    """Return False."""
    return False


def device_count() -> int:
    """Return 0."""
    return 0


def is_initialized() -> bool:
    """Return False."""
    return False


def is_current_stream_capturing() -> bool:
    """Return False."""
    return False
