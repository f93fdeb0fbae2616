"""``python -m facula_lightning replay CAPSULE``: do again the batch in which training failed."""

from __future__ import annotations

import argparse
import sys
import traceback


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return 0, or 1 where a failure did not come again."""
    parser = argparse.ArgumentParser(prog="python -m facula_lightning")
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("replay", help="do again the batch in which training failed")
    one.add_argument("capsule", help="the file that CrashCapsule wrote")
    one.add_argument("--model", help="the model's class, module:Class or file.py:Class; else that in the capsule")
    given = parser.parse_args(arguments)
    from facula_lightning.replay import load_class, replay

    result = replay(given.capsule, None if given.model is None else load_class(given.model))
    if result.exception is not None:
        traceback.print_exception(result.exception)
    if result.where is not None:
        print(f"The first output that was not finite is that of {result.where}.")
    if result.reproduced:
        print(f"The failure came again: {result.expected}")
        return 0
    print(f"Expected {result.expected}; got {result.found or 'no failure'}.")
    return 1


if __name__ == "__main__":
    sys.exit(main())
