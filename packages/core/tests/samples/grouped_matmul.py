"""Rows of products of groups of rows."""

import numpy as np

from samples.sample import Sample, case, numbers


def grouped_mm(a: np.ndarray, b: np.ndarray, offs: np.ndarray | None = None) -> np.ndarray:
    """Return, group by group, the product of its rows, its columns, or of its part of the summed dimension."""
    if offs is None:
        return a @ b
    groups = [slice(start, end) for start, end in zip([0, *offs[:-1]], offs)]
    if a.ndim == 2 and b.ndim == 3:
        return np.concatenate([a[rows] @ b[at] for at, rows in enumerate(groups)])
    if a.ndim == 3:
        return np.concatenate([a[at] @ b[:, columns] for at, columns in enumerate(groups)], -1)
    return np.stack([a[:, part] @ b[part] for part in groups])


ENDS = np.array([1, 4], np.int32)

ROWS = [
    Sample(
        "nn.functional.grouped_mm",
        [
            case(numbers(4, 3), numbers(2, 3, 2), offs=ENDS),
            case(numbers(2, 2, 3), numbers(3, 4), offs=ENDS),
            case(numbers(2, 4), numbers(4, 3), offs=ENDS),
            case(numbers(2, 2, 3), numbers(2, 3, 2)),
        ],
        grouped_mm,
        slack=4,
    ),
]
