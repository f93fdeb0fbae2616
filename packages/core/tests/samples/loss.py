"""Rows of losses: what they are for one element or row, and how these are reduced."""

from collections.abc import Callable

import numpy as np
from scipy import special

from samples.sample import Sample, between, booleans, case, integers, numbers

F = "nn.functional."
SIGNS = np.array([1, -1, 1])


def reduced(each: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    """Return the loss as a function with ``reduction``, from the losses of the elements or rows."""

    def loss(*arguments: np.ndarray, reduction: str = "mean", **options: object) -> np.ndarray:
        losses = each(*arguments, **options)
        return {"mean": np.mean, "sum": np.sum, "none": np.asarray}[reduction](losses)

    return loss


def reductions(*arguments: np.ndarray, **options: object) -> list:
    return [case(*arguments, **options, reduction=reduction) for reduction in ("mean", "sum", "none")]


def cross_entropy(
    x: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> np.ndarray:
    return nll_loss(
        special.log_softmax(x, min(1, x.ndim - 1)), target, weight, ignore_index, reduction, label_smoothing
    )


def nll_loss(
    x: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> np.ndarray:
    """Return the negative logarithms of the targets' probabilities, place by place."""
    classes = x.shape[min(1, x.ndim - 1)]
    weight = np.ones(classes) if weight is None else weight
    rows = np.moveaxis(x, min(1, x.ndim - 1), -1)
    losses, weights = np.zeros(rows.shape[:-1]), np.zeros(rows.shape[:-1])
    if target.dtype.kind == "f":
        shares = np.moveaxis(target, min(1, x.ndim - 1), -1) * (1 - label_smoothing) + label_smoothing / classes
        losses, weights = -(rows * weight * shares).sum(-1), np.ones(rows.shape[:-1])
    else:
        for place in np.ndindex(target.shape):
            wanted = target[place]
            if wanted == ignore_index:
                continue
            smooth = -(rows[place] * weight).mean() if label_smoothing else 0.0
            losses[place] = -(1 - label_smoothing) * weight[wanted] * rows[(*place, wanted)] + label_smoothing * smooth
            weights[place] = weight[wanted]
    if reduction == "none":
        return losses
    return losses.sum() / weights.sum() if reduction == "mean" else losses.sum()


def ctc_loss(
    log_probs: np.ndarray,
    targets: np.ndarray,
    input_lengths: np.ndarray,
    target_lengths: np.ndarray,
    blank: int = 0,
    reduction: str = "mean",
) -> np.ndarray:
    """Return -log of the summed probabilities of all labellings that read as the target: the forward recursion."""
    losses = []
    for item, (steps, count) in enumerate(zip(input_lengths, target_lengths)):
        symbols = [blank]
        for symbol in targets[item, :count]:
            symbols += [symbol, blank]
        alpha = np.zeros(len(symbols))
        alpha[:2] = np.exp(log_probs[0, item, symbols[:2]])
        for step in range(1, steps):
            before, alpha = alpha, np.zeros(len(symbols))
            for at, symbol in enumerate(symbols):
                reached = before[at] + (before[at - 1] if at else 0)
                if at > 1 and symbol != blank and symbol != symbols[at - 2]:
                    reached += before[at - 2]
                alpha[at] = reached * np.exp(log_probs[step, item, symbol])
        losses.append(-np.log(alpha[-2:].sum()))
    if reduction == "mean":
        return np.mean(np.array(losses) / np.maximum(target_lengths, 1))
    return np.sum(losses) if reduction == "sum" else np.array(losses)


def cosine(x: np.ndarray, y: np.ndarray, dim: int = 1) -> np.ndarray:
    return (x * y).sum(dim) / (np.linalg.norm(x, axis=dim) * np.linalg.norm(y, axis=dim))


def cosine_embedding(x: np.ndarray, y: np.ndarray, target: np.ndarray, margin: float = 0) -> np.ndarray:
    return np.where(target == 1, 1 - cosine(x, y), np.maximum(cosine(x, y) - margin, 0))


def binary_cross_entropy(x: np.ndarray, target: np.ndarray, weight: np.ndarray | float = 1) -> np.ndarray:
    return -weight * (target * np.log(x) + (1 - target) * np.log(1 - x))


def with_logits(
    x: np.ndarray, target: np.ndarray, weight: np.ndarray | float = 1, pos_weight: np.ndarray | float = 1
) -> np.ndarray:
    x = x.astype(np.float64)
    return weight * (target * pos_weight * np.log1p(np.exp(-x)) + (1 - target) * np.log1p(np.exp(x)))


def gaussian_nll(x: np.ndarray, target: np.ndarray, var: np.ndarray | float, full: bool = False) -> np.ndarray:
    losses = 0.5 * (np.log(var) + (x - target) ** 2 / var)
    return losses + 0.5 * np.log(2 * np.pi) if full else losses


def huber(x: np.ndarray, target: np.ndarray, delta: float = 1.0) -> np.ndarray:
    away = np.abs(x - target)
    return np.where(away <= delta, 0.5 * away**2, delta * (away - 0.5 * delta))


def smooth_l1(x: np.ndarray, target: np.ndarray, beta: float = 1.0) -> np.ndarray:
    return huber(x, target, beta) / beta


def kl_div(x: np.ndarray, target: np.ndarray, log_target: bool = False, reduction: str = "mean") -> np.ndarray:
    losses = np.exp(target) * (target - x) if log_target else special.xlogy(target, target) - target * x
    if reduction == "batchmean":
        return losses.sum() / x.shape[0]
    return reduced(lambda: losses)(reduction=reduction)


def poisson_nll(
    x: np.ndarray, target: np.ndarray, log_input: bool = True, full: bool = False, eps: float = 1e-8
) -> np.ndarray:
    losses = np.exp(x) - target * x if log_input else x - target * np.log(x + eps)
    stirling = target * np.log(target) - target + 0.5 * np.log(2 * np.pi * target)
    return losses + np.where(target > 1, stirling, 0) if full else losses


def multi_margin(
    x: np.ndarray, target: np.ndarray, p: int = 1, margin: float = 1.0, weight: np.ndarray | None = None
) -> np.ndarray:
    losses = np.zeros(len(x))
    for row, (values, wanted) in enumerate(zip(x, target)):
        for other, value in enumerate(values):
            if other != wanted:
                scale = 1 if weight is None else weight[wanted]
                losses[row] += scale * max(0, margin - values[wanted] + value) ** p / len(values)
    return losses


def multilabel_margin(x: np.ndarray, target: np.ndarray) -> np.ndarray:
    losses = np.zeros(len(x))
    for row, (values, labels) in enumerate(zip(x, target)):
        wanted = list(labels[: list(labels).index(-1)] if -1 in labels else labels)
        for label in wanted:
            others = [value for other, value in enumerate(values) if other not in wanted]
            losses[row] += sum(max(0, 1 - (values[label] - value)) for value in others) / len(values)
    return losses


def multilabel_soft_margin(x: np.ndarray, target: np.ndarray, weight: np.ndarray | float = 1) -> np.ndarray:
    return (weight * with_logits(x, target)).mean(-1)


def distance(x: np.ndarray, y: np.ndarray, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> np.ndarray:
    return (np.abs(x - y + eps) ** p).sum(-1, keepdims=keepdim) ** (1 / p)


def triplet(
    anchor: np.ndarray,
    positive: np.ndarray,
    negative: np.ndarray,
    margin: float = 1.0,
    p: float = 2.0,
    swap: bool = False,
) -> np.ndarray:
    far = distance(anchor, negative, p)
    if swap:
        far = np.minimum(far, distance(positive, negative, p))
    return np.maximum(distance(anchor, positive, p) - far + margin, 0)


X, Y, Z = numbers(3, 4), numbers(3, 4, seed=1), numbers(3, 4, seed=2)
CLASSES, SOME_IGNORED = np.array([2, 0, 3]), np.array([2, -100, 3])
NOTHING = [case(numbers(0, 4), numbers(0, 4), reduction="sum")]

ROWS = [
    Sample(F + "mse_loss", [*reductions(X, Y), *NOTHING], reduced(lambda x, y: (x - y) ** 2), slack=2),
    Sample(F + "l1_loss", [*reductions(X, Y), *NOTHING], reduced(lambda x, y: np.abs(x - y))),
    Sample(F + "smooth_l1_loss", [*reductions(X, Y), case(X, Y, beta=0.3)], reduced(smooth_l1), slack=2),
    Sample(F + "huber_loss", [*reductions(X, Y), case(X, Y, delta=0.3), *NOTHING], reduced(huber), slack=2),
    Sample(F + "soft_margin_loss", reductions(numbers(3), SIGNS), reduced(lambda x, y: np.log1p(np.exp(-y * x)))),
    Sample(
        F + "binary_cross_entropy",
        [
            *reductions(between(0.1, 0.9, 3, 4), between(0, 1, 3, 4, seed=1)),
            case(between(0.1, 0.9, 3, 4), between(0, 1, 3, 4, seed=1), between(0.5, 2, 4)),
        ],
        reduced(binary_cross_entropy),
        differentiable=[0, 1],
        slack=2,
    ),
    Sample(
        F + "binary_cross_entropy_with_logits",
        [
            *reductions(X, between(0, 1, 3, 4)),
            case(X, between(0, 1, 3, 4), between(0.5, 2, 4), pos_weight=between(0.5, 2, 4, seed=1)),
        ],
        reduced(with_logits),
        differentiable=[0, 1],
        slack=2,
    ),
    Sample(
        F + "cross_entropy",
        [
            *reductions(X, CLASSES),
            *reductions(X, SOME_IGNORED, weight=between(0.5, 2, 4), label_smoothing=0.2),
            case(numbers(2, 3, 2), integers(0, 3, 2, 2)),
            case(numbers(4), np.array(1)),
            *reductions(X, special.softmax(Y, 1), between(0.5, 2, 4), label_smoothing=0.1)[1:],
            case(numbers(0, 4), integers(0, 4, 0), reduction="none"),
        ],
        cross_entropy,
        differentiable=[0],
        slack=2,
    ),
    Sample(
        F + "linear_cross_entropy",
        [
            case(X, numbers(5, 4, seed=2), CLASSES),
            case(X, numbers(5, 4, seed=2), CLASSES, linear_bias=numbers(5), reduction="sum", label_smoothing=0.1),
        ],
        lambda x, matrix, target, linear_bias=0, **options: cross_entropy(
            x @ matrix.T + linear_bias, target, **options
        ),
        slack=4,
    ),
    Sample(
        F + "nll_loss",
        [
            *reductions(X, CLASSES),
            *reductions(X, SOME_IGNORED, between(0.5, 2, 4)),
            case(numbers(2, 3, 2, 2), integers(0, 3, 2, 2, 2)),
            case(numbers(4), np.array(1)),
        ],
        nll_loss,
        differentiable=[0],
        slack=2,
    ),
    Sample(
        F + "ctc_loss",
        reductions(
            special.log_softmax(numbers(5, 2, 4), -1),
            np.array([[1, 2, 2], [3, 1, 0]]),
            np.array([5, 4]),
            np.array([3, 2]),
        ),
        ctc_loss,
        dtypes=("float32", "float64"),
        without={"derivatives": "as in PyTorch, the gradient is that of what was normalized by log_softmax"},
    ),
    Sample(
        F + "kl_div",
        [
            *reductions(special.log_softmax(X, 1), special.softmax(Y, 1))[1:],
            case(special.log_softmax(X, 1), special.log_softmax(Y, 1), log_target=True, reduction="batchmean"),
        ],
        kl_div,
        slack=2,
    ),
    Sample(
        F + "poisson_nll_loss",
        [
            *reductions(X, between(0.5, 3, 3, 4)),
            case(between(0.5, 2, 3, 4), between(0.5, 3, 3, 4), log_input=False, full=True),
        ],
        reduced(poisson_nll),
        slack=2,
    ),
    Sample(
        F + "gaussian_nll_loss",
        [*reductions(X, Y, between(0.5, 2, 3, 4)), case(X, Y, between(0.5, 2, 3, 1), full=True)],
        reduced(gaussian_nll),
        slack=2,
    ),
    Sample(
        F + "hinge_embedding_loss",
        reductions(numbers(3), SIGNS, margin=0.7),
        reduced(lambda x, y, margin: np.where(y == 1, x, np.maximum(margin - x, 0))),
    ),
    Sample(
        F + "margin_ranking_loss",
        reductions(numbers(3), numbers(3, seed=1), SIGNS, margin=0.1),
        reduced(lambda x, y, target, margin: np.maximum(-target * (x - y) + margin, 0)),
    ),
    Sample(F + "cosine_similarity", [case(X, Y), case(X, Y, 0)], cosine, slack=2, aliases=["cosine_similarity"]),
    Sample(F + "cosine_embedding_loss", reductions(X, Y, SIGNS, margin=0.1), reduced(cosine_embedding), slack=2),
    Sample(
        F + "pairwise_distance",
        [case(X, Y), case(X, Y, 3.0, keepdim=True), case(numbers(0, 4), numbers(1, 4))],
        distance,
        slack=2,
        aliases=["pairwise_distance"],
    ),
    Sample(
        F + "triplet_margin_loss",
        [*reductions(X, Y, Z), case(X, Y, Z, margin=2.0, p=3.0, swap=True)],
        reduced(triplet),
        slack=4,
    ),
    Sample(
        F + "triplet_margin_with_distance_loss",
        [*reductions(X, Y, Z), case(X, Y, Z, margin=2.0, swap=True)],
        reduced(triplet),
        slack=4,
    ),
    Sample(
        F + "multi_margin_loss",
        [*reductions(X, CLASSES), case(X, CLASSES, 2, 0.6, between(0.5, 2, 4))],
        reduced(multi_margin),
        differentiable=[0],
        slack=2,
    ),
    Sample(
        F + "multilabel_margin_loss",
        reductions(X, np.array([[3, 0, -1, 1], [1, -1, 0, 0], [0, 1, 2, 3]])),
        reduced(multilabel_margin),
        slack=2,
    ),
    Sample(
        F + "multilabel_soft_margin_loss",
        [*reductions(X, booleans(3, 4).astype(np.float64)), case(X, between(0, 1, 3, 4), between(0.5, 2, 4))],
        reduced(multilabel_soft_margin),
        differentiable=[0],
        slack=2,
    ),
]
