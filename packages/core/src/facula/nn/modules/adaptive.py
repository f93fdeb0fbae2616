"""A softmax over very many classes, where rare ones share clusters."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from facula.devices import device as Device
from facula.dtypes import dtype as DType
from facula.nn.module import Module
from facula.nn.modules.container import ModuleList, Sequential
from facula.nn.modules.linear import Linear
from facula.ops.joining import cat
from facula.tensor import Tensor

__all__ = ["AdaptiveLogSoftmaxWithLoss"]


class _Result(NamedTuple):
    output: Tensor
    loss: Tensor


_Result.__name__ = "_ASMoutput"


class AdaptiveLogSoftmaxWithLoss(Module):
    """The log-probability of the target among classes sorted by how frequent they are, and its mean as a loss.

    The head tells frequent classes and clusters apart; a cluster, of the classes from one cutoff to the next, gets
    fewer and fewer features (divided by ``div_value`` each). Grave et al. 2017, arXiv 1609.04309.
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: Device | str | int | None = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__()
        cutoffs = list(cutoffs)
        if not cutoffs:
            raise ValueError("cutoffs should be a sequence of length larger than 0")
        rising = all(before < after for before, after in pairwise([0, *cutoffs, n_classes]))
        if not rising or any(int(each) != each for each in cutoffs):
            raise ValueError(
                "cutoffs should be a sequence of unique, positive integers sorted in an increasing order, where each "
                f"value is between 1 and n_classes-1; got {cutoffs} for {n_classes} classes"
            )
        self.in_features = in_features
        self.n_classes = n_classes
        self.cutoffs = [*cutoffs, n_classes]
        self.div_value = div_value
        self.head_bias = head_bias
        self.shortlist_size = cutoffs[0]
        self.n_clusters = len(cutoffs)
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, bias=head_bias, device=device, dtype=dtype)
        self.tail = ModuleList()
        for number, (start, end) in enumerate(pairwise(self.cutoffs), start=1):
            width = int(in_features // div_value**number)
            narrow = Linear(in_features, width, bias=False, device=device, dtype=dtype)
            self.tail.append(Sequential(narrow, Linear(width, end - start, bias=False, device=device, dtype=dtype)))

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        self.head.reset_parameters()
        pair: Any
        for pair in self.tail:
            narrow, wide = pair
            narrow.reset_parameters()
            wide.reset_parameters()

    def forward(self, input_: Tensor, target_: Tensor) -> _Result:
        """Return the log-probabilities (N) of targets (N), from features (N, in), and minus their mean."""
        _check(input_, target_)
        alone = target_.dim() == 0
        input, target = (input_.unsqueeze(0), target_.unsqueeze(0)) if alone else (input_, target_)
        if target.numel() and (int(target.min()) < 0 or int(target.max()) >= self.n_classes):
            raise RuntimeError(
                f"Target values should be in [0, {self.n_classes - 1}], but values in range "
                f"[{target.min().item()}, {target.max().item()}] were found. "
            )
        # What the head is asked for: the class itself, or its cluster.
        entry = target
        output = input.new_zeros(len(target))
        for number, (start, end) in enumerate(pairwise(self.cutoffs)):
            inside = (target >= start) & (target < end)
            rows = inside.nonzero().squeeze(1)
            if not rows.numel():
                continue
            entry = entry.masked_fill(inside, self.shortlist_size + number)
            scores = self.tail[number](input.index_select(0, rows)).log_softmax(1)
            output = output.index_copy(0, rows, scores.gather(1, (target[rows] - start).unsqueeze(1)).squeeze(1))
        output = output + self.head(input).log_softmax(1).gather(1, entry.unsqueeze(1)).squeeze(1)
        loss = -output.mean()
        return _Result(output.squeeze(0) if alone else output, loss)

    def _all_classes(self, input: Tensor, head_output: Tensor) -> Tensor:
        head = head_output.log_softmax(1)
        parts = [head[:, : self.shortlist_size]]
        for number, cluster in enumerate(self.tail):
            parts.append(cluster(input).log_softmax(1) + head[:, self.shortlist_size + number].unsqueeze(1))
        return cat(parts, 1)

    def log_prob(self, input: Tensor) -> Tensor:
        """Return the log-probabilities (N, classes) of all classes, from features (N, in)."""
        return self._all_classes(input, self.head(input))

    def predict(self, input: Tensor) -> Tensor:
        """Return the likeliest class (N), looking into clusters only for rows where one of these is the likeliest."""
        head_output = self.head(input)
        output = head_output.argmax(1)
        rare = output >= self.shortlist_size
        if bool(rare.any()):
            output[rare] = self._all_classes(input[rare], head_output[rare]).argmax(1)
        return output


def _check(input: Tensor, target: Tensor) -> None:
    if target.dim() > 1:
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
    if target.dim() == 1 and input.shape[0] != target.shape[0]:
        raise RuntimeError("Input and target should have the same size in the batch dimension.")
    if input.dim() != target.dim() + 1:
        raise RuntimeError(
            f"{target.dim()}D target tensor expects {target.dim() + 1}D input tensors, but found inputs with size "
            f"{input.shape}"
        )
