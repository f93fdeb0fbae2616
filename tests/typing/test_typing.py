"""What type checkers say of ordinary code that uses facula, and that each public function of the core is annotated."""

import importlib
import inspect
import json
import os
import pkgutil
import shutil
import subprocess
import sys
from pathlib import Path

import facula.ops
import pytest

HERE = Path(__file__).parent
SOURCE = HERE.parents[1] / "packages/core/src"
#: Ordinary programs; those of ``mistakes.py`` must be found, by mypy's names for them.
PROGRAMS = [HERE / "tensors.py", HERE / "training.py"]
MISTAKES = HERE / "mistakes.py"


def checked(command: list[str], tmp_path: Path) -> None:
    """Run a type checker and show what it says, if it says anything."""
    environment = {**os.environ, "MYPYPATH": str(SOURCE), "PYTHONPATH": str(SOURCE)}
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


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_pyright_knows_the_types_of_ordinary_programs(tmp_path: Path, program: Path) -> None:
    pyright = shutil.which("pyright")
    if pyright is None:
        pytest.skip("pyright is not installed")
    # Of a folder with only its settings and the program in it.
    shutil.copy(program, tmp_path)
    settings = {"extraPaths": [str(SOURCE)], "typeCheckingMode": "standard"}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    checked([pyright, "--pythonpath", sys.executable, "--project", str(tmp_path)], tmp_path)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_the_programs_run(tmp_path: Path, program: Path) -> None:
    checked([sys.executable, str(program)], tmp_path)


FAMILIES = [f"facula.ops.{each.name}" for each in pkgutil.iter_modules(facula.ops.__path__)]


def unannotated(function: object) -> list[str]:
    """Return the parameters of a function that have no annotation, and "return" where its result has none."""
    signature = inspect.signature(function)  # type: ignore[arg-type]
    missing = [each.name for each in signature.parameters.values() if each.annotation is each.empty]
    return missing + ["return"] * (signature.return_annotation is signature.empty)


def test_what_is_not_annotated_is_seen() -> None:
    def half(x, y: int, *rest: int):  # type: ignore[no-untyped-def]
        return x

    assert unannotated(half) == ["x", "return"]


def test_public_functions_are_annotated() -> None:
    functions = {}
    for family in map(importlib.import_module, FAMILIES):
        for name in getattr(family, "__all__", ()):
            value = getattr(family, name)
            if callable(value) and not inspect.isclass(value):
                functions[f"{family.__name__}.{name}"] = value
    assert len(functions) > 500
    missing = {name: found for name, function in functions.items() if (found := unannotated(function))}
    assert not missing
