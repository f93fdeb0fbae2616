"""Matrix products."""

from types import ModuleType

from benchmarks.workloads import Step, forward_and_backward, workload


@workload
def matmul_256(T: ModuleType) -> Step:
    """Two matrices of 256x256."""
    a, b = T.rand(256, 256), T.rand(256, 256)
    return lambda: a @ b


@workload
def matmul_1024(T: ModuleType) -> Step:
    """Two matrices of 1024x1024."""
    a, b = T.rand(1024, 1024), T.rand(1024, 1024)
    return lambda: a @ b


@workload
def batched_matmul(T: ModuleType) -> Step:
    """Sixty-four products of 128x64 and 64x128."""
    a, b = T.rand(64, 128, 64), T.rand(64, 64, 128)
    return lambda: a @ b


@workload
def matrix_times_vector(T: ModuleType) -> Step:
    """4096x4096 by 4096."""
    a, x = T.rand(4096, 4096), T.rand(4096)
    return lambda: a @ x


@workload
def linear_training(T: ModuleType) -> Step:
    """A batch of 512 from 1024 to 1024 features, forward and backward."""
    layer = T.nn.Linear(1024, 1024)
    x = T.rand(512, 1024).requires_grad_()
    return forward_and_backward(lambda: layer(x), x, layer.weight, layer.bias)
