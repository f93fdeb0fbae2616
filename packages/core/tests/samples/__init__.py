"""One row for each public op, a file for each family: what a row is, is said in ``sample.py``."""

from importlib import import_module
from pathlib import Path

from samples.sample import Sample

#: All rows, family by family.
ROWS: list[Sample] = []
for file in sorted(Path(__file__).parent.glob("*.py")):
    if file.stem not in ("__init__", "sample", "exceptions"):
        ROWS.extend(import_module(f"samples.{file.stem}").ROWS)
