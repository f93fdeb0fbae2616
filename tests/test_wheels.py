"""The five wheels: what is in them, and that each runs alone in a clean environment."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = {"core": "facula", "vision": "facula_vision", "audio": "facula_audio", "text": "facula_text"}
PACKAGES["lightning"] = "facula_lightning"


@pytest.fixture(scope="module")
def wheels(tmp_path_factory) -> dict[str, Path]:
    """The wheels, built from the packages as they are."""
    folder = tmp_path_factory.mktemp("wheels")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "-w",
        str(folder),
    ]
    subprocess.run([*command, *(str(ROOT / "packages" / each) for each in PACKAGES)], check=True, timeout=600)
    return {name: next(folder.glob(f"{name}-*.whl")) for name in PACKAGES.values()}


@pytest.mark.slow
@pytest.mark.parametrize("name", PACKAGES.values())
def test_wheel_holds_the_package_and_nothing_else(wheels, name) -> None:
    with zipfile.ZipFile(wheels[name]) as wheel:
        members = wheel.namelist()
    assert f"{name}/py.typed" in members
    assert {member.partition("/")[0] for member in members} == {name, f"{name}-0.1.0.dist-info"}
    assert wheels[name].stat().st_size < 3_000_000


@pytest.mark.slow
@pytest.mark.parametrize(("folder", "name"), PACKAGES.items())
def test_wheel_runs_alone(wheels, folder, name, tmp_path) -> None:
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    python = environment / "bin" / "python"
    alone = [str(wheels[each]) for each in dict.fromkeys(["facula", name])]

    subprocess.run(
        [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *alone], check=True, timeout=600
    )
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "packages" / folder / "README.md").read_text(), re.DOTALL)
    subprocess.run([str(python), "-c", "\n".join(blocks)], check=True, cwd=tmp_path, timeout=300)
