"""What one recorded call on 8x8 tensors costs, forward and backward, next to PyTorch, in alternating turns.

    python -m benchmarks.eager_calls

Prints a Markdown table: nanoseconds (the smallest of many turns) and the ratio PyTorch / facula; above 1 facula is faster.
"""

import time
from collections.abc import Callable
from types import ModuleType

import facula

TURNS, CALLS = 60, 200


def programs(T: ModuleType) -> dict[str, tuple[Callable[[], object], int]]:
    """Return, for each name, a function and how many operations one call of it stands for."""
    T.manual_seed(0)
    x = T.randn(8, 8, requires_grad=True)
    w = T.randn(8, 8, requires_grad=True)
    unit = T.ones(8, 8)

    def backward_of(operation: Callable) -> Callable[[], None]:
        def chain() -> None:
            y = x
            for _ in range(50):
                y = operation(y, w)
            y.backward(unit)
            x.grad = w.grad = None

        return chain

    def scaled_matmul(y: object, v: object) -> object:
        return y @ v

    return {
        "add, recorded": (lambda: x + w, 1),
        "mul, recorded": (lambda: x * w, 1),
        "matmul, recorded": (lambda: x @ w, 1),
        "add, forward and backward": (backward_of(lambda y, v: y + v), 50),
        "mul, forward and backward": (backward_of(lambda y, v: y * v), 50),
        "matmul, forward and backward": (backward_of(scaled_matmul), 50),
    }


def seconds(function: Callable[[], object], calls: int) -> float:
    """Return what one call costs, over several."""
    start = time.perf_counter()
    for _ in range(calls):
        function()
    return (time.perf_counter() - start) / calls


def main() -> None:
    """Measure and print the table."""
    import torch

    torch.set_num_threads(1)
    ours, theirs = programs(facula), programs(torch)
    print("| call | facula, ns | PyTorch, ns | ratio |")
    print("|---|---|---|---|")
    for name, (function, operations) in ours.items():
        calls = max(CALLS // operations, 4)
        best = [min(seconds(each, calls) for _ in range(3)) for each in (function, theirs[name][0])]
        for _ in range(TURNS):
            best[0] = min(best[0], seconds(function, calls))
            best[1] = min(best[1], seconds(theirs[name][0], calls))
        mine, other = (each / operations * 1e9 for each in best)
        print(f"| {name} | {mine:.0f} | {other:.0f} | {other / mine:.2f} |")


if __name__ == "__main__":
    main()
