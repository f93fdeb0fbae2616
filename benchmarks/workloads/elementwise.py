"""Operations element by element on large tensors: most are bound by memory."""

from types import ModuleType

from benchmarks.workloads import Step, forward_and_backward, workload

SIZE = 1 << 22


@workload
def add(T: ModuleType) -> Step:
    """Two tensors of 4M elements."""
    a, b = T.rand(SIZE), T.rand(SIZE)
    return lambda: a + b


@workload
def add_broadcast_over_channels(T: ModuleType) -> Step:
    """(16, 64, 56, 56) plus one number a channel."""
    x, bias = T.rand(16, 64, 56, 56), T.rand(1, 64, 1, 1)
    return lambda: x + bias


@workload
def add_bfloat16(T: ModuleType) -> Step:
    """Two tensors of 4M elements in bfloat16."""
    a, b = T.rand(SIZE).to(T.bfloat16), T.rand(SIZE).to(T.bfloat16)
    return lambda: a + b


@workload
def add_float64(T: ModuleType) -> Step:
    """Two tensors of 2M elements in float64."""
    a, b = T.rand(SIZE // 2, dtype=T.float64), T.rand(SIZE // 2, dtype=T.float64)
    return lambda: a + b


@workload
def exp(T: ModuleType) -> Step:
    """4M elements."""
    x = T.rand(SIZE)
    return lambda: x.exp()


@workload
def gelu_training(T: ModuleType) -> Step:
    """4M elements, forward and backward."""
    x = T.randn(SIZE).requires_grad_()
    return forward_and_backward(lambda: T.nn.functional.gelu(x), x)


@workload
def where(T: ModuleType) -> Step:
    """4M elements of either of two tensors."""
    a, b = T.rand(SIZE), T.rand(SIZE)
    chosen = a > 0.5
    return lambda: T.where(chosen, a, b)


@workload
def chain_of_four(T: ModuleType) -> Step:
    """Four operations, each with a result of 4M elements."""
    a, b = T.rand(SIZE), T.rand(SIZE)
    return lambda: ((a * b + 1.0) / (b + 2.0)).sqrt()


@workload
def dropout_training(T: ModuleType) -> Step:
    """4M elements, forward and backward."""
    x = T.rand(SIZE).requires_grad_()
    return forward_and_backward(lambda: T.nn.functional.dropout(x, 0.1), x)


@workload
def transposed_copy(T: ModuleType) -> Step:
    """A matrix of 2048x2048, its transpose made contiguous."""
    x = T.rand(2048, 2048)
    return lambda: x.t().contiguous()


@workload
def concatenation(T: ModuleType) -> Step:
    """Four tensors, side by side."""
    parts = [T.rand(512, 512) for _ in range(4)]
    return lambda: T.cat(parts, 1)


@workload
def bytes_to_normalized_floats(T: ModuleType) -> Step:
    """Thirty-two images, from bytes to numbers of mean 0."""
    images = T.randint(0, 256, (32, 3, 224, 224), dtype=T.uint8)
    return lambda: (images.float() / 255.0 - 0.5) / 0.25


@workload
def sine(T: ModuleType) -> Step:
    """4M elements."""
    x = T.randn(SIZE)
    return lambda: x.sin()
