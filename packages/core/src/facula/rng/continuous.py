"""Random real numbers: uniform, normal and what is made from them, as PyTorch's CPU kernels draw them.

Every function fills its result in C order, takes the generator first and leaves it where PyTorch would.
"""

import math

import numpy as np

from facula.rng import cuda
from facula.rng.box_muller import libm, normal16_float32, normal16_float64
from facula.rng.generator import Generator
from facula.rng.rounding import fma_float32, fma_float64
from facula.rng.shapes import Shape, checked_floating, element_count, float_limits, from_float64, real_view

# Draws handled at a time, a multiple of 16: what one step works on stays in the cache.
_BLOCK = 1 << 14


def uniform(
    generator: Generator,
    shape: Shape,
    low: float = 0.0,
    high: float = 1.0,
    dtype: np.dtype | type = np.float32,
) -> np.ndarray:
    """Return numbers spread evenly over [low, high): 53 random bits for float64, 24 for the smaller types.

    Complex types get both parts from it. RuntimeError when ``low > high`` or a bound does not fit the type.

    >>> uniform(Generator().manual_seed(0), 3)
    array([0.4962566 , 0.7682218 , 0.08847743], dtype=float32)
    """
    dtype = np.dtype(dtype)
    if dtype.kind == "c":
        return real_view(lambda parts, real: uniform(generator, parts, low, high, real), shape, dtype)
    _check_uniform_bounds(low, high, dtype)
    if generator.device_type == "cuda":
        return cuda.uniform(generator, shape, low, high, dtype)
    result = np.empty(shape, dtype)
    if dtype == np.float32 and generator.fill("random_uniform", result, low, high):
        return result
    flat = result.reshape(-1)
    for start in range(0, flat.size, _BLOCK):
        block = flat[start : start + _BLOCK]
        block[...] = _uniform_block(generator, block.size, low, high, dtype)
    return result


def normal(
    generator: Generator,
    shape: Shape,
    mean: float = 0.0,
    std: float = 1.0,
    dtype: np.dtype | type = np.float32,
    contiguous: bool = True,
) -> np.ndarray:
    """Return numbers from the normal distribution.

    Complex types have both parts from it, each with ``std / sqrt(2)``. ``contiguous=False`` draws what PyTorch draws
    into a tensor that is not contiguous. RuntimeError when ``std`` is negative.

    >>> normal(Generator().manual_seed(0), 3)
    array([ 1.5409961, -0.2934289, -2.1787894], dtype=float32)
    """
    dtype = np.dtype(dtype)
    if not std >= 0.0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std:g}")
    if dtype.kind == "c":
        part_std = std / math.sqrt(2.0)
        return real_view(lambda parts, real: normal(generator, parts, mean, part_std, real, contiguous), shape, dtype)
    checked_floating(dtype, "normal expects a floating point dtype")
    if generator.device_type == "cuda":
        return cuda.normal(generator, shape, mean, std, dtype)
    result = np.empty(shape, dtype)
    flat = result.reshape(-1)
    if flat.size < 16 or not contiguous:
        flat[...] = from_float64(fma_float64(standard_normal_sequence(generator, flat.size), std, mean), dtype)
    else:
        _fill_normal(generator, flat, mean, std)
    return result


def standard_normal_sequence(generator: Generator, count: int) -> np.ndarray:
    """Return ``count`` standard normal numbers, float64, drawn one by one: a pair's second waits for the next call."""
    result = np.empty(count, np.float64)
    if not count:
        return result
    filled = 0
    if generator.next_double_normal is not None:
        result[0] = generator.next_double_normal
        generator.next_double_normal = None
        filled = 1
    pairs = (count - filled + 1) // 2
    uniforms = unit_uniform_float64(generator, 2 * pairs).reshape(pairs, 2)
    radius = np.sqrt(-2.0 * libm(math.log1p, -uniforms[:, 1]))
    theta = (2.0 * math.pi) * uniforms[:, 0]
    both = np.empty(2 * pairs, np.float64)
    both[0::2] = radius * libm(math.cos, theta)
    both[1::2] = radius * libm(math.sin, theta)
    result[filled:] = both[: count - filled]
    if both.size > count - filled:
        generator.next_double_normal = float(both[-1])
    return result


def exponential(
    generator: Generator, shape: Shape, lambd: float = 1.0, dtype: np.dtype | type = np.float32
) -> np.ndarray:
    """Return numbers from the exponential distribution of rate ``lambd``; RuntimeError when it is not positive.

    >>> exponential(Generator().manual_seed(0), 3)
    array([3.5083263, 1.2303847, 0.6150441], dtype=float32)
    """
    dtype = np.dtype(dtype)
    if not lambd > 0.0:
        raise RuntimeError(f"exponential_ expects lambda > 0.0, but found lambda={lambd:g}")
    checked_floating(dtype, "Exponential distribution is a continuous probability distribution")
    if generator.device_type == "cuda":
        return cuda.exponential(generator, shape, lambd, dtype)
    negative = -unit_uniform_float64(generator, element_count(shape))
    log1p = libm(math.log1p, negative) if dtype == np.float64 else np.log1p(negative)
    return from_float64((-1.0 / lambd) * log1p, dtype).reshape(shape)


