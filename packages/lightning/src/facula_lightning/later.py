"""Names of a package that are imported when they are first asked for: a program uses some of them."""

from collections.abc import Callable, Mapping
from importlib import import_module


def later(
    package: str, namespace: dict[str, object], modules: Mapping[str, str]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Return the ``__getattr__`` and the ``__dir__`` of a package, given its ``globals()`` and the module of each name.

    >>> from facula_lightning import loggers
    >>> "CSVLogger" in dir(loggers)
    True
    """

    def get(name: str) -> object:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        found: object = getattr(import_module(f"{package}.{modules[name]}"), name)
        namespace[name] = found
        return found

    return get, lambda: sorted({*namespace, *modules})
