"""The door to the compiled kernels: the extension module for this CPU, where one was built and is not switched off.

The environment variable ``FACULA_NATIVE=0`` switches the kernels off; every primitive then computes with its array
code. `kernels` holds the functions of ``native/src/*.cpp``; each is registered on its primitive in `facula.ops`, takes
NumPy arrays, and returns NotImplemented for what it does not do.
"""

import importlib
import os
from typing import Any


def _load() -> Any:
    if os.environ.get("FACULA_NATIVE", "1") in ("0", "off", "false"):
        return None
    try:
        base = importlib.import_module("facula._native.base")
        return importlib.import_module(f"facula._native.level{base.level()}")
    except ModuleNotFoundError:
        return None  # built without a compiler


#: The module of compiled kernels, or None.
kernels: Any = _load()

#: Whether primitives compute with compiled kernels.
available: bool = kernels is not None
