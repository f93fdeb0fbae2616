"""Rows of functions whose arguments come in another order, or as numbers, than those of ``nn.functional``."""

from collections.abc import Callable

import numpy as np

from samples import convolution, embedding, loss, normalization, norms, padding, pooling
from samples.random import ANY_NUMBERS, IN_MEMORY, dropout
from samples.sample import COMPLEX, FLOATS, NUMBERS, Sample, between, case, distinct, integers, numbers

REDUCTIONS = ("none", "mean", "sum")
X, Y, Z, SIGNS = loss.X, loss.Y, loss.Z, loss.SIGNS


def by_number(reference: Callable, *names: str) -> Callable:
    """Return the reference as a function of positional options, the last of them a reduction's number."""

    def numbered(*arguments: object) -> np.ndarray:
        arrays = [each for each in arguments if isinstance(each, np.ndarray)]
        given = dict(zip(names, arguments[len(arrays) :]))
        reduction = REDUCTIONS[given.pop("reduction")]
        return reference(*arrays, **given, reduction=reduction)

    return numbered


def each_reduction(*arguments: object) -> list:
    return [case(*arguments, number) for number in (0, 1, 2)]


def lossy(name: str, cases: list, reference: Callable, **options: object) -> Sample:
    return Sample(name, cases, reference, **{"slack": 4, **options})


def with_logits(x, target, weight=1, pos_weight=1, reduction=1) -> np.ndarray:
    losses = loss.with_logits(x, target, weight, pos_weight)
    return {"none": np.asarray, "mean": np.mean, "sum": np.sum}[REDUCTIONS[reduction]](losses)


def convolve(x, weight, bias, stride, padding, dilation, transposed, output_padding, groups) -> np.ndarray:
    if transposed:
        return convolution.transposed_convolution(x, weight, bias, stride, padding, output_padding, groups, dilation)
    return convolution.convolution(x, weight, bias, stride, padding, dilation, groups)


def batch_norm(x, weight, bias, mean, var, training, momentum, eps, cudnn=True) -> np.ndarray:
    return normalization.batch_norm(x, mean, var, weight, bias, training, momentum, eps)


def instance_norm(x, weight, bias, mean, var, use_input_stats, momentum, eps, cudnn) -> np.ndarray:
    return normalization.instance_norm(x, mean, var, weight, bias, use_input_stats, eps)


def max_pool(rank: int, indices: bool = False) -> Callable:
    pool = pooling.max_pool(rank, indices)
    return lambda x, kernel, stride=(), *options: pool(x, kernel, stride or None, *options)


def embedding_bag(table, indices, offsets, scale_grad_by_freq=False, mode=0) -> np.ndarray:
    return embedding.embedding_bag(indices, table, offsets, ("sum", "mean", "max")[mode])


def embedding_renorm(table, indices, max_norm, norm_type) -> np.ndarray:
    result = np.array(table)
    named = np.unique(indices)
    result[named] = norms.renorm(table[named], norm_type, 0, max_norm)
    return result


def norm_except_dim(v: np.ndarray, pow: int = 2, dim: int = 0) -> np.ndarray:
    others = tuple(at for at in range(v.ndim) if at != dim % v.ndim)
    return norms.length(v, pow, None if dim == -1 else others, dim != -1)


def random(name: str, cases: list, **options: object) -> Sample:
    return Sample(name, cases, dropout, random=True, **options)


W, B, POSITIVE = normalization.W, normalization.B, between(0.5, 2, 3, seed=3)
SIZES = {"dropout": (3, 4), "feature_dropout": (2, 3, 2)}
NEVER = {
    "derivatives": "it overwrites a table, as in PyTorch without a gradient",
    "strides": "it overwrites its argument",
    "out": "the same",
}

