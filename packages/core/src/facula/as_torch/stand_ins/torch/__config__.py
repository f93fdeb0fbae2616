"""``torch.__config__``: how the library was built."""

import facula
from facula.settings import describe_config


def show() -> str:
    """Return what stands for PyTorch here, and how it computes."""
    return f"facula {facula.__version__}, standing for PyTorch\n{describe_config()}"


def parallel_info() -> str:
    """Return the same text."""
    return show()
