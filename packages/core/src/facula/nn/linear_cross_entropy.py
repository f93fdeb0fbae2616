"""The function behind LinearCrossEntropyLoss, and its options."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

from facula import dtypes
from facula.dtypes import dtype as DType
from facula.ops.linear_cross_entropy import chunked_losses
from facula.ops.loss import cross_entropy
from facula.ops.matmul import linear
from facula.tensor import Tensor

_ACCUMULATORS = (dtypes.float16, dtypes.bfloat16, dtypes.float32, dtypes.float64)


@dataclass(slots=True, frozen=True)
class LinearCrossEntropyOptions:
    """How many rows `linear_cross_entropy` takes at a time, so that the scores of all rows never exist at once.

    ``batch_chunk_size`` is that number, or ``chunking_method`` finds it: "aspect_ratio" makes the scores of a chunk
    about as large as the input, "aspect_ratio:k" k times smaller. ``acc_policy`` and ``acc_dtype`` are PyTorch's;
    sums are in float32 at least here, and gradients may be asked for several times whatever ``allow_retain_graph`` says.
    """

    allow_retain_graph: bool = False
    batch_chunk_size: int | None = None
    chunking_method: str | None = "auto"
    acc_policy: str = "auto"
    acc_dtype: DType | None = None

    def __post_init__(self) -> None:
        if self.acc_policy not in ("auto", "accurate", "balanced", "compact"):
            raise ValueError(f"invalid acc_policy: {self.acc_policy!r}")
        if self.chunking_method not in (None, "auto") and not _factor(self.chunking_method):
            raise ValueError(f"invalid chunking_method: {self.chunking_method!r}")
        size = self.batch_chunk_size
        if size is not None and (not isinstance(size, int) or size < 1):
            raise ValueError(f"batch_chunk_size must be positive int or None, got {size!r}")
        if self.acc_dtype is not None and self.acc_dtype not in _ACCUMULATORS:
            raise ValueError(
                f"acc_dtype must be None or one of {[str(each) for each in _ACCUMULATORS]}, got {self.acc_dtype!r}"
            )

    def rows_at_a_time(self, rows: int, features: int, classes: int, dtype: DType) -> int:
        """Return how many of ``rows`` inputs with so many features are scored together for so many classes."""
        method = self.chunking_method
        if method == "auto":
            reduced = dtype in (dtypes.float16, dtypes.bfloat16)
            method = None if self.batch_chunk_size is not None else "aspect_ratio" if reduced else "aspect_ratio:2"
        given = rows if self.batch_chunk_size is None else min(self.batch_chunk_size, rows)
        if method is None:
            return max(given, 1)
        wanted = -(-rows // -(-classes // features))
        found = min((1 << max(wanted - 1, 0).bit_length()) // _factor(method), rows)
        if self.batch_chunk_size is not None and self.batch_chunk_size != found:
            raise ValueError(
                f"batch_chunk_size (={self.batch_chunk_size}) and chunking_method ('{method}') give different chunk sizes "
                f"({self.batch_chunk_size} vs {found}); pass only one."
            )
        return max(found, 1)


def _factor(method: str) -> int:
    """Return the k of "aspect_ratio:k", 1 when it is left out; 0 for another word."""
    name, _, factor = method.partition(":")
    if name != "aspect_ratio" or (":" in method and not factor.isdigit()):
        return 0
    return int(factor or 1)


def linear_cross_entropy(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    *,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: LinearCrossEntropyOptions | None = None,
) -> Tensor:
    """Return the cross-entropy of ``input @ linear_weight.T + linear_bias`` with targets.

    Shapes: input (N, in) or (in); linear_weight (C, in) or (C, d1, …, dk, in); target (N, d1, …) of classes or
    (N, C, d1, …) of probabilities. With ``options`` a few rows are taken at a time, which saves memory where there are
    many classes.

    >>> input, weight = facula.ones(2, 3), facula.zeros(4, 3)
    >>> facula.nn.functional.linear_cross_entropy(input, weight, facula.tensor([0, 3]))
    tensor(1.3863)
    """
    classes, features = linear_weight.shape[0], linear_weight.shape[1:-1]
    _check(input, linear_weight, linear_bias)
    of_probabilities = tuple(target.shape) == (*input.shape[:-1], classes, *features)
    if of_probabilities and ignore_index is not None:
        raise RuntimeError("ignore_index cannot be specified when target contains probabilities")
    ignored = -100 if ignore_index is None else ignore_index
    if options is not None:
        fits = reduction in ("mean", "sum", "none") and label_smoothing == 0 and target.dtype is dtypes.int64
        if fits and not features:
            return _chunked(input, linear_weight, linear_bias, target, weight, reduction, ignored, options)
        warnings.warn(
            "linear_cross_entropy: ``options`` ignored; they need reduction 'mean', 'sum' or 'none', no label_smoothing, "
            f"an int64 target and a linear_weight of 2 dimensions. Got reduction={reduction!r}, "
            f"label_smoothing={label_smoothing}, target.dtype={target.dtype}, linear_weight.shape={linear_weight.shape}.",
            stacklevel=2,
        )
    matrix = linear_weight.reshape(math.prod(features, start=classes), linear_weight.shape[-1])
    scores = linear(input, matrix, None if linear_bias is None else linear_bias.reshape(-1))
    return cross_entropy(
        scores.reshape(*input.shape[:-1], classes, *features),
        target,
        weight,
        ignore_index=ignored,
        reduction=reduction,
        label_smoothing=label_smoothing,
    )


def _check(input: Tensor, linear_weight: Tensor, linear_bias: Tensor | None) -> None:
    if input.dim() not in (1, 2):
        raise RuntimeError(f"expected input with dimensionality 1 or 2, got {input.dim()}")
    if linear_weight.dim() < 2:
        raise RuntimeError(f"expected linear_weight with dimensionality at least 2, got {linear_weight.dim()}")
    if input.shape[-1] != linear_weight.shape[-1]:
        raise RuntimeError(
            "expected equal input and linear_weight last dimensions (in_features), got "
            f"{input.shape[-1]} and {linear_weight.shape[-1]}, respectively"
        )
    shape = tuple(linear_weight.shape[:-1])
    if linear_bias is not None and tuple(linear_bias.shape) != shape:
        raise RuntimeError(f"expected linear_bias shape {shape}, got {tuple(linear_bias.shape)}")
    if len(shape) > 1 and input.dim() == 1:
        raise RuntimeError(
            f"K-dimensional loss defined by linear_weight shape {tuple(linear_weight.shape)} requires batched input, "
            f"(N, {input.shape[0]}), got unbatched input with shape {tuple(input.shape)}"
        )


def _chunked(
    input: Tensor,
    linear_weight: Tensor,
    linear_bias: Tensor | None,
    target: Tensor,
    weight: Tensor | None,
    reduction: str,
    ignore_index: int,
    options: LinearCrossEntropyOptions,
) -> Tensor:
    alone = input.dim() == 1
    rows, labels = (input.unsqueeze(0), target.reshape(1)) if alone else (input, target)
    classes, features = linear_weight.shape
    if labels.shape != rows.shape[:1]:
        raise ValueError(f"Expected input batch_size ({rows.shape[0]}) to match target batch_size ({labels.shape[0]}).")
    kept = labels != ignore_index
    if bool((kept & ((labels < 0) | (labels >= classes))).any()):
        raise IndexError(f"Target is out of bounds: expected 0 to {classes - 1}, or {ignore_index}.")
    index = labels.where(kept, 0)
    size = options.rows_at_a_time(rows.shape[0], features, classes, rows.dtype)
    losses = chunked_losses(rows, linear_weight, linear_bias, index, size)
    shares = kept.to(losses.dtype) if weight is None else weight[index].where(kept, 0.0)
    losses = (losses * shares).where(kept, 0.0)
    if reduction == "mean":
        return losses.sum() / shares.sum()
    if reduction == "sum":
        return losses.sum()
    return losses.squeeze(0) if alone else losses
