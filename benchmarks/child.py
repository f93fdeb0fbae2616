"""One side of a comparison: builds a workload in its own process and runs it when told to.

Started by `benchmarks.speed` with the framework's and the workload's names. It reads a number of seconds a line and
answers with a line of JSON: the times of the steps it ran in them, the processor time these used, the peak of its
memory, and a number computed from a step's result, by which the two sides are compared.
"""

import importlib
import json
import resource
import sys
import time
from typing import Any

from benchmarks.workloads import load


def fingerprint(result: Any) -> float | None:
    """Return the mean size of a result's elements; None where a step returns nothing."""
    while isinstance(result, tuple):
        result = result[0]
    return None if result is None else float(result.detach().float().abs().mean())


def main() -> None:
    """Answer until the input ends."""
    framework, name, threads = sys.argv[1:]
    start = time.perf_counter()
    T = importlib.import_module(framework)
    imported = time.perf_counter() - start
    T.set_num_threads(int(threads))
    T.manual_seed(0)
    step = load()[name].make(T)
    result = fingerprint(step())
    first = time.perf_counter() - start
    for line in sys.stdin:
        times: list[float] = []
        used = time.process_time()
        until = time.perf_counter() + float(line)
        while not times or time.perf_counter() < until:
            begin = time.perf_counter()
            step()
            times.append(time.perf_counter() - begin)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        used = time.process_time() - used
        answer = {"times": times, "used": used, "peak": peak, "result": result, "imported": imported, "first": first}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
