"""``python -m facula.as_torch script.py args…`` or ``python -m facula.as_torch -m module args…``: run it on facula."""

import os
import runpy
import sys

from facula.as_torch import install

USAGE = "usage: python -m facula.as_torch (script.py | -m module) [argument ...]"


def main() -> None:
    """Run the program that the command line names, with facula as its ``torch``."""
    arguments = sys.argv[1:]
    as_module = arguments[:1] == ["-m"]
    if as_module:
        arguments = arguments[1:]
    if not arguments:
        sys.exit(USAGE)
    install()
    program = arguments[0]
    sys.argv = arguments
    if as_module:
        sys.path[0] = os.getcwd()
        runpy.run_module(program, run_name="__main__", alter_sys=True)
        return
    if not os.path.exists(program):
        sys.exit(f"{program}: no such file\n{USAGE}")
    sys.path[0] = os.path.dirname(os.path.abspath(program))
    runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    main()
