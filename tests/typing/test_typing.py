"""What type checkers say of ordinary code that uses the five packages, whose public functions are all annotated."""

import importlib
import inspect
import json
import os
import pkgutil
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import GenericAlias, ModuleType

import pytest

HERE = Path(__file__).parent
PACKAGES = ("core", "vision", "audio", "text", "lightning")
SOURCES = [str(HERE.parents[1] / "packages" / name / "src") for name in PACKAGES]
#: Ordinary programs; those of ``mistakes.py`` must be found, by mypy's names for them.
PROGRAMS = [HERE / f"{name}.py" for name in ("tensors", "training", "vision", "audio", "text", "lightning")]
MISTAKES = HERE / "mistakes.py"


def checked(command: list[str], tmp_path: Path) -> None:
    """Run a type checker and show what it says, if it says anything."""
    sources = os.pathsep.join(SOURCES)
    environment = {**os.environ, "MYPYPATH": sources, "PYTHONPATH": sources}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def mypy(tmp_path: Path, *files: Path) -> None:
    """Run mypy as a user would: strict, with no configuration, silent on what is inside facula."""
    pytest.importorskip("mypy")
    options = ["--strict", "--config-file=", "--follow-imports=silent", f"--cache-dir={tmp_path / 'cache'}"]
    checked([sys.executable, "-m", "mypy", *options, *map(str, files)], tmp_path)


def test_mypy_knows_the_types_of_ordinary_programs(tmp_path: Path) -> None:
    mypy(tmp_path, *PROGRAMS, MISTAKES)


def test_mypy_reports_a_wrong_type(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text("import facula\n\nname: str = facula.ones(2).sum()\n")
    with pytest.raises(AssertionError, match="Incompatible types in assignment"):
        mypy(tmp_path, wrong)


def pyright(tmp_path: Path, *files: Path) -> None:
    """Run pyright on copies of the files, in a folder with only its settings beside them."""
    pytest.importorskip("pyright")
    folder = tmp_path / "programs"
    folder.mkdir()
    for file in files:
        shutil.copy(file, folder)
    settings = {"extraPaths": SOURCES, "typeCheckingMode": "standard"}
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    options = ["--pythonpath", sys.executable, "--project", str(folder)]
    checked([sys.executable, "-W", "ignore", "-m", "pyright", *options], tmp_path)


def test_pyright_knows_the_types_of_ordinary_programs(tmp_path: Path) -> None:
    pyright(tmp_path, *PROGRAMS)


def test_pyright_reports_a_wrong_type(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text("from facula_vision import models\n\nname: str = models.resnet18()\n")
    with pytest.raises(AssertionError, match='"ResNet" is not assignable to "str"'):
        pyright(tmp_path, wrong)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_the_programs_run(tmp_path: Path, program: Path) -> None:
    checked([sys.executable, str(program)], tmp_path)


def public_modules(package: str) -> Iterator[ModuleType]:
    """Import a package and all modules in it that have no underscore before a name."""
    root = importlib.import_module(package)
    yield root
    for each in pkgutil.walk_packages(root.__path__, f"{package}."):
        # The stand-ins for PyTorch's modules are made of names of others.
        if not any(part.startswith("_") or part == "stand_ins" for part in each.name.split(".")):
            yield importlib.import_module(each.name)


def public_names(module: ModuleType) -> list[str]:
    """Return what a module's ``__all__`` names; without one, what is defined in it under a name without underscore."""
    defined = [name for name, value in vars(module).items() if getattr(value, "__module__", None) == module.__name__]
    return list(getattr(module, "__all__", None) or (name for name in defined if not name.startswith("_")))


def functions_of(kind: type) -> Iterator[tuple[str, object]]:
    """Yield the functions behind a class's own public methods and properties, and its ``__init__``."""
    for name, value in vars(kind).items():
        if name.startswith("_") and name != "__init__":
            continue
        if isinstance(value, staticmethod | classmethod):
            value = value.__func__
        elif isinstance(value, property):
            value = value.fget
        # A protocol's __init__ is Python's own.
        if inspect.isfunction(value) and value.__module__.startswith("facula"):
            yield name, value


def public_functions(package: str) -> dict[str, object]:
    """Return all public functions and methods of a package by their names."""
    found: dict[str, object] = {}
    for module in public_modules(package):
        for name in public_names(module):
            value = getattr(module, name)
            if inspect.isclass(value):
                if value.__module__.startswith("facula"):
                    own = functions_of(value)
                    found |= {f"{value.__module__}.{name}.{method}": function for method, function in own}
            elif callable(value) and value.__module__.startswith("facula") and not isinstance(value, GenericAlias):
                found[f"{module.__name__}.{name}"] = value
    return found


def unannotated(function: object) -> list[str]:
    """Return the parameters of a function that have no annotation, and "return" where its result has none."""
    signature = inspect.signature(function)  # type: ignore[arg-type]
    parameters = [each for each in signature.parameters.values() if each.name not in ("self", "cls")]
    missing = [each.name for each in parameters if each.annotation is each.empty]
    return missing + ["return"] * (signature.return_annotation is signature.empty)


def test_what_is_not_annotated_is_seen() -> None:
    class Half:
        def __init__(self, x) -> None:  # type: ignore[no-untyped-def]
            pass

        def method(self, x, y: int, *rest: int):  # type: ignore[no-untyped-def]
            return x

        @property
        def whole(self):  # type: ignore[no-untyped-def]
            return 1

        @staticmethod
        def first(x: int): ...  # type: ignore[no-untyped-def]

    Half.__init__.__module__ = Half.method.__module__ = Half.first.__module__ = "facula"
    Half.__dict__["whole"].fget.__module__ = "facula"
    found = {name: unannotated(function) for name, function in functions_of(Half)}
    assert found == {"__init__": ["x"], "method": ["x", "return"], "whole": ["return"], "first": ["return"]}


@pytest.mark.parametrize(
    ("package", "least"),
    [("facula", 3000), ("facula_vision", 700), ("facula_audio", 60), ("facula_text", 80), ("facula_lightning", 300)],
)
def test_public_functions_are_annotated(package: str, least: int) -> None:
    functions = public_functions(package)
    assert len(functions) > least
    missing = {name: found for name, function in functions.items() if (found := unannotated(function))}
    assert not missing
