"""Fractional max pooling: windows at random places."""

import facula
import numpy as np
import pytest
from facula.autograd import gradcheck, gradgradcheck
from facula.nn.functional import fractional_max_pool2d, fractional_max_pool3d


def _starts(sample: float, length: int, count: int, size: int) -> list[int]:
    step = (length - size) / (count - 1) if count > 1 else 0
    return [int((at + sample) * step) - int(sample * step) for at in range(count - 1)] + [length - size]


@pytest.mark.parametrize("rank", [2, 3])
def test_each_window_gives_its_largest(rank: int) -> None:
    random = np.random.default_rng(0)
    lengths, counts, sizes = (7, 6, 5)[:rank], (3, 4, 2)[:rank], (2, 3, 1)[:rank]
    x, samples = random.standard_normal((2, 1, *lengths)), random.random((2, 1, rank))
    pool = fractional_max_pool2d if rank == 2 else fractional_max_pool3d
    options = {"_random_samples": facula.from_numpy(samples), "return_indices": True}
    values, indices = pool(facula.from_numpy(x), sizes, counts, **options)
    for sample in range(2):
        numbers = samples[sample, 0] if rank == 3 else samples[sample, 0, ::-1]
        starts = [_starts(*each) for each in zip(numbers, lengths, counts, sizes, strict=True)]
        for place in np.ndindex(*counts):
            first = [each[at] for each, at in zip(starts, place, strict=True)]
            window = tuple(slice(start, start + size) for start, size in zip(first, sizes, strict=True))
            assert values[(sample, 0, *place)].item() == x[(sample, 0, *window)].max()
    flat = facula.from_numpy(x).flatten(2).gather(2, indices.flatten(2))
    np.testing.assert_array_equal(flat.reshape(values.shape).numpy(), values.numpy())


def test_ratio_and_one_sample_alone() -> None:
    x = facula.randn(3, 8, 6)
    facula.manual_seed(0)
    alone = fractional_max_pool2d(x, 2, output_ratio=(0.5, 0.5))
    facula.manual_seed(0)
    assert alone.equal(fractional_max_pool2d(x[None], 2, (4, 3))[0])


def test_derivatives() -> None:
    x = facula.arange(40.0, dtype=facula.float64).reshape(1, 1, 8, 5).requires_grad_()
    samples = facula.full((1, 1, 2), 0.3, dtype=facula.float64)

    def pool(x: facula.Tensor) -> facula.Tensor:
        return fractional_max_pool2d(x, 2, (3, 2), _random_samples=samples) ** 2

    assert gradcheck(pool, (x,))
    assert gradgradcheck(pool, (x,))


def test_module_and_mistakes() -> None:
    module = facula.nn.FractionalMaxPool2d(2, output_ratio=0.5)
    assert module(facula.randn(1, 1, 8, 8)).shape == (1, 1, 4, 4)
    with pytest.raises(ValueError, match="either an output size"):
        facula.nn.FractionalMaxPool3d(2)
    with pytest.raises(ValueError, match="only one"):
        facula.nn.FractionalMaxPool2d(2, 3, 0.5)
    with pytest.raises(ValueError, match="between 0 and 1"):
        facula.nn.FractionalMaxPool2d(2, output_ratio=1.5)
    with pytest.raises(ValueError, match="output_size or an output_ratio"):
        fractional_max_pool2d(facula.zeros(1, 4, 4), 2)
    with pytest.raises(RuntimeError, match="too large"):
        fractional_max_pool2d(facula.zeros(1, 4, 4), 3, 3)
    with pytest.raises(RuntimeError, match="_random_samples"):
        fractional_max_pool2d(facula.zeros(1, 4, 4), 2, 2, _random_samples=facula.zeros(1, 2, 2))
