"""The door to what is compiled: the extension modules for this CPU, where they were built and are not switched off.

The environment variable ``FACULA_NATIVE=0`` switches it all off; every primitive then computes with its array code.
``FACULA_MEMORY_CACHE`` is the number of bytes to keep for later arrays, see `facula.cpu`. `kernels` holds the functions of ``native/src/*.cpp``; each is registered on its primitive in `facula.ops`, takes
NumPy arrays, and returns NotImplemented for what it does not do. `base` does the usual case of what `facula.primitive`,
`facula.recording` and `facula.graph.engine` say in Python, which remain for everything else.
"""

import importlib
import os
from typing import Any


def _load() -> tuple[Any, Any]:
    if os.environ.get("FACULA_NATIVE", "1") in ("0", "off", "false"):
        return None, None
    try:
        base = importlib.import_module("facula._native.base")
        kept = os.environ.get("FACULA_MEMORY_CACHE")
        if kept is not None:
            base.set_memory_limit(int(kept))
        if kept is None or int(kept) > 0:
            base.use_allocator(True)
        return base, importlib.import_module(f"facula._native.level{base.level()}")
    except ModuleNotFoundError:
        return None, None  # built without a compiler


#: The compiled call of a primitive and walk of the recorded graph, and the fields of the classes these work on, or
#: None; and the module of compiled kernels, or None.
base: Any
kernels: Any
base, kernels = _load()

#: Whether primitives compute with compiled kernels.
available: bool = kernels is not None


def know(**named: Any) -> None:
    """Tell the compiled call and walk of a class, or of a function for what is rare."""
    if base is not None:
        base.know(**named)
