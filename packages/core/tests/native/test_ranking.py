"""The middle element, and the best so far."""

import numpy as np
import pytest
from facula import native
from facula.ops import cumulative, extrema, sorting
from facula.rng import discrete

SHAPES = [((1,), 0), ((7,), 0), ((40_001,), 0), ((50, 33), 1), ((50, 33), 0), ((3, 200, 5), 1), ((2, 20_000), 1)]


@pytest.fixture(autouse=True)
def _needs_kernels() -> None:
    if not native.available:
        pytest.skip("the compiled kernels were not built, or are switched off")


def numbers(*shape: int, dtype: type = np.float32) -> np.ndarray:
    """Return numbers of which many are equal, and both zeros are among them."""
    found = np.round(3 * np.random.default_rng(0).standard_normal(shape))
    return found.astype(dtype)


@pytest.mark.parametrize(("shape", "dim"), SHAPES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.int32])
def test_middles_and_running_extremes(held, shape, dim, dtype) -> None:
    for x in (numbers(*shape, dtype=dtype), (1e6 * numbers(*shape) ** 3).astype(dtype)):
        for keepdim in (True, False):
            held(extrema._median, x, dim=dim, keepdim=keepdim, ignore_nan=False, tolerance=0)
        held(cumulative._cummax, x, dim=dim, tolerance=0)
        held(cumulative._cummin, x, dim=dim, tolerance=0)


@pytest.mark.parametrize(("shape", "dim"), [((70,), 0), ((50, 333), 1), ((50, 33), 0), ((3, 200, 5), 1)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.int32])
@pytest.mark.parametrize("largest", [True, False])
def test_the_best_few(held, shape, dim, dtype, largest) -> None:
    x = np.random.default_rng(0).permutation(int(np.prod(shape))).reshape(shape).astype(dtype)
    for k in (1, 5, 32):
        held(sorting._topk, x - x.size // 2, k=k, dim=dim, largest=largest, tolerance=0)
    if np.issubdtype(dtype, np.floating):
        x.reshape(-1)[:3] = np.nan, np.inf, -np.inf
        held(sorting._topk, x, k=3, dim=dim, largest=largest, tolerance=0)
    held(sorting._topk, x, k=shape[dim], dim=dim, largest=largest, accepts=False)


def test_of_equals_the_first_are_the_best() -> None:
    values, places = sorting._topk.kernels["native"](np.zeros((2, 300), np.float32), k=4, dim=1, largest=True)
    assert (values == 0).all() and (places == np.arange(4)).all()


@pytest.mark.parametrize("n", [1, 2, 7, 31, 32, 33, 34, 1000, 70_000])
def test_permutations_are_those_of_the_array_code(n) -> None:
    draws = np.random.default_rng(0).integers(0, 2**32, n - 1, np.uint64)
    steps = np.arange(n - 1)
    targets = (draws % (n - steps).astype(np.uint64)).astype(np.int64) + steps
    np.testing.assert_array_equal(native.kernels.permutation(draws), discrete._swapped_in_turn(targets, n))


@pytest.mark.parametrize("ignore_nan", [True, False])
def test_what_is_not_a_number(held, ignore_nan) -> None:
    x = numbers(30, 21)
    x[3, 4:9] = np.nan
    x[4] = np.nan
    x[5, 2], x[6, 3], x[7, 0] = np.inf, -np.inf, np.nan
    for dim in (0, 1):
        held(extrema._median, x, dim=dim, keepdim=False, ignore_nan=ignore_nan, tolerance=0)
        held(cumulative._cummax, x, dim=dim, tolerance=0)
        held(cumulative._cummin, x, dim=dim, tolerance=0)


def test_what_is_left_to_the_array_code(held) -> None:
    held(extrema._median, numbers(4, 5, dtype=np.float16), dim=1, keepdim=False, ignore_nan=False, accepts=False)
    held(cumulative._cummax, numbers(4, 5).T, dim=1, accepts=False)
    held(cumulative._cummax, numbers(0, 5), dim=1, accepts=False)
