"""``python -m facula_lightning.checkpointing verify|diff|convert``: work on checkpoint files."""

from __future__ import annotations

import argparse
import sys

from facula_lightning.checkpointing.compare import convert, diff, verify


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return 0, or 1 where a file is damaged or two differ."""
    parser = argparse.ArgumentParser(prog="python -m facula_lightning.checkpointing", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("verify", help="compare files with the hashes in them")
    one.add_argument("files", nargs="+")
    two = commands.add_parser("diff", help="show in what two checkpoints differ")
    two.add_argument("first")
    two.add_argument("second")
    three = commands.add_parser("convert", help="write a checkpoint again: as .safetensors, or in PyTorch's format")
    three.add_argument("source")
    three.add_argument("target")
    given = parser.parse_args(arguments)
    if given.command == "convert":
        convert(given.source, given.target)
        return 0
    if given.command == "diff":
        lines = diff(given.first, given.second)
        print("\n".join(lines) if lines else "the checkpoints are equal")
        return int(bool(lines))
    damaged = False
    for path in given.files:
        wrong = verify(path)
        print(f"{path}: {'; '.join(wrong) if wrong else 'good'}")
        damaged = damaged or bool(wrong)
    return int(damaged)


if __name__ == "__main__":
    sys.exit(main())
