"""Connectionist temporal classification: the loss of label sequences that are not aligned with their inputs."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import NamedTuple

import numpy as np

from facula.backend import Array
from facula.primitive import primitive
from facula.tensor_base import TensorBase, wrap
from facula.types import Tensor

__all__ = ["ctc_loss"]

# Graves et al. 2006, "Connectionist temporal classification". States are the labels with a blank before, between and
# after them; alpha (beta) is the logarithm of the probability of all ways to a state (from it to the end). One step of
# the recursion serves the whole batch.


class Lattice(NamedTuple):
    """The states of a batch: labels (N, S), where a blank may be skipped (N, S), and lengths (N) of input and states."""

    labels: Array
    skips: Array
    input_lengths: Array
    states: Array


def _lattice(xp: ModuleType, targets: Array, input_lengths: Array, target_lengths: Array, blank: int) -> Lattice:
    batch, longest = targets.shape
    labels = xp.full((batch, 2 * longest + 1), blank, np.int64)
    labels[:, 1::2] = targets
    skips = xp.zeros(labels.shape, bool)
    skips[:, 2:] = (labels[:, 2:] != labels[:, :-2]) & (labels[:, 2:] != blank)
    return Lattice(labels, skips, input_lengths, 2 * target_lengths + 1)


def _moved(xp: ModuleType, row: Array, by: int) -> Array:
    """Return states (N, S) from ``by`` places before; minus infinity where there are none."""
    result = xp.full(row.shape, -np.inf, row.dtype)
    if by > 0:
        result[:, by:] = row[:, :-by]
    else:
        result[:, :by] = row[:, -by:]
    return result


def _emissions(xp: ModuleType, x: Array, lattice: Lattice) -> Array:
    """Return the log-probabilities (T, N, S) of the states' labels."""
    return x[:, xp.arange(x.shape[1])[:, None], lattice.labels]


def _forward_pass(xp: ModuleType, emitted: Array, lattice: Lattice) -> Array:
    alpha = xp.full(emitted.shape, -np.inf, emitted.dtype)
    if not len(alpha):
        return alpha
    alpha[0, :, :2] = emitted[0, :, :2]
    for time in range(1, len(alpha)):
        before = alpha[time - 1]
        ways = xp.logaddexp(before, _moved(xp, before, 1))
        skipping = xp.where(lattice.skips, _moved(xp, before, 2), -np.inf)
        alpha[time] = xp.logaddexp(ways, skipping) + emitted[time]
    return alpha


def _backward_pass(xp: ModuleType, emitted: Array, lattice: Lattice) -> Array:
    beta = xp.full(emitted.shape, -np.inf, emitted.dtype)
    state = xp.arange(emitted.shape[2])
    last = (state == lattice.states[:, None] - 1) | (state == lattice.states[:, None] - 2)
    after = xp.full(emitted.shape[1:], -np.inf, emitted.dtype)
    for time in range(len(beta) - 1, -1, -1):
        ways = xp.logaddexp(after, _moved(xp, after, -1))
        skipping = _moved(xp, xp.where(lattice.skips, after, -np.inf), -2)
        ways = xp.logaddexp(ways, skipping)
        # The sequence's own last step ends in one of its last two states; later steps are not its.
        ways = xp.where((lattice.input_lengths == time + 1)[:, None], xp.where(last, 0.0, -np.inf), ways)
        after = beta[time] = (ways + emitted[time]).astype(emitted.dtype, copy=False)
    return beta


@primitive(
    vjp={
        "x": lambda g, x, targets, input_lengths, target_lengths, out, blank, zero_infinity: _ctc_gradient(
            g, x, targets, input_lengths, target_lengths, out, blank=blank, zero_infinity=zero_infinity
        )
    }
)
def _ctc(xp, x, targets, input_lengths, target_lengths, *, blank, zero_infinity):
    """Return the negative log-likelihood (N) of targets (N, L), from log-probabilities (T, N, C)."""
    lattice = _lattice(xp, targets, input_lengths, target_lengths, blank)
    alpha = _forward_pass(xp, _emissions(xp, x, lattice), lattice)
    batch = xp.arange(x.shape[1])
    if not len(alpha):
        likelihood = xp.where(target_lengths == 0, 0.0, -np.inf)
    else:
        end = alpha[xp.maximum(input_lengths - 1, 0), batch]
        labelled = end[batch, xp.maximum(lattice.states - 2, 0)]
        likelihood = xp.logaddexp(end[batch, lattice.states - 1], xp.where(target_lengths > 0, labelled, -np.inf))
        likelihood = xp.where(input_lengths > 0, likelihood, xp.where(target_lengths == 0, 0.0, -np.inf))
    loss = -likelihood.astype(x.dtype, copy=False)
    return xp.where(xp.isinf(loss), x.dtype.type(0), loss) if zero_infinity else loss


def _not_differentiable(g: Tensor) -> Tensor:
    raise RuntimeError("the derivative for '_ctc_loss_backward' is not implemented.")


