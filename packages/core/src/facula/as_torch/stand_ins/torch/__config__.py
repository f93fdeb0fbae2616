"""``torch.__config__``: how the library was built."""

import facula


def show() -> str:
    """Return what stands for PyTorch here."""
    return f"facula {facula.__version__}, standing for PyTorch"


def parallel_info() -> str:
    """Return the same text."""
    return show()
