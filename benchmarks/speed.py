"""How fast facula is beside PyTorch: every workload in two processes that take turns, as ratios with their spread.

    python -m benchmarks.speed [--only REGEX] [--seconds 1.0] [--rounds 3] [--threads N] [--write]

A round starts one process a side, lets both run in alternating short turns (the idle one is stopped), and gives one
ratio: the median step time of PyTorch over that of facula, above 1 facula is faster. The figure of a workload is
the median over its rounds, with the smallest and largest beside it. Turns in which other programs used more than a fifth
of a core do not count, as far as enough others are left. ``--write`` puts the table and a picture of it into
``benchmarks/results/``.
"""

import argparse
import json
import math
import os
import platform
import re
import signal
import statistics
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.workloads import FAMILIES, WORKLOADS, Workload, load

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"
SIDES = ("facula", "torch")
#: How many seconds a side runs before it is the other's turn.
TURN = 0.1
#: How many cores other programs may use in a turn that counts.
MOST_FOREIGN = 0.2


class Figure(NamedTuple):
    """What was measured of a workload: seconds a step of either side, and ratios of PyTorch's figure to facula's."""

    workload: Workload
    seconds: float
    peer_seconds: float
    ratio: float
    low: float
    high: float
    memory_ratio: float
    cold_start_ratio: float


class Side:
    """One process with one workload."""

    def __init__(self, framework: str, name: str, threads: int) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
        command = [sys.executable, "-m", "benchmarks.child", framework, name, str(threads)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment
        )

    def run(self, seconds: float) -> dict[str, Any]:
        """Return what the process says after running so long; ``foreign`` is how many cores others used meanwhile."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.send_signal(signal.SIGCONT)
        start, busy = time.perf_counter(), busy_seconds()
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{' '.join(self.process.args[2:])} ended before it answered")  # type: ignore[index]
        answer: dict[str, Any] = json.loads(line)
        elapsed = time.perf_counter() - start
        answer["foreign"] = (busy_seconds() - busy - answer["used"]) / elapsed
        self.process.send_signal(signal.SIGSTOP)
        return answer

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.close()
        self.process.wait(30)


def busy_seconds() -> float:
    """Return how long all cores together have been busy since the machine was started; 0 where that is not told."""
    try:
        user, nice, system, _, _, interrupt, soft, *_ = map(int, Path("/proc/stat").read_text().split()[1:9])
    except OSError:
        return 0.0
    return (user + nice + system + interrupt + soft) / os.sysconf("SC_CLK_TCK")


def run_round(name: str, seconds: float, threads: int) -> list[dict[str, Any]]:
    """Return what the two sides say of a round, their step times put together."""
    sides = [Side(framework, name, threads) for framework in SIDES]
    try:
        last = [side.run(0.0) for side in sides]
        times: list[list[float]] = [[], []]
        disturbed: list[list[float]] = [[], []]
        spent = 0.0
        # In the order A B B A, so that a machine that grows slower or faster favours neither.
        for turn in range(1000):
            for at in (0, 1) if turn % 2 == 0 else (1, 0):
                last[at] = sides[at].run(TURN)
                quiet = last[at]["foreign"] < MOST_FOREIGN
                (times if quiet else disturbed)[at].extend(last[at]["times"])
                spent += sum(last[at]["times"]) if quiet else 0.25 * TURN
            if spent > 2 * seconds and turn >= 1:
                break
        times = [calm or rest for calm, rest in zip(times, disturbed, strict=True)]
        results = [answer["result"] for answer in last]
        if results[0] is not None and not math.isclose(*results, rel_tol=2e-2):
            raise RuntimeError(f"{name}: the two sides compute different things: {results[0]} and {results[1]}")
        return [{**answer, "seconds": statistics.median(each)} for answer, each in zip(last, times, strict=True)]
    finally:
        for side in sides:
            side.close()


def measure(workload: Workload, rounds: int, seconds: float, threads: int) -> Figure:
    """Return the figure of a workload."""
    found = [run_round(workload.name, seconds, threads) for _ in range(rounds)]
    ratios = sorted(peer["seconds"] / own["seconds"] for own, peer in found)
    return Figure(
        workload,
        statistics.median(own["seconds"] for own, _ in found),
        statistics.median(peer["seconds"] for _, peer in found),
        statistics.median(ratios),
        ratios[0],
        ratios[-1],
        statistics.median(peer["peak"] / own["peak"] for own, peer in found),
        statistics.median(peer["first"] / own["first"] for own, peer in found),
    )


def geometric_mean(values: list[float]) -> float:
    """Return the geometric mean."""
    return math.exp(statistics.fmean(map(math.log, values)))


def as_time(seconds: float) -> str:
    """Return a time in the unit that suits it."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.2f} {unit}"
    return f"{seconds * 1e6:.1f} µs"


