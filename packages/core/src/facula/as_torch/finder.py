"""The import hook: modules under PyTorch's names whose attributes are facula's."""

import importlib
import importlib.abc
import importlib.machinery
import importlib.metadata
import importlib.util
import sys
from collections.abc import Iterable, Iterator, Sequence
from types import ModuleType
from typing import Any

from facula import overrides
from facula.as_torch.names import MODULES, PACKAGES, VERSIONS

STAND_INS = "facula.as_torch.stand_ins"


class MissingName(NotImplementedError, AttributeError):
    """A name that PyTorch has and facula has not; ``hasattr`` sees that it is not there."""


class Alias(ModuleType):
    """A module of PyTorch's name; each attribute is that of the first of its sources that has it."""

    __sources__: tuple[ModuleType, ...]

    def __getattr__(self, name: str) -> object:
        if name == "__all__":
            return [each for each in dir(self) if not each.startswith("_")]
        value, found = self._look_up(name)
        if found:
            setattr(self, name, value)
            return value
        if name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        raise MissingName(f"{self.__name__}.{name} is not implemented by facula")

    def _look_up(self, name: str) -> tuple[object, bool]:
        own = name.startswith("__")  # what the import system asks for is no name of a source
        for source in () if own else self.__sources__:
            value = getattr(source, name, self)
            if value is not self and not isinstance(value, ModuleType):
                return value, True
        # A part of a package may not have been imported yet; and it has PyTorch's name too.
        path = f"{self.__name__}.{name}"
        if sources_of(path):
            return importlib.import_module(path), True
        return None, False

    def __dir__(self) -> Iterable[str]:
        return sorted({*super().__dir__(), *(name for source in self.__sources__ for name in dir(source))})


def sources_of(name: str) -> tuple[str, ...]:
    """Return the modules in which the names of PyTorch's module ``name`` are found; none when there is no such module."""
    package, _, rest = name.partition(".")
    candidates = [f"{STAND_INS}.{name}"]
    candidates += MODULES.get(name, (".".join(filter(None, (PACKAGES[package], rest))),))
    return tuple(each for each in candidates if _exists(each))


def _exists(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ModuleNotFoundError, AttributeError):  # its parent is no package
        return False


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds and makes the modules under PyTorch's names."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the specification of an alias, or None for a name that is not PyTorch's or that nothing stands for."""
        if fullname.partition(".")[0] not in PACKAGES or not sources_of(fullname):
            return None
        return importlib.machinery.ModuleSpec(fullname, self, origin="facula", is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        """Return the empty alias."""
        return Alias(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Give the alias its sources."""
        alias: Any = module
        alias.__sources__ = tuple(importlib.import_module(name) for name in sources_of(module.__name__))
        if any(source.__name__ in overrides.namespaces for source in alias.__sources__):
            overrides.namespaces.append(module.__name__)  # its functions are wrapped with those they come from
        if module.__name__ in VERSIONS:
            alias.__version__ = VERSIONS[module.__name__]
            module.__file__ = __file__

    def find_distributions(
        self, context: importlib.metadata.DistributionFinder.Context | None = None
    ) -> Iterator[importlib.metadata.Distribution]:
        """Give the version of the packages that are stood for to those who ask for installed distributions."""
        for name, version in VERSIONS.items():
            if context is None or context.name in (None, name):
                yield StoodFor(name, version)


class StoodFor(importlib.metadata.Distribution):
    """The metadata of a package that facula stands for."""

    def __init__(self, name: str, version: str) -> None:
        self._text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"

    def read_text(self, filename: str) -> str | None:
        """Return the text of a metadata file; there is only ``METADATA``."""
        return self._text if filename == "METADATA" else None

    def locate_file(self, path: object) -> None:  # type: ignore[override]
        """Raise FileNotFoundError: there are no files."""
        raise FileNotFoundError(f"{path}: facula stands for this package, which has no files")


_finder = Finder()


def install() -> None:
    """Make ``import torch``, ``torchvision`` and ``torchaudio`` give facula's modules in this process.

    RuntimeError when PyTorch itself has been imported already.
    """
    for name in PACKAGES:
        present = sys.modules.get(name)
        if present is not None and not isinstance(present, Alias):
            raise RuntimeError(f"{name} has been imported already; call facula.as_torch.install() before that")
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)


def uninstall() -> None:
    """Take `install` back: forget the aliases, and let ``import torch`` mean what it meant before."""
    if _finder in sys.meta_path:
        sys.meta_path.remove(_finder)
    for name, module in list(sys.modules.items()):
        if isinstance(module, Alias):
            del sys.modules[name]
            if name in overrides.namespaces:
                overrides.namespaces.remove(name)
