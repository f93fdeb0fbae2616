"""Rows of reductions of runs."""

import numpy as np

from samples.sample import WIDE_FLOATS, Sample, case, distinct

FUNCTIONS = {"sum": np.sum, "mean": np.mean, "max": np.max, "min": np.min, "prod": np.prod}
START = {"sum": 0.0, "max": -np.inf, "min": np.inf, "prod": 1.0}


def segment_reduce(data, reduce, lengths=None, offsets=None, axis=0, unsafe=False, initial=None) -> np.ndarray:
    """Return each run reduced on its own, row by row of what comes before the axis."""
    bounds = np.insert(np.cumsum(lengths, -1), 0, 0, -1) if offsets is None else offsets
    result = np.empty((*bounds.shape[:-1], bounds.shape[-1] - 1, *data.shape[axis + 1 :]))
    for row in np.ndindex(bounds.shape[:-1]):
        for run, (low, high) in enumerate(zip(bounds[row][:-1], bounds[row][1:], strict=True)):
            part = data[row][low:high]
            count = len(part)
            if initial is not None:
                part = np.concatenate([np.full((1, *part.shape[1:]), initial), part])
            if reduce == "mean":
                result[(*row, run)] = part.sum(0) / max(count, 1)
            elif len(part):
                result[(*row, run)] = FUNCTIONS[reduce](part, 0)
            else:
                result[(*row, run)] = START[reduce]
    return result


ROWS = [
    Sample(
        "segment_reduce",
        [
            *[case(distinct(5), each, lengths=np.array([2, 0, 3]), initial=2.0) for each in FUNCTIONS],
            *[case(distinct(5, 2), each, offsets=np.array([0, 2, 5])) for each in FUNCTIONS],
            case(distinct(2, 3, 2), "sum", lengths=np.array([[2, 1], [1, 2]]), axis=1),
            case(distinct(2, 3, 2), "max", lengths=np.array([[1, 1], [1, 2]]), axis=1, unsafe=True),
        ],
        segment_reduce,
        WIDE_FLOATS,
        slack=2,
    ),
]
