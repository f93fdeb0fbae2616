"""Runs the checks of the entries that its standard input names, and writes one line of JSON for each check.

A process of its own, so that an entry that crashes or hangs costs that entry alone: see ``runner.py``.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from typing import Any

import torch

from tests.conformance import modules, names, operators, optimizers
from tests.conformance.operators import NoCase, words


def checks_of(entry: str) -> Any:
    """Return the checks of an entry such as ``operators/linalg.svd``."""
    kind, _, name = entry.partition("/")
    if kind == "operators":
        return operators.OperatorChecks(operators.entries()[name])
    if kind == "modules":
        return modules.ModuleChecks(modules.entries()[name])
    if kind == "optimizers":
        return optimizers.OptimizerChecks(optimizers.entries()[name])
    if kind == "schedules":
        return optimizers.ScheduleChecks(name)
    return names.NameChecks(name)


def main() -> None:
    """Answer each line of the standard input, until it ends."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a check prints is no answer
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        for figure, check in checks_of(line.strip()).figures().items():
            try:
                outcome, reason = "differs", check()
                if reason is None:
                    outcome = "equal"
            except NoCase as nothing:
                outcome, reason = "no case", str(nothing)
            except Exception as error:
                outcome, reason = "differs", f"the check itself: {words(error)}"
            print(json.dumps([figure, outcome, reason]), file=answers, flush=True)
        print(json.dumps(None), file=answers, flush=True)


if __name__ == "__main__":
    main()
