"""Rows of pooling over windows at random places, the random numbers given."""

from itertools import product

import numpy as np

from samples.sample import WIDE_FLOATS, Sample, between, case, distinct

F = "nn.functional."


def starts(sample: float, length: int, count: int, size: int) -> list[int]:
    """Return where windows start, as Graham 2014 (arXiv 1412.6071) has it: steps of a broken length, cut to integers."""
    step = (length - size) / max(count - 1, 1)
    return [int((at + sample) * step) - int(sample * step) for at in range(count - 1)] + [length - size]


def pool(rank: int, indices: bool):
    def reference(x, kernel, output_size=None, return_indices=indices, _random_samples=None) -> object:
        lengths = x.shape[-rank:]
        shape = (*x.shape[:-rank], *output_size)
        values, index = np.zeros(shape), np.zeros(shape, np.int64)
        for place in np.ndindex(*x.shape[:-rank]):
            # As in PyTorch, an image's random numbers are for its width first, a volume's for its depth first.
            samples = _random_samples[place][::-1] if rank == 2 else _random_samples[place]
            begins = [starts(*each, kernel) for each in zip(samples, lengths, output_size)]
            for at in product(*map(range, output_size)):
                corner = [begin[n] for begin, n in zip(begins, at)]
                window = x[(*place, *(slice(n, n + kernel) for n in corner))]
                best = np.unravel_index(window.argmax(), window.shape)
                values[(*place, *at)] = window.max()
                index[(*place, *at)] = np.ravel_multi_index([n + m for n, m in zip(corner, best)], lengths)
        return (values, index) if return_indices else values

    return reference


CASES = {
    2: [case(distinct(1, 2, 5, 6), 2, (2, 3), _random_samples=between(0, 1, 1, 2, 2))],
    3: [case(distinct(1, 1, 4, 5, 4), 2, (2, 2, 3), _random_samples=between(0, 1, 1, 1, 3))],
}
ROWS = [
    Sample(
        F + f"fractional_max_pool{rank}d{suffix}",
        cases,
        pool(rank, bool(suffix)),
        WIDE_FLOATS,
        ("same", "int64") if suffix else "same",
        differentiable=[0],
    )
    for suffix in ("", "_with_indices")
    for rank, cases in CASES.items()
]
