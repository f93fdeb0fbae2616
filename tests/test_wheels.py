"""The five wheels: what is in them, and that each runs alone in a clean environment."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = {"core": "facula", "vision": "facula_vision", "audio": "facula_audio", "text": "facula_text"}
PACKAGES["lightning"] = "facula_lightning"
#: What the examples of a package ask for besides.
EXTRAS = {"facula_lightning": "[cli]"}


def build(folder: Path, *packages: str, **environment: str) -> None:
    """Build wheels of packages, as they are, into ``folder``."""
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
    sources = [str(ROOT / "packages" / each) for each in packages]
    subprocess.run([*pip, "-w", str(folder), *sources], check=True, timeout=1200, env={**os.environ, **environment})


def environment_with(wheels: list[Path | str], folder: Path) -> Path:
    """Return the Python of a new environment in which these wheels, and what they ask for, are installed."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *map(str, wheels)], check=True, timeout=600)
    return python


def example_of(folder: str) -> str:
    """Return the program in the README of a package."""
    text = (ROOT / "packages" / folder / "README.md").read_text()
    return "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))


@pytest.fixture(scope="module")
def wheels(tmp_path_factory) -> dict[str, Path]:
    """The wheels, built from the packages as they are."""
    folder = tmp_path_factory.mktemp("wheels")
    build(folder, *PACKAGES)
    return {name: next(folder.glob(f"{name}-*.whl")) for name in PACKAGES.values()}


@pytest.mark.slow
@pytest.mark.parametrize("name", PACKAGES.values())
def test_wheel_holds_the_package_and_nothing_else(wheels, name) -> None:
    with zipfile.ZipFile(wheels[name]) as wheel:
        members = wheel.namelist()
    assert f"{name}/py.typed" in members
    assert {member.partition("/")[0] for member in members} == {name, f"{name}-0.1.0.dist-info"}
    # A few megabytes, most of them the kernels for three kinds of processors.
    assert wheels[name].stat().st_size < 6_000_000


@pytest.mark.slow
@pytest.mark.parametrize(("folder", "name"), PACKAGES.items())
def test_wheel_runs_alone(wheels, folder, name, tmp_path) -> None:
    alone = [f"{wheels[each]}{EXTRAS.get(each, '')}" for each in dict.fromkeys(["facula", name])]
    python = environment_with(alone, tmp_path / "environment")
    subprocess.run([str(python), "-c", example_of(folder)], check=True, cwd=tmp_path, timeout=300)


@pytest.mark.slow
def test_core_is_built_and_runs_without_a_compiler(tmp_path) -> None:
    build(tmp_path, "core", CXX="no-such-compiler")
    (wheel,) = tmp_path.glob("facula-*.whl")
    assert wheel.name.endswith("-py3-none-any.whl")
    python = environment_with([wheel], tmp_path / "environment")
    program = "import facula\nassert not facula.native.available\n" + example_of("core")
    subprocess.run([str(python), "-c", program], check=True, cwd=tmp_path, timeout=300)
