"""Rules of the whole repository: sizes, imports, what happens at import, examples that run."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted(ROOT.glob("packages/*/src/**/*.py"))
READMES = [ROOT / "README.md", ROOT / "docs/trainer.md", *sorted(ROOT.glob("packages/*/README.md"))]

# Files that may be longer, with their limit; none so far.
LONG: dict[str, int] = {}


def test_no_file_is_too_long() -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in SOURCES}
    long = {str(path.relative_to(ROOT)): n for path, n in lengths.items() if n > LONG.get(path.name, 620)}
    assert not long


def test_every_file_says_what_it_is() -> None:
    silent = [
        str(path) for path in SOURCES if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert not silent


def test_nothing_imports_pytorch() -> None:
    pattern = re.compile(
        r"^\s*(import|from) (torch|torchvision|torchaudio|lightning|pytorch_lightning)\b", re.MULTILINE
    )
    assert not [str(path) for path in SOURCES if pattern.search(path.read_text())]


def test_import_is_light() -> None:
    """No thread, socket or process starts, and only NumPy and ml_dtypes are loaded beside the standard library."""
    program = """
import sys, threading
events = []
sys.addaudithook(lambda name, args: events.append(name) if name.startswith(("socket.", "subprocess.", "os.fork")) else None)
import facula
third = {name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names)
third = {name for name in third if not name.startswith("_")}
print(sorted(third - {"numpy", "ml_dtypes", "facula", "sitecustomize"}), events, threading.active_count())
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "packages/core/src")}
    done = subprocess.run(
        [sys.executable, "-S", "-c", _with_site(program)], capture_output=True, text=True, env=environment
    )
    assert done.stdout.strip() == "[] [] 1", done.stdout + done.stderr


def _with_site(program: str) -> str:
    # Without the site module, so that files that other packages leave in site-packages load nothing.
    folders = [path for path in sys.path if path]
    return f"import sys; sys.path += {folders!r}\n" + program


@pytest.mark.parametrize("readme", READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_readme_examples_run(readme: Path, tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", readme.read_text(), re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "\n".join(blocks)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
