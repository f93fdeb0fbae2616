"""Steps of optimizers."""

from types import ModuleType

from benchmarks.workloads import Step, workload


def _stepping(T: ModuleType, kind: str, shapes: list[tuple[int, ...]], **options: float) -> Step:
    parameters = [T.nn.Parameter(T.randn(*shape)) for shape in shapes]
    for each in parameters:
        each.grad = T.randn(*each.shape)
    return getattr(T.optim, kind)(parameters, **options).step


@workload
def adamw_of_large_tensors(T: ModuleType) -> Step:
    """Ten tensors of a million elements."""
    return _stepping(T, "AdamW", [(1000, 1000)] * 10, lr=1e-3)


@workload
def adam_of_small_tensors(T: ModuleType) -> Step:
    """Two hundred tensors of 256 elements."""
    return _stepping(T, "Adam", [(256,)] * 200, lr=1e-3)


@workload
def sgd_with_momentum(T: ModuleType) -> Step:
    """Ten tensors of a million elements."""
    return _stepping(T, "SGD", [(1000, 1000)] * 10, lr=1e-3, momentum=0.9)


@workload
def gradient_norm_clipping(T: ModuleType) -> Step:
    """Ten gradients of a million elements."""
    parameters = [T.nn.Parameter(T.zeros(1000, 1000)) for _ in range(10)]
    for each in parameters:
        each.grad = T.randn(1000, 1000)
    return lambda: T.nn.utils.clip_grad_norm_(parameters, 1.0)
