"""``python -m facula_lightning.utilities.upgrade_checkpoint PATH``: write old checkpoints again as those of today."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from facula_lightning.checkpointing.files import read_checkpoint, write_checkpoint


def upgrade_checkpoints(path: Path, extension: str = ".ckpt", map_to_cpu: bool = False) -> list[Path]:
    """Return the checkpoint files, ``path`` or those below it, that were written again; what they were is kept as ``.bak``."""
    extension = extension if extension.startswith(".") else f".{extension}"
    files = [path] if path.is_file() else sorted(path.rglob(f"*{extension}"))
    for file in files:
        kept = file.with_suffix(".bak")
        if not kept.exists():  # else it is what the file was at first
            shutil.copyfile(file, kept)
        write_checkpoint(read_checkpoint(file, "cpu" if map_to_cpu else None), file)
    return files


def main(arguments: list[str] | None = None) -> int:
    """Upgrade what the command line names; return 1 where there is nothing."""
    parser = argparse.ArgumentParser(
        prog="python -m facula_lightning.utilities.upgrade_checkpoint", description=__doc__
    )
    parser.add_argument("path", type=Path, help="a checkpoint file, or a folder of them")
    parser.add_argument("--extension", "-e", default=".ckpt", help="how the names of checkpoint files in a folder end")
    parser.add_argument("--map-to-cpu", action="store_true", help="move all tensors to the CPU")
    given = parser.parse_args(arguments)
    if not given.path.exists():
        print(f"The path {given.path} does not exist.", file=sys.stderr)
        return 1
    files = upgrade_checkpoints(given.path, given.extension, given.map_to_cpu)
    if not files:
        print(f"No checkpoint files that end in {given.extension} were found in {given.path}.", file=sys.stderr)
        return 1
    print("\n".join(str(file) for file in files))
    return 0


if __name__ == "__main__":
    sys.exit(main())
