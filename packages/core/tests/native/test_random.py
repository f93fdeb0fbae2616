"""Random numbers from compiled kernels: those of the array code, bit for bit, and the same state after them."""

from collections.abc import Callable

import numpy as np
import pytest
from facula import native, rng
from facula.rng import Generator

SIZES = [1, 3, 16, 17, 700, 2048, 5001, 40000]
FILLS: dict[str, Callable[[Generator, int], np.ndarray]] = {
    "bernoulli": lambda stream, size: rng.bernoulli(stream, (size,), 0.3),
    "scaled bernoulli": lambda stream, size: rng.bernoulli(stream, (size,), 0.9, np.float32, 1 / 0.9),
    "never": lambda stream, size: rng.bernoulli(stream, (size,), 0.0),
    "always": lambda stream, size: rng.bernoulli(stream, (size,), 1.0),
    "unit uniform": lambda stream, size: rng.uniform(stream, (size,)),
    "uniform": lambda stream, size: rng.uniform(stream, (size,), -0.7, 1.9),
    "uniform between neighbours": lambda stream, size: rng.uniform(stream, (size,), 1.0, 1.0000001),
    "normal": lambda stream, size: rng.normal(stream, (size,)),
    "normal elsewhere": lambda stream, size: rng.normal(stream, (size,), 0.3, 2.5),
}


@pytest.mark.parametrize("name", FILLS)
def test_numbers_and_state_are_those_of_the_array_code(name, monkeypatch) -> None:
    if not native.available:
        pytest.skip("the compiled kernels were not built, or are switched off")
    compiled, arrays = Generator().manual_seed(3), Generator().manual_seed(3)
    for size in SIZES:
        # An odd number of words before: pairs of them lie across the ends of blocks.
        compiled.skip(1)
        found = FILLS[name](compiled, size)
        with monkeypatch.context() as patch:
            patch.setattr(native, "available", False)
            arrays.skip(1)
            expected = FILLS[name](arrays, size)
        assert found.tobytes() == expected.tobytes(), size
        assert compiled.get_state_array().tobytes() == arrays.get_state_array().tobytes()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_single_number_is_an_array_too(dtype) -> None:
    found = rng.bernoulli(Generator().manual_seed(0), (), 1.0, dtype, 2.0)
    assert type(found) is np.ndarray and found.shape == () and found == 2
