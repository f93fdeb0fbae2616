"""Attention and recurrent layers."""

from types import ModuleType

from benchmarks.workloads import Step, forward_and_backward, workload


@workload
def causal_attention_training(T: ModuleType) -> Step:
    """Four sequences of 512, 8 heads of 64."""
    q, k, v = (T.randn(4, 8, 512, 64).requires_grad_() for _ in range(3))
    return forward_and_backward(lambda: T.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True), q, k, v)


@workload
def multihead_attention_training(T: ModuleType) -> Step:
    """Eight sequences of 256 vectors of 512, 8 heads."""
    layer = T.nn.MultiheadAttention(512, 8, batch_first=True)
    x = T.randn(8, 256, 512).requires_grad_()
    return forward_and_backward(lambda: layer(x, x, x, need_weights=False)[0], x, *layer.parameters())


@workload
def lstm_training(T: ModuleType) -> Step:
    """Two layers of 256, 32 sequences of 100."""
    layer = T.nn.LSTM(128, 256, 2, batch_first=True)
    x = T.randn(32, 100, 128).requires_grad_()
    return forward_and_backward(lambda: layer(x)[0], x, *layer.parameters())


@workload
def lstm_inference(T: ModuleType) -> Step:
    """One layer of 128, one sequence of 100."""
    layer = T.nn.LSTM(64, 128, batch_first=True)
    x = T.randn(1, 100, 64)

    def step() -> object:
        with T.no_grad():
            return layer(x)

    return step
