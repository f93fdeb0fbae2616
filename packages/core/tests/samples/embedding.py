"""Rows of tables of vectors."""

import numpy as np

from samples.sample import COMPLEX, FLOATS, Sample, between, case, integers, numbers

F = "nn.functional."


def embedding_bag(indices, table, offsets=None, mode="mean", per_sample_weights=None, include_last_offset=False,
                  padding_idx=None) -> np.ndarray:  # fmt: skip
    """Return the sum, mean or maximum of the vectors of each bag, bag by bag."""
    weights = np.ones(indices.shape) if per_sample_weights is None else per_sample_weights
    if indices.ndim == 2:
        bags, weights = list(indices), list(weights)
    else:
        ends = offsets[1:] if include_last_offset else [*offsets[1:], len(indices)]
        bags = [indices[start:end] for start, end in zip(offsets, ends)]
        weights = [weights[start:end] for start, end in zip(offsets, ends)]
    result = np.zeros((len(bags), table.shape[1]))
    for row, (bag, weight) in enumerate(zip(bags, weights)):
        kept = [at for at, index in enumerate(bag) if index != padding_idx]
        if not kept:
            continue
        vectors = table[bag[kept]] * weight[kept][:, None]
        result[row] = {"sum": np.sum, "mean": np.mean, "max": np.max}[mode](vectors, 0)
    return result


INDICES = np.array([3, 0, 1, 1, 4, 2])

ROWS = [
    Sample(
        F + "embedding",
        [
            case(integers(0, 5, 2, 3), numbers(5, 2)),
            case(np.array(3), numbers(5, 2)),
            case(integers(0, 5, 0), numbers(5, 2)),
        ],
        lambda indices, table: table[indices],
        dtypes=FLOATS + COMPLEX,
    ),
    Sample(
        F + "embedding_bag",
        [
            *[case(INDICES.reshape(2, 3), numbers(5, 2), mode=mode) for mode in ("sum", "mean", "max")],
            *[case(INDICES, numbers(5, 2), np.array([0, 2, 2]), mode=mode) for mode in ("sum", "mean", "max")],
            case(INDICES, numbers(5, 2), np.array([0, 2, 6]), mode="mean", include_last_offset=True, padding_idx=1),
            case(INDICES.reshape(2, 3), numbers(5, 2), mode="sum", per_sample_weights=between(0.5, 2, 2, 3)),
        ],
        embedding_bag,
        slack=2,
    ),
    Sample(
        F + "one_hot",
        [case(integers(0, 4, 2, 3), 4), case(np.array([0, 2, 1])), case(np.array(1), 3), case(integers(0, 2, 0), 3)],
        lambda x, count=-1: np.eye(count if count > 0 else x.max() + 1, dtype=np.int64)[x],
        dtypes=(),
    ),
]
