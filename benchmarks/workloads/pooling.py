"""Pooling and interpolation."""

from types import ModuleType

from benchmarks.workloads import Step, forward_and_backward, workload


@workload
def max_pool_training(T: ModuleType) -> Step:
    """(16, 64, 112, 112), windows of 3 with stride 2."""
    x = T.randn(16, 64, 112, 112).requires_grad_()
    return forward_and_backward(lambda: T.nn.functional.max_pool2d(x, 3, 2, 1), x)


@workload
def global_average_pool_training(T: ModuleType) -> Step:
    """(32, 512, 7, 7) to one number a channel."""
    x = T.randn(32, 512, 7, 7).requires_grad_()
    return forward_and_backward(lambda: T.nn.functional.adaptive_avg_pool2d(x, 1), x)


@workload
def bilinear_upsampling_training(T: ModuleType) -> Step:
    """(4, 32, 64, 64) to twice the size."""
    x = T.randn(4, 32, 64, 64).requires_grad_()
    return forward_and_backward(
        lambda: T.nn.functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False), x
    )
