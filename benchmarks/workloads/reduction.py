"""Reductions, softmax, norms, losses, look-ups, sorting."""

from types import ModuleType

from benchmarks.workloads import Step, forward_and_backward, workload


@workload
def sum_of_rows(T: ModuleType) -> Step:
    """(4000, 1000), along the last dimension."""
    x = T.rand(4000, 1000)
    return lambda: x.sum(1)


@workload
def sum_of_columns(T: ModuleType) -> Step:
    """(4000, 1000), along the first dimension."""
    x = T.rand(4000, 1000)
    return lambda: x.sum(0)


@workload
def argmax(T: ModuleType) -> Step:
    """(4000, 1000), along the last dimension."""
    x = T.rand(4000, 1000)
    return lambda: x.argmax(1)


@workload
def cumulative_sum(T: ModuleType) -> Step:
    """(4000, 1000), along the last dimension."""
    x = T.rand(4000, 1000)
    return lambda: x.cumsum(1)


@workload
def softmax(T: ModuleType) -> Step:
    """(4000, 1000), along the last dimension."""
    x = T.randn(4000, 1000)
    return lambda: x.softmax(1)


@workload
def cross_entropy_training(T: ModuleType) -> Step:
    """Two thousand rows of 2,000 classes, forward and backward."""
    x = T.randn(2000, 2000).requires_grad_()
    wanted = T.randint(0, 2000, (2000,))
    return forward_and_backward(lambda: T.nn.functional.cross_entropy(x, wanted), x)


@workload
def layer_norm_training(T: ModuleType) -> Step:
    """(4000, 768), forward and backward."""
    layer = T.nn.LayerNorm(768)
    x = T.randn(4000, 768).requires_grad_()
    return forward_and_backward(lambda: layer(x), x, layer.weight, layer.bias)


@workload
def batch_norm_training(T: ModuleType) -> Step:
    """(16, 64, 56, 56), forward and backward."""
    layer = T.nn.BatchNorm2d(64)
    x = T.randn(16, 64, 56, 56).requires_grad_()
    return forward_and_backward(lambda: layer(x), x, layer.weight, layer.bias)


@workload
def embedding_training(T: ModuleType) -> Step:
    """Eight thousand look-ups among 20,000 vectors of 256, forward and backward."""
    layer = T.nn.Embedding(20_000, 256)
    chosen = T.randint(0, 20_000, (16, 512))
    return forward_and_backward(lambda: layer(chosen), layer.weight)


@workload
def scatter_add(T: ModuleType) -> Step:
    """A million numbers into 100,000 places."""
    places, values = T.randint(0, 100_000, (1_000_000,)), T.rand(1_000_000)
    zeros = T.zeros(100_000)
    return lambda: zeros.scatter_add(0, places, values)


@workload
def sort(T: ModuleType) -> Step:
    """A million numbers."""
    x = T.rand(1_000_000)
    return lambda: x.sort()


@workload
def norms_of_rows(T: ModuleType) -> Step:
    """(4000, 1000), along the last dimension."""
    x = T.randn(4000, 1000)
    return lambda: x.norm(dim=1)


@workload
def logsumexp(T: ModuleType) -> Step:
    """(4000, 1000), along the last dimension."""
    x = T.randn(4000, 1000)
    return lambda: x.logsumexp(1)


@workload
def gather(T: ModuleType) -> Step:
    """A million elements, a thousand from each row of a thousand."""
    x, places = T.rand(1000, 1000), T.randint(0, 1000, (1000, 1000))
    return lambda: x.gather(1, places)


@workload
def index_add(T: ModuleType) -> Step:
    """Four thousand rows of 256 into a thousand."""
    zeros, places, rows = T.zeros(1000, 256), T.randint(0, 1000, (4000,)), T.rand(4000, 256)
    return lambda: zeros.index_add(0, places, rows)


@workload
def distances(T: ModuleType) -> Step:
    """A thousand points of 64 coordinates, each from each of a thousand others."""
    x, y = T.rand(1000, 64), T.rand(1000, 64)
    return lambda: T.cdist(x, y)