def cauchy(
    generator: Generator,
    shape: Shape,
    median: float = 0.0,
    sigma: float = 1.0,
    dtype: np.dtype | type = np.float32,
) -> np.ndarray:
    """Return numbers from the Cauchy distribution; RuntimeError when ``sigma`` is not positive.

    >>> cauchy(Generator().manual_seed(0), 3)
    array([10.59773   ,  0.7647673 , -0.12829934], dtype=float32)
    """
    dtype = np.dtype(dtype)
    if not sigma > 0.0:
        raise RuntimeError(f"cauchy_ expects sigma > 0.0, but found sigma={sigma:g}")
    checked_floating(dtype, "Cauchy distribution is a continuous probability distribution")
    if generator.device_type == "cuda":
        return cuda.cauchy(generator, shape, median, sigma, dtype)
    angle = math.pi * (unit_uniform_float64(generator, element_count(shape)) - 0.5)
    tangent = libm(math.tan, angle) if dtype == np.float64 else np.tan(angle)
    return from_float64(fma_float64(tangent, sigma, median), dtype).reshape(shape)


def log_normal(
    generator: Generator,
    shape: Shape,
    mean: float = 1.0,
    std: float = 2.0,
    dtype: np.dtype | type = np.float32,
) -> np.ndarray:
    """Return e raised to normal numbers of ``mean`` and ``std``; RuntimeError when ``std`` is not positive.

    >>> log_normal(Generator().manual_seed(0), 3)
    array([5.9263416e+01, 1.5115600e+00, 3.4819461e-02], dtype=float32)
    """
    dtype = np.dtype(dtype)
    if not std > 0.0:
        raise RuntimeError(f"log_normal_ expects std > 0.0, but found std={std:g}")
    checked_floating(dtype, "log_normal expects a floating point dtype")
    if generator.device_type == "cuda":
        return cuda.log_normal(generator, shape, mean, std, dtype)
    exponent = fma_float64(standard_normal_sequence(generator, element_count(shape)), std, mean)
    with np.errstate(over="ignore"):
        # The C library's function is the exact one, but Python's door to it refuses to overflow.
        overflows = bool((exponent > 709.0).any())
        powers = np.exp(exponent) if overflows or dtype != np.float64 else libm(math.exp, exponent)
        return from_float64(powers, dtype).reshape(shape)


def unit_uniform_float64(generator: Generator, count: int) -> np.ndarray:
    """Return ``count`` numbers from [0, 1), float64, of 53 random bits each."""
    bits = generator.raw64(count)
    bits &= np.uint64(2**53 - 1)
    return bits * 2.0**-53


def unit_uniform_float32(generator: Generator, count: int) -> np.ndarray:
    """Return ``count`` numbers from [0, 1), float32, of 24 random bits each."""
    bits = generator.raw(count)
    bits &= np.uint64(2**24 - 1)
    result = bits.astype(np.float32)
    result *= np.float32(2.0**-24)
    return result


def _uniform_block(generator: Generator, count: int, low: float, high: float, dtype: np.dtype) -> np.ndarray:
    if dtype == np.float64:
        values = unit_uniform_float64(generator, count)
        if (low, high) == (0.0, 1.0):
            return values
        values = fma_float64(values, np.float64(high) - np.float64(low), low)
    else:
        values = unit_uniform_float32(generator, count)
        if (low, high) != (0.0, 1.0):
            width = np.float32(high) - np.float32(low)
            values = fma_float32(values, float(width), float(np.float32(low)))
        elif dtype == np.float32:
            return values
        values = values.astype(dtype)
    # Rounding may reach the bound that is not included.
    values[values == dtype.type(high)] = dtype.type(low)
    return values


def _fill_normal(generator: Generator, flat: np.ndarray, mean: float, std: float) -> None:
    """Fill 16 numbers or more: whole rows of 16, then, where the last row is not whole, the last 16 once more."""
    whole = flat.size - flat.size % 16
    _fill_rows(generator, flat[:whole], mean, std)
    if whole == flat.size:
        return
    if flat.dtype.itemsize >= 4:
        # PyTorch draws for the unfinished row too, and then overwrites it; not so for the two small types.
        generator.skip((flat.size - whole) * (2 if flat.dtype == np.float64 else 1))
    _fill_rows(generator, flat[-16:], mean, std)


def _fill_rows(generator: Generator, flat: np.ndarray, mean: float, std: float) -> None:
    """Fill whole rows of 16 numbers."""
    if flat.dtype == np.float32 and generator.fill("random_normal", flat, mean, std):
        return
    is_double = flat.dtype == np.float64
    unit_uniform = unit_uniform_float64 if is_double else unit_uniform_float32
    normal16 = normal16_float64 if is_double else normal16_float32
    for start in range(0, flat.size, _BLOCK):
        block = flat[start : start + _BLOCK]
        block[...] = normal16(unit_uniform(generator, block.size).reshape(-1, 16), mean, std).reshape(-1)


def _check_uniform_bounds(low: float, high: float, dtype: np.dtype) -> None:
    checked_floating(dtype, "uniform_ expects a floating point dtype")
    largest = float_limits(dtype).largest
    for name, bound in (("from", low), ("to", high)):
        if not -largest <= bound <= largest:
            raise RuntimeError(f"{name} is out of bounds for {dtype.name}: {bound:g}")
    if not low <= high:
        raise RuntimeError(f"uniform_ expects to return a [from, to) range, but found from={low:g} > to={high:g}")
    if high - low > largest:
        raise RuntimeError(
            f"uniform_ expects to-from <= std::numeric_limits<{dtype.name}>::max(), but found to={high:g} and "
            f"from={low:g} which result in to-from to exceed the limit"
        )
