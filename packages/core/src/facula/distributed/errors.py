"""The errors of communication between processes."""


class DistError(RuntimeError):
    """What all of them are."""


class DistBackendError(DistError):
    """Raised when the engine fails, or a collective does not end in time."""


class DistNetworkError(DistError):
    """Raised when another process cannot be reached."""


class DistStoreError(DistError):
    """Raised when processes cannot agree on how to find each other."""
