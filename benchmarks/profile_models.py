"""Where the time of a training step goes: by operation family, forward, backward and optimizer, and outside of kernels.

    python -m benchmarks.profile_models [--only REGEX] [--seconds 2.0] [--threads N] [--write]

Each training workload of ``workloads/model.py`` runs in a process of its own, with a clock around every kernel and every
array function of a primitive. What the clocks do not see, less what they take themselves, is Python, the walk of the
recorded graph and the making of arrays. The fastest quarter of the steps counts, which other programs disturbed least.
Families are the files of ``facula.ops``.
``--write`` puts the report into ``benchmarks/results/model_profile.md``.
"""

import argparse
import gc
import json
import os
import re
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import date
from typing import Any

from benchmarks.speed import RESULTS, ROOT, as_time, machine
from benchmarks.workloads import WORKLOADS, load

PHASES = ("forward", "backward", "optimizer")


class Clocks:
    """Seconds and calls by (phase, family, operation), of the outermost clock where several are inside each other."""

    def __init__(self) -> None:
        self.seconds: defaultdict[tuple[str, str, str], float] = defaultdict(float)
        self.calls: defaultdict[tuple[str, str, str], int] = defaultdict(int)
        self.phase = "forward"
        self.inside = False

    def around(self, function: Callable[..., Any], family: str, name: str) -> Callable[..., Any]:
        """Return ``function`` with a clock around it."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            if self.inside:
                return function(*args, **kwargs)
            self.inside = True
            start = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                key = (self.phase, family, name)
                self.seconds[key] += time.perf_counter() - start
                self.calls[key] += 1
                self.inside = False

        return timed

    def during(self, function: Callable[..., Any], phase: str) -> Callable[..., Any]:
        """Return ``function`` as the whole of a phase."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            before, self.phase = self.phase, phase
            try:
                return function(*args, **kwargs)
            finally:
                self.phase = before

        return timed


def watch_everything(clocks: Clocks) -> None:
    """Put clocks around all that computes in this process, which does nothing else afterwards."""
    import facula
    from facula import native
    from facula.primitive import Primitive

    for each in gc.get_objects():
        if isinstance(each, Primitive):
            family = each.forward.__module__.rpartition(".")[2]
            each._compute_on_cpu = clocks.around(each._compute_on_cpu, family, each.name.strip("_"))
    if native.available:
        for name, function in list(vars(native.kernels).items()):
            if callable(function) and "num_threads" not in name:
                setattr(
                    native.kernels, name, clocks.around(function, "optimizer" if "step" in name else "kernels", name)
                )
    tensor: Any = facula.Tensor
    tensor.backward = clocks.during(tensor.backward, "backward")
    optimizer: Any = facula.optim.Optimizer
    optimizer.step = clocks.during(optimizer.step, "optimizer")
    optimizer.zero_grad = clocks.during(optimizer.zero_grad, "optimizer")


def cost_of_a_clock() -> float:
    """Return how many seconds a clock adds to a call, outside of what it counts."""
    clocks = Clocks()
    timed = clocks.around(int, "", "")
    start = time.perf_counter()
    for _ in range(10_000):
        timed()
    return (time.perf_counter() - start - sum(clocks.seconds.values())) / 10_000


def profile(name: str, seconds: float, threads: int) -> dict[str, Any]:
    """Return seconds a step, and seconds and calls a step of each (phase, family, operation), measured in this process."""
    import facula

    facula.set_num_threads(threads)
    step = load()[name].make(facula)
    clocks = Clocks()
    watch_everything(clocks)
    cost = cost_of_a_clock()
    for _ in range(3):
        step()
    found = []
    started = time.perf_counter()
    while time.perf_counter() < started + seconds or len(found) < 8:
        clocks.seconds.clear()
        clocks.calls.clear()
        start = time.perf_counter()
        step()
        whole = time.perf_counter() - start - cost * sum(clocks.calls.values())
        found.append((whole, dict(clocks.seconds), dict(clocks.calls)))
    quickest = sorted(found, key=lambda each: each[0])[: max(1, len(found) // 4)]
    count = len(quickest)
    parts = []
    for key, calls in quickest[0][2].items():
        taken = sum(each[1].get(key, 0.0) for each in quickest) / count
        parts.append([*key, taken, calls])
    return {"name": name, "seconds": sum(each[0] for each in quickest) / count, "parts": parts}


def measured(name: str, seconds: float, threads: int) -> dict[str, Any]:
    """Return what `profile` does, from a process of its own."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
    command = [sys.executable, "-m", "benchmarks.profile_models", "--child", name]
    command += ["--seconds", str(seconds), "--threads", str(threads)]
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def report(found: dict[str, Any]) -> str:
    """Return the section of one workload, in Markdown."""
    whole = found["seconds"]
    families: defaultdict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    for phase, family, _, taken, _ in found["parts"]:
        families[family][phase] += taken
    rest = max(0.0, whole - sum(taken for *_, taken, _ in found["parts"]))
    calls = sum(each[4] for each in found["parts"])

    def shares(name: str, taken: list[float]) -> str:
        return (
            f"| {name} | " + " | ".join(f"{each / whole:.1%}" if each else "" for each in [*taken, sum(taken)]) + " |"
        )

    rows = sorted(families.items(), key=lambda each: -sum(each[1].values()))
    lines = [shares(family, [phases[phase] for phase in PHASES]) for family, phases in rows]
    totals = [sum(phases[phase] for _, phases in rows) for phase in PHASES]
    largest = sorted(found["parts"], key=lambda part: -part[3])[:6]
    listed = ", ".join(
        f"{name} {phase} {taken / whole:.0%} ({count:g} calls)" for phase, _, name, taken, count in largest
    )
    return "\n".join(
        [
            f"## {found['name'].replace('_', ' ')}: {as_time(whole)}, {rest / whole:.1%} outside of kernels",
            "",
            f"{calls:g} kernels a step. The largest: {listed}.",
            "",
            "| family | " + " | ".join(PHASES) + " | together |",
            "|---|---|---|---|---|",
            *lines,
            shares("**kernels**", totals),
            f"| **Python, graph, arrays** | | | | {rest / whole:.1%} |",
        ]
    )


def main() -> None:
    """Profile what was asked for and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="a regular expression for names of workloads")
    parser.add_argument("--seconds", type=float, default=2.0, help="how long each workload runs")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--write", action="store_true", help="write the report to benchmarks/results")
    parser.add_argument("--child", default="", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(profile(arguments.child, arguments.seconds, arguments.threads)))
        return
    load()
    names = [each.name for each in WORKLOADS.values() if each.family == "model" and each.name.endswith("_training")]
    sections = []
    for name in names:
        if re.search(arguments.only, name):
            sections.append(report(measured(name, arguments.seconds, arguments.threads)))
            print(sections[-1] + "\n", flush=True)
    if arguments.write:
        import facula

        head = (
            f"# Where the time of a training step goes\n\n{date.today()}, {machine()}, {arguments.threads} threads, facula "
            f"{facula.__version__}. `python -m benchmarks.profile_models --write`\n\nShares of the time of a step, the mean of the fastest quarter. "
            "Families are the files of `facula.ops`; what is outside of kernels is Python, the walk of the recorded graph "
            f"and the making of arrays. Load of the machine at the end, with other programs: {os.getloadavg()[0]:.1f}.\n\n"
        )
        (RESULTS / "model_profile.md").write_text(head + "\n\n".join(sections) + "\n")


if __name__ == "__main__":
    main()
