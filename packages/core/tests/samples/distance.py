"""Rows of distances between all rows of one matrix."""

from itertools import combinations

import numpy as np

from samples.norms import length
from samples.sample import WIDE_FLOATS, Sample, case, numbers

ROWS = [
    Sample(
        "nn.functional.pdist",
        [case(numbers(4, 3)), case(numbers(4, 3), 3.0), case(numbers(3, 2), 1.0), case(numbers(1, 2))],
        lambda x, p=2.0: np.array([length(x[i] - x[j], p) for i, j in combinations(range(len(x)), 2)]),
        WIDE_FLOATS,
        slack=4,
        aliases=["pdist"],
    ),
]
