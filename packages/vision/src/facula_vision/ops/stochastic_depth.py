"""Stochastic depth: whole residual branches are dropped in training (Huang et al. 2016, arXiv 1603.09382)."""

import facula
from facula import Tensor, nn

__all__ = ["StochasticDepth", "stochastic_depth"]


def stochastic_depth(input: Tensor, p: float, mode: str, training: bool = True) -> Tensor:
    """Return the input with samples set to zero with probability ``p``, the others divided by ``1 - p``.

    With ``mode`` "row" each sample of the batch is decided on by itself, with "batch" all together.
    """
    if not 0 <= p <= 1:
        raise ValueError(f"drop probability has to be between 0 and 1, but got {p}")
    if mode not in ("batch", "row"):
        raise ValueError(f"mode has to be either 'batch' or 'row', but got {mode}")
    if not training or p == 0:
        return input
    count = input.shape[0] if mode == "row" else 1
    kept = facula.empty([count] + [1] * (input.dim() - 1), dtype=input.dtype, device=input.device).bernoulli_(1 - p)
    return input * (kept / (1 - p) if p < 1 else kept)


class StochasticDepth(nn.Module):
    """Layer of `stochastic_depth`, active in training."""

    def __init__(self, p: float, mode: str) -> None:
        super().__init__()
        self.p = p
        self.mode = mode

    def forward(self, input: Tensor) -> Tensor:
        """Return the input, parts of it dropped in training."""
        return stochastic_depth(input, self.p, self.mode, self.training)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p}, mode={self.mode})"