@primitive(vjp={("g", "x"): _not_differentiable})
def _ctc_gradient(xp, g, x, targets, input_lengths, target_lengths, loss, *, blank, zero_infinity):
    """Return the gradient (T, N, C), as PyTorch has it: of log-probabilities whose exponentials sum to one."""
    lattice = _lattice(xp, targets, input_lengths, target_lengths, blank)
    emitted = _emissions(xp, x, lattice)
    alpha = _forward_pass(xp, emitted, lattice)
    beta = _backward_pass(xp, emitted, lattice)
    end = beta[:1].reshape(-1, *beta.shape[1:])
    if not len(end):
        return xp.zeros(x.shape, x.dtype)
    # Alpha and beta both count the emission, so one is taken out; an impossible one has no share.
    impossible = xp.isneginf(emitted)
    shares = xp.exp(alpha + beta - xp.where(impossible, 0.0, emitted) + loss[:, None])
    result = xp.exp(x)
    batch = xp.arange(x.shape[1])
    for state in range(emitted.shape[2]):
        known = state < lattice.states
        result[:, batch, lattice.labels[:, state]] -= xp.where(known, shares[:, :, state], 0.0)
    unreachable = xp.isneginf(xp.logaddexp.reduce(end[0][:, :2], axis=1))
    result[:, unreachable] = 0 if zero_infinity else np.nan
    inside = xp.arange(len(x))[:, None] < input_lengths
    return xp.where(inside[:, :, None], result * g[:, None], x.dtype.type(0))


def _lengths(lengths: Tensor | Sequence[int], name: str, batch: int, most: int) -> np.ndarray:
    array = lengths._array if isinstance(lengths, TensorBase) else np.asarray(lengths)
    array = (array.get() if hasattr(array, "get") else array).reshape(-1)
    if array.size and array.dtype.kind not in "iu":
        raise RuntimeError(f"{name} must be integral, got {array.dtype}")
    if len(array) != batch:
        raise RuntimeError(f"{name} must be of size batch_size: expected {batch}, got {len(array)}")
    if batch and array.min() < 0:
        raise RuntimeError(f"Expected {name} to have value at least 0, but got value {array.min()}")
    if batch and array.max() > most:
        raise RuntimeError(f"Expected {name} to have value at most {most}, but got value {array.max()}")
    return array.astype(np.int64)


def _padded_targets(targets: Tensor, lengths: np.ndarray, blank: int) -> np.ndarray:
    """Return target labels (N, L), blanks after their ends, from that shape or from one row of all of them."""
    array = targets._array
    array = (array.get() if hasattr(array, "get") else array).astype(np.int64)
    longest = int(lengths.max(initial=0))
    if array.ndim == 1:
        if len(array) != lengths.sum():
            raise RuntimeError(
                f"Expected tensor to have size {lengths.sum()} at dimension 0, but got size {len(array)} for argument "
                "'targets': the sum of target_lengths"
            )
        rows = np.full((len(lengths), longest), blank)
        rows[np.arange(longest) < lengths[:, None]] = array
        return rows
    if array.ndim != 2 or array.shape[0] != len(lengths):
        raise RuntimeError(
            f"Expected targets of shape ({len(lengths)}, S) or (sum of target_lengths,), got {list(targets.shape)}"
        )
    if array.shape[1] < longest:
        raise RuntimeError(
            f"Expected tensor to have size at least {longest} at dimension 1, but got size {array.shape[1]} for argument "
            "'targets'"
        )
    return np.where(np.arange(longest) < lengths[:, None], array[:, :longest], blank)


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Tensor | Sequence[int],
    target_lengths: Tensor | Sequence[int],
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """Return the negative log-likelihood of label sequences, from log-probabilities (T, N, C) or (T, C).

    Targets are (N, S) or all labels in one row; ``blank`` is the class of no label. "mean" divides each loss by its
    target's length first. ``zero_infinity`` counts targets that cannot be reached as zero. Graves et al. 2006.

    >>> steps = facula.full((4, 1, 3), 1 / 3).log()
    >>> facula.nn.functional.ctc_loss(steps, facula.tensor([[1, 2]]), (4,), (2,), reduction="sum")
    tensor(1.6864)
    """
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    if log_probs.dim() not in (2, 3):
        raise RuntimeError(f"ctc_loss: expected log_probs of 2 or 3 dimensions, got {log_probs.dim()}")
    if log_probs.dtype.name not in ("float32", "float64"):
        raise NotImplementedError(f"\"ctc_loss_cpu\" not implemented for '{log_probs.dtype.name.title()}'")
    alone = log_probs.dim() == 2
    scores = log_probs.unsqueeze(1) if alone else log_probs
    steps, batch, classes = scores.shape
    if not 0 <= blank < classes:
        raise RuntimeError(f"blank must be in label range: expected 0 to {classes - 1}, got {blank}")
    spans = _lengths(input_lengths, "input_lengths", batch, steps)
    counts = _lengths(target_lengths, "target_lengths", batch, max(targets.numel(), 0))
    rows = _padded_targets(targets, counts, blank)
    if rows.size and not 0 <= rows.min() <= rows.max() < classes:
        raise RuntimeError(
            f"targets must be in label range: expected 0 to {classes - 1}, got {rows.min()} to {rows.max()}"
        )
    device = log_probs.device
    arguments = [wrap(each).to(device=device) for each in (rows, spans, counts)]
    loss = _ctc(scores, *arguments, blank=blank, zero_infinity=zero_infinity)
    if reduction == "mean":
        return (loss / wrap(np.maximum(counts, 1)).to(device=device, dtype=loss.dtype)).mean()
    if reduction == "sum":
        return loss.sum()
    return loss.squeeze(0) if alone else loss