ROWS = [
    Sample(
        "embedding",
        [case(numbers(5, 2), integers(0, 5, 2, 3)), case(numbers(5, 2), np.array(3))],
        lambda table, indices: table[indices],
        FLOATS + COMPLEX,
    ),
    Sample(
        "embedding_bag",
        [case(numbers(5, 2), embedding.INDICES, np.array([0, 2, 2]), False, mode) for mode in (0, 1, 2)],
        embedding_bag,
        slack=2,
        canonical=lambda result, *others: result,
        without={"dtype": "it has four results"},
    ),
    Sample(
        "batch_norm",
        [
            case(numbers(2, 3, 2), W, B, None, None, True, 0.1, 1e-5, True),
            case(numbers(4, 3), None, None, None, None, True, 0.1, 0.1, False),
        ],
        batch_norm,
        slack=4,
    ),
    Sample(
        "batch_norm",
        [case(numbers(2, 3, 2), W, B, numbers(3, seed=4), POSITIVE, False, 0.1, 1e-5, True)],
        batch_norm,
        slack=4,
        differentiable=[0, 1, 2],
    ),
    Sample("instance_norm", [case(numbers(2, 3, 4), W, B, None, None, True, 0.1, 1e-5, True)], instance_norm, slack=4),
    Sample(
        "layer_norm",
        [case(numbers(2, 3), (3,), W, B), case(numbers(2, 2, 3), (2, 3))],
        normalization.layer_norm,
        slack=4,
    ),
    Sample(
        "group_norm",
        [case(numbers(2, 6, 2), 3, between(0.5, 2, 6), numbers(6, seed=1)), case(numbers(2, 4), 2)],
        normalization.group_norm,
        slack=4,
    ),
    Sample(
        "convolution",
        [
            case(numbers(1, 2, 4, 3), numbers(2, 2, 3, 2), numbers(2), (1, 1), (1, 1), (1, 1), False, (0, 0), 1),
            case(numbers(1, 2, 2, 3), numbers(2, 2, 2, 1), None, (2, 2), (0, 0), (1, 1), True, (1, 0), 1),
        ],
        convolve,
        FLOATS + COMPLEX,
        slack=4,
    ),
    Sample(
        "constant_pad_nd",
        [case(numbers(2, 3), (1, 2)), case(numbers(3, 4), (-1, 2, 1, -1), 7.0)],
        lambda x, pad, value=0: padding.pad(x, pad, value=value),
        NUMBERS,
    ),
    *[
        Sample(
            f"max_pool{rank}d",
            [case(distinct(1, 2, *(4,) * rank), 2), case(distinct(1, 1, *(5,) * rank), 3, 2, 1)],
            max_pool(rank),
        )
        for rank in (1, 2, 3)
    ],
    Sample("max_pool1d_with_indices", [case(distinct(1, 2, 4), 2)], max_pool(1, True), result=("same", "int64")),
    Sample(
        "adaptive_max_pool1d",
        [case(distinct(1, 2, 5), 2)],
        pooling.adaptive(1, pooling.largest),
        result=("same", "int64"),
    ),
    Sample(
        "norm_except_dim",
        [case(numbers(2, 3, 2)), case(numbers(2, 3), 3, 1), case(numbers(2, 3), 2, -1)],
        norm_except_dim,
        slack=2,
    ),
    Sample(
        "embedding_renorm_",
        [case(3 * numbers(5, 2), np.array([3, 0, 3]), 1.5, 2.0)],
        embedding_renorm,
        slack=2,
        without=NEVER,
    ),
    lossy(
        "binary_cross_entropy_with_logits",
        [
            *[case(X, between(0, 1, 3, 4), reduction=number) for number in (0, 1, 2)],
            case(X, between(0, 1, 3, 4), between(0.5, 2, 4), between(0.5, 2, 4, seed=1)),
        ],
        with_logits,
        differentiable=[0, 1],
    ),
    lossy(
        "cosine_embedding_loss",
        each_reduction(X, Y, SIGNS, 0.1),
        by_number(loss.reduced(loss.cosine_embedding), "margin", "reduction"),
    ),
    lossy(
        "hinge_embedding_loss",
        each_reduction(numbers(3), SIGNS, 0.7),
        by_number(
            loss.reduced(lambda x, y, margin: np.where(y == 1, x, np.maximum(margin - x, 0))), "margin", "reduction"
        ),
    ),
    lossy(
        "margin_ranking_loss",
        each_reduction(numbers(3), numbers(3, seed=1), SIGNS, 0.1),
        by_number(
            loss.reduced(lambda x, y, target, margin: np.maximum(-target * (x - y) + margin, 0)), "margin", "reduction"
        ),
    ),
    lossy(
        "kl_div",
        each_reduction(np.log(between(0.1, 1, 3, 4)), between(0.1, 1, 3, 4, seed=1)),
        by_number(loss.kl_div, "reduction"),
    ),
    lossy(
        "poisson_nll_loss",
        each_reduction(X, between(0.5, 3, 3, 4), True, False, 1e-8),
        by_number(loss.reduced(loss.poisson_nll), "log_input", "full", "eps", "reduction"),
    ),
    lossy(
        "triplet_margin_loss",
        each_reduction(X, Y, Z, 1.0, 2.0, 1e-6, False),
        by_number(
            lambda x, y, z, margin, p, eps, swap, reduction: loss.reduced(loss.triplet)(
                x, y, z, margin, p, swap, reduction=reduction
            ),
            "margin",
            "p",
            "eps",
            "swap",
            "reduction",
        ),
    ),
    lossy(
        "ctc_loss",
        [
            case(*next(each for each in loss.ROWS if each.name.endswith("ctc_loss")).cases[0].arguments, 0, number)
            for number in (0, 1, 2)
        ],
        lambda *arguments: loss.ctc_loss(*arguments[:5], REDUCTIONS[arguments[5]]),
        dtypes=("float32", "float64"),
        without={"derivatives": "as in PyTorch, the gradient is that of what was normalized by log_softmax"},
    ),
    *[
        random(name, [case(numbers(*SIZES[name]), p, train) for p, train in [(0.0, True), (1.0, True), (0.5, False)]])
        for name in ("dropout", "feature_dropout")
    ],
    random("dropout", [case(numbers(*SIZES["dropout"]), 0.4, True)], without={**ANY_NUMBERS, **IN_MEMORY}),
    random("feature_dropout", [case(numbers(*SIZES["feature_dropout"]), 0.4, True)], without=ANY_NUMBERS),
    *[
        random(name, [case(numbers(2, 3, 2), 0.3, False), case(numbers(2, 3, 2), 0.0, True)])
        for name in ("alpha_dropout", "feature_alpha_dropout")
    ],
    *[
        random(name, [case(numbers(2, 3, 2), 0.3, True)], without=ANY_NUMBERS)
        for name in ("alpha_dropout", "feature_alpha_dropout")
    ],
    Sample(
        "rrelu",
        [case(numbers(3, 4), 0.1, 0.3), case(numbers(3, 4), 0.2, 0.2, True)],
        lambda x, low, high, training=False: np.where(x > 0, x, x * (low + high) / 2),
        random=True,
    ),
    Sample("rrelu", [case(numbers(3, 4), 0.1, 0.3, True)], np.copy, random=True, without=ANY_NUMBERS),
]