def line_of(figure: Figure) -> str:
    """Return a line of the table."""
    return (
        f"| {figure.workload.name.replace('_', ' ')} | {as_time(figure.seconds)} | {as_time(figure.peer_seconds)} | "
        f"{figure.ratio:.2f} | {figure.low:.2f}–{figure.high:.2f} | {figure.memory_ratio:.1f} |"
    )


def table(figures: list[Figure]) -> str:
    """Return all figures, family by family, in Markdown."""
    head = "| workload | facula | PyTorch | ratio | lowest–highest | memory |\n|---|---|---|---|---|---|"
    parts = []
    for family in FAMILIES:
        own = [each for each in figures if each.workload.family == family]
        if own:
            mean = geometric_mean([each.ratio for each in own])
            parts.append("\n".join([f"## {family.capitalize()}: {mean:.2f}", "", head, *map(line_of, own)]))
    return "\n\n".join(parts)


def summary(figures: list[Figure]) -> str:
    """Return what the whole comes to, in two lines."""
    ratios = [each.ratio for each in figures]
    worst = min(figures, key=lambda each: each.ratio)
    ahead = sum(ratio >= 1.0 for ratio in ratios)
    cold = geometric_mean([each.cold_start_ratio for each in figures])
    return (
        f"Geometric mean {geometric_mean(ratios):.2f}; {ahead} of {len(ratios)} at 1.0 or above; the lowest "
        f"{worst.ratio:.2f} ({worst.workload.name.replace('_', ' ')}).\n"
        f"From the start of the process to the end of the first step: {cold:.1f} (geometric mean)."
    )


def machine() -> str:
    """Return the processor's name."""
    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    found = re.search(r"model name\s*:\s*(.*)", text)
    return found.group(1) if found else platform.processor()


def write(figures: list[Figure], threads: int) -> None:
    """Write the report: ``speed.md`` and ``speed.png``."""
    import matplotlib

    matplotlib.use("Agg")
    import facula
    import matplotlib.pyplot as plt
    import torch
    from facula.settings import describe_config

    head = (
        f"# Speed beside PyTorch\n\n{date.today()}, {machine()}, {threads} threads, facula {facula.__version__}, PyTorch "
        f"{torch.__version__}. `python -m benchmarks.speed --write`\n\nA ratio is PyTorch's time over facula's: above 1 "
        "facula is faster. The last column is the same of the peak memory of the process.\n\n"
        f"```\n{describe_config()}\n```\n\n{summary(figures)}\n\n![ratios](speed.png)\n\n"
    )
    (RESULTS / "speed.md").write_text(head + table(figures) + "\n")

    colours = {family: f"C{at}" for at, family in enumerate(FAMILIES)}
    plot, axes = plt.subplots(figsize=(9, 0.24 * len(figures) + 1.2), layout="constrained")
    for at, figure in enumerate(figures):
        axes.barh(at, figure.ratio - 1, left=1, color=colours[figure.workload.family], height=0.7)
        axes.plot([figure.low, figure.high], [at, at], color="black", linewidth=1)
    axes.set_yticks(range(len(figures)), [each.workload.name.replace("_", " ") for each in figures], fontsize=8)
    axes.invert_yaxis()
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xlabel("PyTorch's time / facula's time")
    handles = [plt.Rectangle((0, 0), 1, 1, color=colours[family]) for family in FAMILIES]
    axes.legend(handles, FAMILIES, fontsize=8, loc="lower right")
    plot.savefig(RESULTS / "speed.png", dpi=110)


def main() -> None:
    """Measure what was asked for and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="a regular expression for names of workloads or families")
    parser.add_argument("--seconds", type=float, default=0.6, help="how long each side runs in a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--write", action="store_true", help="write the report to benchmarks/results")
    arguments = parser.parse_args()
    load()
    figures = []
    start = time.perf_counter()
    for each in WORKLOADS.values():
        if re.search(arguments.only, f"{each.name} {each.family}"):
            figures.append(measure(each, arguments.rounds, arguments.seconds, arguments.threads))
            print(line_of(figures[-1]), flush=True)
    if not figures:
        parser.error(f"no workload matches {arguments.only!r}")
    print(f"\n{summary(figures)}\n{time.perf_counter() - start:.0f} s")
    if arguments.write:
        write(figures, arguments.threads)


if __name__ == "__main__":
    main()
