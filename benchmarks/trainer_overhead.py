"""What a trainer adds to a training step: facula's over facula's plain loop, Lightning's over PyTorch's.

    python -m benchmarks.trainer_overhead [--rounds 7] [--only REGEX] [--write]

Each side is one process that holds all programs of `trainer_programs`; the two take turns, program by program. A program's
time a step is that of its least disturbed windows of 50 steps: their tenth percentile. What it adds is that less the same of
the same side's plain loop, over all rounds; beside it stand the smallest and the largest of single rounds. The ratio is
Lightning's figure over facula's. Needs ``pytorch-lightning``. ``--write`` makes the report ``results/trainer_overhead.md``.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
from datetime import date
from typing import NamedTuple

from benchmarks.speed import RESULTS, ROOT, as_time, machine
from benchmarks.trainer_programs import BATCH, EPOCHS, STEPS

SIDES = ("facula", "torch")
#: For each program the plain loop that does the same, and the most it may add on facula's side, in microseconds.
PROGRAMS: dict[str, tuple[str, float]] = {
    "trainer": ("loop", 30),
    "trainer, logging": ("loop", 100),
    "trainer, logging by epoch too": ("loop", 100),
    "trainer, progress bar": ("loop", 100),
    "trainer, accumulating": ("loop, accumulating", 30),
    "trainer, clipping": ("loop, clipping", 30),
    "trainer, all defaults": ("loop", 100),
    "validate": ("evaluation loop", 30),
    "validate, logging": ("evaluation loop", 100),
    "fabric": ("loop", 30),
}
IMPORTS = {"facula": "facula_lightning", "torch": "pytorch_lightning"}
#: For each program, what its process answered in each round.
Rounds = dict[str, list[dict[str, list[float]]]]


class Added(NamedTuple):
    """What a program adds on one side, in seconds: to a step (median, lowest, highest), and between two epochs."""

    step: float
    low: float
    high: float
    between: float


class Side:
    """One process with all programs of a side."""

    def __init__(self, name: str) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "benchmarks.trainer_programs", name]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment
        )

    def run(self, program: str) -> dict[str, list[float]]:
        """Return the figures of a program."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(program + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{' '.join(self.process.args[2:])} ended in {program!r}")  # type: ignore[index]
        found: dict[str, list[float]] = json.loads(line)
        return found

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(30)


def measure(names: list[str], rounds: int) -> dict[str, Rounds]:
    """Return, for each side and program, the figures of all rounds."""
    # A plain loop comes before the programs that are held against it.
    order = list(dict.fromkeys(each for name in names for each in (PROGRAMS[name][0], name)))
    sides = {name: Side(name) for name in SIDES}
    found: dict[str, Rounds] = {side: {name: [] for name in order} for side in SIDES}
    try:
        for turn in range(-1, rounds):
            for program in order:
                for side in SIDES if turn % 2 == 0 else SIDES[::-1]:
                    figures = sides[side].run(program)
                    # The first round finds files and caches cold.
                    if turn >= 0:
                        found[side][program].append(figures)
    finally:
        for each in sides.values():
            each.close()
    return found


def undisturbed(rounds: list[dict[str, list[float]]], what: str) -> float:
    """Return the tenth percentile of the times of all rounds; 0 without any."""
    times = sorted(time for each in rounds for time in each[what])
    return times[len(times) // 10] if times else 0.0


def added(of_side: Rounds, program: str) -> Added:
    """Return what a program adds to its plain loop."""
    own, plain = of_side[program], of_side[PROGRAMS[program][0]]
    steps = sorted(undisturbed([a], "step") - undisturbed([b], "step") for a, b in zip(own, plain, strict=True))
    step = undisturbed(own, "step") - undisturbed(plain, "step")
    between = undisturbed(own, "between") - undisturbed(plain, "between") - step
    return Added(step, steps[0], steps[-1], between)


def import_seconds(side: str, times: int) -> tuple[float, int]:
    """Return how long importing a side's trainer takes after its framework, and how many modules it brings."""
    program = (
        f"import {side}, sys, time\nbefore = set(sys.modules)\nstart = time.perf_counter()\n"
        f"from {IMPORTS[side]} import LightningModule, Trainer\n"
        "print(time.perf_counter() - start, len(set(sys.modules) - before))"
    )
    found = []
    for _ in range(times):
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=True
        )
        seconds, modules = done.stdout.split()
        found.append((float(seconds), int(modules)))
    return statistics.median(seconds for seconds, _ in found), found[0][1]


