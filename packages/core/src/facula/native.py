"""The door to what is compiled: the extension modules for this CPU, where they were built and are not switched off.

The environment variable ``FACULA_NATIVE=0`` switches it all off; every primitive then computes with its array code.
``FACULA_NATIVE=x86-64``, ``x86-64-v3`` or ``x86-64-v4`` takes the kernels of a lower level than this CPU's, as on an older one.
``FACULA_MEMORY_CACHE`` is the number of bytes to keep for later arrays, see `facula.cpu`. `kernels` holds the functions of
``native/src/*.cpp``; each is registered on its primitive in `facula.ops`, takes NumPy arrays, and returns NotImplemented for
what it does not do. `base` does the usual case of what `facula.primitive`, `facula.recording` and `facula.graph.engine` say
in Python, which remain for everything else.
"""

import importlib
import os
from typing import Any

#: The numbers of the levels for which kernels are compiled, by what compilers call them.
LEVELS = {"x86-64": 1, "x86-64-v3": 3, "x86-64-v4": 4}


def _level(asked: str, best: int) -> int:
    """Return the number of the level to take: the best one this CPU can run, or the one that was asked for."""
    if asked in ("1", "on", "true", ""):
        return best
    if asked not in LEVELS:
        raise ValueError(f"FACULA_NATIVE is expected to be 0, 1 or one of {', '.join(LEVELS)}, got {asked!r}")
    if LEVELS[asked] > best:
        raise ValueError(f"FACULA_NATIVE={asked}: this CPU can run kernels up to level {best} only")
    return LEVELS[asked]


def _load() -> tuple[Any, Any, int]:
    asked = os.environ.get("FACULA_NATIVE", "1")
    if asked in ("0", "off", "false"):
        return None, None, 0
    try:
        base = importlib.import_module("facula._native.base")
    except ModuleNotFoundError:
        return None, None, 0  # built without a compiler
    level = _level(asked, base.level())
    try:
        kernels = importlib.import_module(f"facula._native.level{level}")
    except ModuleNotFoundError:
        if level == base.level():
            return None, None, 0
        raise ImportError(
            f"FACULA_NATIVE={asked}: kernels were not built for it (build.py --all-levels does)"
        ) from None
    kept = os.environ.get("FACULA_MEMORY_CACHE")
    if kept is not None:
        base.set_memory_limit(int(kept))
    if kept is None or int(kept) > 0:
        base.use_allocator(True)
    return base, kernels, level


#: The compiled call of a primitive and walk of the recorded graph, and the fields of the classes these work on, or
#: None; and the module of compiled kernels, or None.
base: Any
kernels: Any
#: The level of `kernels`, see `LEVELS`; 0 where there are none.
level: int
base, kernels, level = _load()

#: Whether primitives compute with compiled kernels.
available: bool = kernels is not None


def know(**named: Any) -> None:
    """Tell the compiled call and walk of a class, or of a function for what is rare."""
    if base is not None:
        base.know(**named)
