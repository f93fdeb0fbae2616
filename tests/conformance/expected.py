"""The list of expected differences from PyTorch, ``expected_differences.toml``, each with its reason.

    python -m tests.conformance.expected            compares all, and says what is new and what is healed
    python -m tests.conformance.expected --write    writes the list anew: reasons stay, new entries have none

A line of the list reads ``"name: checks" = "reason"``; an entry without a reason fails.
"""

from __future__ import annotations

import functools
import json
import sys
import tomllib
import warnings
from collections import defaultdict
from pathlib import Path

from tests.conformance.runner import Outcome, Runner

LIST = Path(__file__).with_name("expected_differences.toml")
KINDS = ("operators", "modules", "optimizers", "schedules", "names")
HEAD = """\
# Where facula is known to differ from PyTorch, and why.
#
# "name: checks" = "reason"; a reason begins with "not offered", "differs" or "to do". What is not here and differs fails,
# and so does what is here and agrees: strike it off, or run `python -m tests.conformance.expected --write`.
"""


def all_entries() -> dict[str, list[str]]:
    """Return the names of all entries, by kind."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torch

        from tests.conformance import modules, names, operators, optimizers

        return {
            "operators": list(operators.entries()),
            "modules": list(modules.entries()),
            "optimizers": list(optimizers.entries()),
            "schedules": list(torch.optim.lr_scheduler.__all__),
            "names": list(names.NAMESPACES),
        }


@functools.cache
def read() -> dict[str, dict[str, str]]:
    """Return the reason for each expected difference: by entry, such as ``operators/add``, and by check."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for kind, lines in tomllib.loads(LIST.read_text() if LIST.exists() else "").items():
        for left, reason in lines.items():
            name, _, checks = left.partition(": ")
            for check in checks.split():
                found[f"{kind}/{name}"][check] = reason
    return dict(found)


def complaints(entry: str, outcome: Outcome, expected: dict[str, str]) -> list[str]:
    """Return what is wrong with an entry: new differences, healed ones, and those without a reason."""
    found = []
    for check in sorted({*outcome, *expected}):
        reason = outcome.get(check)
        if reason is not None and check not in expected:
            found.append(f"{entry} {check}: {reason}")
        elif reason is not None and not expected[check].strip():
            found.append(f"{entry} {check}: {LIST.name} gives no reason ({reason})")
        elif reason is None and check in expected:
            found.append(f"{entry} {check}: agrees with PyTorch now; strike it off {LIST.name}")
    return found


def figures(outcomes: dict[str, Outcome]) -> list[str]:
    """Return one line for each kind: how many of the checks agree."""
    lines = []
    for kind in KINDS:
        counts: dict[str, list[int]] = {}
        for entry, outcome in outcomes.items():
            if entry.startswith(kind + "/"):
                for check, reason in outcome.items():
                    row = counts.setdefault("present" if kind == "names" else check, [0, 0])
                    row[0] += reason is None
                    row[1] += 1
        if counts:
            lines.append(f"{kind:<11}" + "  ".join(f"{check} {a}/{b}" for check, (a, b) in counts.items()))
    return lines


def write(outcomes: dict[str, Outcome]) -> None:
    """Write the list anew, with the reasons it has; checks of one entry that share a reason share a line."""
    before, text = read(), HEAD
    for kind in KINDS:
        text += f"\n[{kind}]\n"
        for entry in sorted(each for each in outcomes if each.startswith(kind + "/")):
            by_reason: dict[str, list[str]] = defaultdict(list)
            for check, reason in outcomes[entry].items():
                if reason is not None:
                    by_reason[before.get(entry, {}).get(check, "")].append(check)
            for reason, checks in sorted(by_reason.items()):
                left = f"{entry.partition('/')[2]}: {' '.join(checks)}"
                text += f"{json.dumps(left)} = {json.dumps(reason)}\n"
    LIST.write_text(text)


def main() -> int:
    """Compare everything, write the list when asked to, and return how many complaints there are."""
    entries = [f"{kind}/{name}" for kind, each in all_entries().items() for name in each]
    runner, listed = Runner(entries), read()
    outcomes = {entry: runner.outcome(entry) for entry in entries}
    found = [each for entry in entries for each in complaints(entry, outcomes[entry], listed.get(entry, {}))]
    if "--write" in sys.argv[1:]:
        write(outcomes)
    print("\n".join([*found, *figures(outcomes)]))
    return len(found)


if __name__ == "__main__":
    sys.exit(min(main(), 1))