def table(found: dict[str, Rounds], names: list[str]) -> str:
    """Return what each program adds, in Markdown."""
    lines = [
        "| program | facula adds | lowest–highest | Lightning adds | lowest–highest | ratio | target |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in names:
        own, peer = (added(found[side], name) for side in SIDES)
        lines.append(
            f"| {name} | {as_time(own.step)} | {own.low * 1e6:.1f}–{own.high * 1e6:.1f} | {as_time(peer.step)} | "
            f"{peer.low * 1e6:.0f}–{peer.high * 1e6:.0f} | {peer.step / own.step:.0f} | {PROGRAMS[name][1]:.0f} µs |"
        )
    lines += ["", "| plain loop | facula, a step | PyTorch, a step |", "|---|---|---|"]
    for name in dict.fromkeys(PROGRAMS[each][0] for each in names):
        own, peer = (undisturbed(found[side][name], "step") for side in SIDES)
        lines.append(f"| {name} | {as_time(own)} | {as_time(peer)} |")
    lines += ["", "| between two epochs | facula adds | Lightning adds |", "|---|---|---|"]
    for name in names:
        if "evaluation" not in PROGRAMS[name][0]:
            own, peer = (added(found[side], name) for side in SIDES)
            lines.append(f"| {name} | {as_time(own.between)} | {as_time(peer.between)} |")
    return "\n".join(lines)


def report(found: dict[str, Rounds], names: list[str], rounds: int) -> str:
    """Return the whole report, in Markdown; its last line holds the figures for programs, in microseconds."""
    import facula
    import pytorch_lightning
    import torch

    imports = {side: import_seconds(side, 11 if side == "facula" else 3) for side in SIDES}
    (own, own_modules), (peer, peer_modules) = imports["facula"], imports["torch"]
    machine_readable = {
        "date": str(date.today()),
        "machine": machine(),
        "import_seconds": {side: round(seconds, 4) for side, (seconds, _) in imports.items()},
        "added_us": {
            name: {side: round(added(found[side], name).step * 1e6, 2) for side in SIDES} for name in names
        },
        "between_us": {
            name: {side: round(added(found[side], name).between * 1e6, 2) for side in SIDES}
            for name in names
            if "evaluation" not in PROGRAMS[name][0]
        },
    }  # fmt: skip
    return (
        f"# What the trainer adds to a step\n\n{date.today()}, {machine()}, one thread, Python"
        f" {sys.version.split()[0]}, facula {facula.__version__}, PyTorch {torch.__version__}, Lightning"
        f" {pytorch_lightning.__version__}. `python -m benchmarks.trainer_overhead --write --rounds {rounds}`\n\n"
        f"`Linear(32, 1)`, batches of {BATCH} from a `DataLoader`, SGD; {STEPS} steps an epoch, {EPOCHS} epochs a fit,"
        f" {rounds} rounds. Times are a step's less those of the plain loop on the same side; the ratio is Lightning's over"
        " facula's. Logging is `self.log` with a `CSVLogger`, a row every 50 steps. Progress bars draw on a terminal that"
        " shows nothing.\n\n"
        f"{table(found, names)}\n\n"
        "Between two epochs the default checkpoint is written, facula's with all that an exact resume needs and on the disk"
        " before training goes on.\n\n"
        f"`from … import LightningModule, Trainer` after the framework: {as_time(own)} and {own_modules} modules; Lightning"
        f" {as_time(peer)} and {peer_modules}.\n\n"
        f"<!-- {json.dumps(machine_readable)} -->\n"
    )


def main() -> None:
    """Measure what was asked for and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="a regular expression for names of programs")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--write", action="store_true", help="write the report to benchmarks/results")
    arguments = parser.parse_args()
    names = [name for name in PROGRAMS if re.search(arguments.only, name)]
    if not names:
        parser.error(f"no program matches {arguments.only!r}")
    found = measure(names, arguments.rounds)
    if arguments.write:
        text = report(found, names, arguments.rounds)
        (RESULTS / "trainer_overhead.md").write_text(text)
        print(text)
    else:
        print(table(found, names))


if __name__ == "__main__":
    main()
