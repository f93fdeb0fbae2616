"""Random numbers on the GPU: CuPy's Philox stream, restarted for each call from a generator's seed and offset.

The numbers are not those PyTorch draws on a GPU. The same seed and the same calls give the same numbers, and a
generator's state (seed and offset) is all it takes to go on from a saved place.
"""

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from facula.rng.shapes import Shape, element_count, float_limits

if TYPE_CHECKING:
    from facula.rng.generator import Generator

_GOLDEN = 0x9E3779B97F4A7C15


def uniform(generator: "Generator", shape: Shape, low: float, high: float, dtype: np.dtype) -> np.ndarray:
    """Return numbers spread evenly over [low, high)."""
    values = _unit(generator, shape, dtype)
    if (low, high) != (0.0, 1.0):
        values *= high - low
        values += low
    values = values.astype(dtype)
    values[values == high] = low
    return values


def normal(generator: "Generator", shape: Shape, mean: float, std: float, dtype: np.dtype) -> np.ndarray:
    """Return numbers from the normal distribution."""
    return _normal(generator, shape, mean, std, dtype).astype(dtype)


def exponential(generator: "Generator", shape: Shape, lambd: float, dtype: np.dtype) -> np.ndarray:
    """Return numbers from the exponential distribution."""
    return (_cupy().log1p(-_unit(generator, shape, dtype)) * (-1.0 / lambd)).astype(dtype)


def cauchy(generator: "Generator", shape: Shape, median: float, sigma: float, dtype: np.dtype) -> np.ndarray:
    """Return numbers from the Cauchy distribution."""
    return (median + sigma * _cupy().tan(np.pi * (_unit(generator, shape, dtype) - 0.5))).astype(dtype)


def log_normal(generator: "Generator", shape: Shape, mean: float, std: float, dtype: np.dtype) -> np.ndarray:
    """Return e raised to normal numbers."""
    return _cupy().exp(_normal(generator, shape, mean, std, dtype)).astype(dtype)


def random_integers(generator: "Generator", shape: Shape, first: int, last: int, dtype: np.dtype) -> np.ndarray:
    """Return integers from ``first`` to ``last``, both included."""
    state = _cuda_random_state(generator, 2 * element_count(shape))
    return state.randint(first, last + 1, size=shape, dtype=np.int64).astype(dtype)


def permutation(generator: "Generator", n: int, dtype: np.dtype) -> np.ndarray:
    """Return 0 ... n - 1 in random order."""
    return _cuda_random_state(generator, n).permutation(n).astype(dtype)


def bernoulli(generator: "Generator", shape: Shape, probability: float | np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return ones with the given probability and zeros otherwise."""
    work = getattr(probability, "dtype", np.dtype(np.float32))
    return (_unit(generator, shape, work) < probability).astype(dtype)


def geometric(generator: "Generator", shape: Shape, p: float, dtype: np.dtype) -> np.ndarray:
    """Return how many trials of probability ``p`` it takes to succeed once."""
    # One minus a number from [0, 1) is never 0.
    logarithm = _cupy().log1p(-_unit(generator, shape, np.dtype(np.float64)))
    return _cupy().maximum(_cupy().ceil(logarithm / np.log1p(-p)), 1.0).astype(dtype)


def multinomial(generator: "Generator", probabilities: np.ndarray, num_samples: int, replacement: bool) -> np.ndarray:
    """Return category numbers, int64, drawn with the given weights."""
    xp = _cupy()
    weights = probabilities.astype(_work_type(probabilities.dtype))
    if not bool((xp.isfinite(weights) & (weights >= 0)).all()):
        raise RuntimeError("probability tensor contains either `inf`, `nan` or element < 0")
    if bool((weights == 0).all(-1).any()):
        raise RuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")
    if not replacement or num_samples == 1:
        race = weights / exponential(generator, weights.shape, 1.0, weights.dtype)
        return xp.argsort(-race, axis=-1)[..., :num_samples].astype(np.int64)
    cumulative = xp.cumsum(weights, axis=-1)
    cumulative /= cumulative[..., -1:]
    cumulative[..., -1] = 1.0
    uniforms = _unit(generator, (*weights.shape[:-1], num_samples), weights.dtype)
    if weights.ndim == 1:
        return xp.searchsorted(cumulative, uniforms).astype(np.int64)
    rows = [xp.searchsorted(row, draws) for row, draws in zip(cumulative, uniforms, strict=True)]
    return xp.stack(rows).astype(np.int64)


def poisson(generator: "Generator", rates: np.ndarray) -> np.ndarray:
    """Return a Poisson count for each rate."""
    state = _cuda_random_state(generator, rates.size)
    return state.poisson(rates.astype(np.float64), dtype=np.int64).astype(rates.dtype)


def standard_gamma(generator: "Generator", concentration: np.ndarray) -> np.ndarray:
    """Return a gamma number of unit scale for each concentration."""
    work = _work_type(concentration.dtype)
    samples = _cuda_random_state(generator, concentration.size).standard_gamma(concentration.astype(work), dtype=work)
    return _cupy().maximum(samples, float_limits(concentration.dtype).smallest_normal).astype(concentration.dtype)


def dirichlet(generator: "Generator", concentration: np.ndarray) -> np.ndarray:
    """Return points of the simplex, one for each row of concentrations."""
    gammas = standard_gamma(generator, concentration.astype(np.float64))
    limits = float_limits(concentration.dtype)
    points = gammas / gammas.sum(-1, keepdims=True)
    return _cupy().clip(points, limits.smallest_normal, 1.0 - 2.0**-limits.digits).astype(concentration.dtype)


def binomial(generator: "Generator", count: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Return how many of ``count`` trials succeed, element by element."""
    state = _cuda_random_state(generator, count.size)
    draws = state.binomial(count.astype(np.int64), probability.astype(np.float64), dtype=np.int64)
    return draws.astype(count.dtype)


def _unit(generator: "Generator", shape: Shape, dtype: np.dtype) -> np.ndarray:
    """Return numbers from [0, 1) in float64 for float64, else float32."""
    work = _work_type(dtype)
    return _cuda_random_state(generator, element_count(shape)).random_sample(shape, dtype=work)


def _normal(generator: "Generator", shape: Shape, mean: float, std: float, dtype: np.dtype) -> np.ndarray:
    return _cuda_random_state(generator, element_count(shape)).normal(mean, std, shape, dtype=_work_type(dtype))


def _work_type(dtype: np.dtype) -> np.dtype:
    return np.dtype(np.float64 if dtype == np.float64 else np.float32)


def _cuda_random_state(generator: "Generator", count: int) -> Any:
    """Return CuPy's random state at the generator's seed and offset, and move the offset past ``count`` numbers."""
    device = _cupy().cuda.Device()
    _, _, index = str(generator.device).partition(":")
    if index and int(index) != device.id:
        raise RuntimeError(f"the generator is for device cuda:{index}, but the current device is cuda:{device.id}")
    # Each call has a stream of its own, told apart by where the offset stood.
    offset = generator.advance_offset(count)
    state = _philox(device.id)
    state.seed((generator.initial_seed() + offset * _GOLDEN) % 2**64)
    return state


@functools.cache
def _philox(index: int) -> Any:
    cupy = _cupy()
    with cupy.cuda.Device(index):
        return cupy.random.RandomState(0, cupy.cuda.curand.CURAND_RNG_PSEUDO_PHILOX4_32_10)


def _cupy() -> Any:
    try:
        import cupy
    except ImportError as error:
        raise RuntimeError(
            "device 'cuda' needs the package CuPy (pip install 'facula[cuda]'), which is absent"
        ) from error
    return cupy
