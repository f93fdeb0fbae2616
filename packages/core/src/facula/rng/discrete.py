"""Random integers, choices and permutations, as PyTorch's CPU kernels draw them."""

import math

import numpy as np

from facula import native
from facula.rng import cuda
from facula.rng.continuous import exponential, unit_uniform_float32, unit_uniform_float64
from facula.rng.generator import Generator
from facula.rng.shapes import Shape, element_count, float_limits, from_float64, is_floating

_INT64_MIN, _INT64_MAX = -(2**63), 2**63 - 1
# From this range on, 64 bits are drawn, to keep the remainder's bias small.
_WIDE_RANGE = 2**28
# From this length on, permutations draw 64 bits and shuffle inside out.
_LONG_PERMUTATION = (2**32 - 1) // 20
# Up to this length, swapping one by one is faster.
_SHORT_PERMUTATION = 500
_MAX_CATEGORIES = 2**24


def random_integers(
    generator: Generator,
    shape: Shape,
    low: int,
    high: int | None,
    dtype: np.dtype | type = np.int64,
) -> np.ndarray:
    """Return integers from [low, high), in any type; ``high=None`` means up to the largest the type can hold.

    ``low=-2**63, high=None`` is all of int64. RuntimeError when the range is empty or does not fit the type.

    >>> random_integers(Generator().manual_seed(0), 5, 0, 10)
    array([4, 9, 3, 0, 3])
    """
    dtype = np.dtype(dtype)
    if high is None and low == _INT64_MIN:
        return _all_64_bits(generator, shape, dtype)
    low, last = _integer_bounds(low, high, dtype)
    if generator.device_type == "cuda":
        return cuda.random_integers(generator, shape, low, last, dtype)
    count = element_count(shape)
    span = last - low + 1
    if span < _WIDE_RANGE:
        values = (generator.raw(count) % np.uint64(span)).view(np.int64) + low
    else:
        # Unsigned and wrapping, as in C.
        values = (generator.raw64(count) % np.uint64(span) + np.uint64(low % 2**64)).view(np.int64)
    return values.astype(dtype).reshape(shape)


def random_full(generator: Generator, shape: Shape, dtype: np.dtype | type) -> np.ndarray:
    """Return integers from 0 to the largest the type can hold; for floating point, to 2 to the power of its digits.

    >>> random_full(Generator().manual_seed(0), 5, np.uint8)
    array([172,  47, 117, 192,  67], dtype=uint8)
    """
    dtype = np.dtype(dtype)
    if generator.device_type == "cuda":
        last = 2 ** float_limits(dtype).digits if is_floating(dtype) else _largest_integer(dtype)
        return cuda.random_integers(generator, shape, 0, last, dtype)
    count = element_count(shape)
    bits = generator.raw64(count) if dtype.itemsize == 8 else generator.raw(count)
    if is_floating(dtype):
        bits %= np.uint64(2 ** float_limits(dtype).digits + 1)
    else:
        bits &= np.uint64(_largest_integer(dtype))
    return bits.astype(dtype).reshape(shape)


def permutation(generator: Generator, n: int, dtype: np.dtype | type = np.int64) -> np.ndarray:
    """Return 0 ... n - 1 in random order; RuntimeError when n is negative or ``dtype`` cannot hold n.

    Fisher and Yates' shuffle in Durstenfeld's form (Algorithm 235, Communications of the ACM 7(7), 1964).

    >>> permutation(Generator().manual_seed(0), 6)
    array([2, 5, 3, 0, 1, 4])
    """
    dtype = np.dtype(dtype)
    if n < 0:
        raise RuntimeError(f"n must be non-negative, got {n}")
    largest = 2 ** float_limits(dtype).digits if is_floating(dtype) else _largest_integer(dtype)
    if n > largest:
        raise RuntimeError(f"n cannot be greater than {largest} for type {dtype.name}, but got {n}")
    if generator.device_type == "cuda":
        return cuda.permutation(generator, n, dtype)
    if n >= _LONG_PERMUTATION:
        return _long_permutation(generator, n).astype(dtype)
    draws = generator.raw(n - 1 if n else 0)
    if native.available and n:
        order = native.kernels.permutation(draws)
        if order is not NotImplemented:
            return np.asarray(order).astype(dtype, copy=False)
    steps = np.arange(draws.size)
    targets = (draws % (n - steps).astype(np.uint64)).view(np.int64) + steps
    return (_swapped_together(targets) if n > _SHORT_PERMUTATION else _swapped_in_turn(targets, n)).astype(dtype)


def _narrowed(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return an array in a type of 16 bits."""
    converted = native.kernels.cast(array, dtype.num)
    return array.astype(dtype) if converted is NotImplemented else converted


def bernoulli(
    generator: Generator,
    shape: Shape,
    probability: float | np.ndarray,
    dtype: np.dtype | type = np.float32,
    value: float = 1.0,
) -> np.ndarray:
    """Return ones, or another ``value``, with the given probability and zeros otherwise.

    An array of probabilities is broadcast to ``shape``; float64 arrays use 53 random bits, others 24. A number uses 53
    whatever ``dtype`` is. RuntimeError when a probability is outside [0, 1]. ``nn.functional.dropout(input, p)`` draws
    with the number ``1 - p``.

    >>> bernoulli(Generator().manual_seed(0), 4, 0.5)
    array([0., 0., 1., 0.], dtype=float32)
    """
    dtype = np.dtype(dtype)
    if isinstance(probability, int | float):
        if not 0.0 <= probability <= 1.0:
            raise RuntimeError(f"bernoulli_ expects p to be in [0, 1], but got p={probability:g}")
    elif not ((probability >= 0) & (probability <= 1)).all():
        raise RuntimeError("Expected p_in >= 0 && p_in <= 1 to be true, but got false.")
    if generator.device_type == "cuda":
        return cuda.bernoulli(generator, shape, probability, dtype) * dtype.type(value)
    count = element_count(shape)
    if isinstance(probability, int | float):
        if dtype == np.float32 or dtype.itemsize == 2:
            result = np.empty(shape, np.float32)
            if generator.fill("random_bernoulli", result, probability, float(dtype.type(value))):
                return result if dtype == np.float32 else _narrowed(result, dtype)
        drawn = (unit_uniform_float64(generator, count) < probability).astype(dtype).reshape(shape)
        if value != 1.0:
            drawn *= dtype.type(value)
        return drawn
    unit_uniform = unit_uniform_float64 if probability.dtype == np.float64 else unit_uniform_float32
    uniforms = unit_uniform(generator, count).reshape(shape)
    return (uniforms < np.broadcast_to(probability, uniforms.shape).astype(uniforms.dtype)).astype(dtype)


def geometric(generator: Generator, shape: Shape, p: float, dtype: np.dtype | type = np.float32) -> np.ndarray:
    """Return how many trials of probability ``p`` it takes to succeed once; RuntimeError unless 0 < p < 1.

    >>> geometric(Generator().manual_seed(0), 4, 0.5)
    array([1., 1., 2., 1.], dtype=float32)
    """
    dtype = np.dtype(dtype)
    if not 0.0 < p < 1.0:
        raise RuntimeError(f"geometric_ expects p to be in (0, 1), but got p={p:g}")
    if generator.device_type == "cuda":
        return cuda.geometric(generator, shape, p, dtype)
    uniforms = unit_uniform_float64(generator, element_count(shape))
    with np.errstate(divide="ignore"):
        return from_float64(np.ceil(np.log(uniforms) / math.log1p(-p)), dtype).reshape(shape)


def multinomial(
    generator: Generator, probabilities: np.ndarray, num_samples: int, replacement: bool = False
) -> np.ndarray:
    """Return category numbers, int64, drawn with the given weights: (num_samples,) or (rows, num_samples).

    ``probabilities`` has shape (categories,) or (rows, categories); they need not sum to 1. Without replacement each
    category comes at most once, likeliest draws first: the exponential race of Efraimidis and Spirakis, "Weighted
    random sampling with a reservoir", Information Processing Letters 97(5), 2006.

    >>> multinomial(Generator().manual_seed(0), np.array([1.0, 0.0, 3.0]), 2)
    array([2, 0])
    """
    _check_multinomial(probabilities, num_samples, replacement)
    if probabilities.ndim == 2 and probabilities.shape[0] == 0:
        return np.empty((0, num_samples), np.int64)
    if generator.device_type == "cuda":
        return cuda.multinomial(generator, probabilities, num_samples, replacement)
    if replacement and num_samples > 1:
        return _multinomial_with_replacement(generator, probabilities, num_samples)
    if not (np.isfinite(probabilities) & (probabilities >= 0)).all():
        raise RuntimeError("probability tensor contains either `inf`, `nan` or element < 0")
    if (probabilities == 0).all(-1).any():
        raise RuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")
    times = exponential(generator, probabilities.shape, 1.0, probabilities.dtype)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        race = probabilities / times
    if num_samples == 1:
        return race.argmax(-1, keepdims=True)
    return np.argsort(-race, axis=-1, kind="stable")[..., :num_samples]


def _multinomial_with_replacement(generator: Generator, probabilities: np.ndarray, num_samples: int) -> np.ndarray:
    rows = np.atleast_2d(probabilities)
    result = np.empty((len(rows), num_samples), np.int64)
    for row, samples in zip(rows, result, strict=True):
        if not (row >= 0).all():
            raise RuntimeError("invalid multinomial distribution (encountering probability entry < 0)")
        if not np.isfinite(row).all():
            raise RuntimeError("invalid multinomial distribution (encountering probability entry = infinity or NaN)")
        cumulative: np.ndarray = np.cumsum(row, dtype=np.float64 if row.dtype == np.float64 else np.float32)
        if not cumulative[-1] > 0:
            raise RuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")
        cumulative /= cumulative[-1]
        cumulative[-1] = 1.0
        uniforms = unit_uniform_float64(generator, num_samples)
        samples[...] = np.searchsorted(cumulative.astype(np.float64), uniforms, side="left")
    return result.reshape(*probabilities.shape[:-1], num_samples)


def _check_multinomial(probabilities: np.ndarray, num_samples: int, replacement: bool) -> None:
    if probabilities.ndim not in (1, 2):
        raise RuntimeError(f"prob_dist must be 1 or 2 dim, but got {probabilities.ndim}")
    if not is_floating(probabilities.dtype):
        raise RuntimeError(
            f"multinomial only supports floating-point dtypes for input, got: {probabilities.dtype.name}"
        )
    if num_samples <= 0:
        raise RuntimeError(f"cannot sample n_sample <= 0 samples, but got {num_samples}")
    categories = probabilities.shape[-1]
    if not replacement and num_samples > categories:
        raise RuntimeError("cannot sample n_sample > prob_dist.size(-1) samples without replacement")
    if categories == 0:
        raise RuntimeError("invalid multinomial distribution (there are no categories)")
    if categories > _MAX_CATEGORIES:
        raise RuntimeError(f"number of categories cannot exceed 2^24, but got {categories}")


def _all_64_bits(generator: Generator, shape: Shape, dtype: np.dtype) -> np.ndarray:
    if dtype.name not in ("int64", "float64", "float32", "bfloat16"):
        raise RuntimeError(
            f"random_ over all 64 bits handles only int64, double, float and bfloat16, but got {dtype.name}"
        )
    if generator.device_type == "cuda":
        return cuda.random_integers(generator, shape, _INT64_MIN, _INT64_MAX, dtype)
    return generator.raw64(element_count(shape)).view(np.int64).astype(dtype).reshape(shape)


def _integer_bounds(low: int, high: int | None, dtype: np.dtype) -> tuple[int, int]:
    """Return the first and the last integer to draw."""
    low, high = int(low), None if high is None else int(high)
    if high is not None and low >= high:
        raise RuntimeError(f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")
    if is_floating(dtype):
        low, last = _floating_bounds(low, high, dtype)
        smallest, largest = -float_limits(dtype).largest, float_limits(dtype).largest
    else:
        largest = min(_largest_integer(dtype), _INT64_MAX)
        smallest = -largest - 1 if dtype.kind == "i" else 0
        last = largest if high is None else high - 1
    for name, bound in (("from", low), ("to - 1", last)):
        if not smallest <= bound <= largest:
            raise RuntimeError(f"{name} is out of bounds for {dtype.name}")
    return low, last


def _floating_bounds(low: int, high: int | None, dtype: np.dtype) -> tuple[int, int]:
    """Move bounds that a type cannot hold to the next inside that it can: results must not round out of the range."""
    digits = float_limits(dtype).digits
    after_low = int(dtype.type(low + 1))
    if after_low < low:
        low = after_low + 2 ** (abs(low + 1).bit_length() - digits)
    if high is None:
        last = 2**digits
        if low >= last:
            raise RuntimeError(
                "random_ expects 'from' casted to dtype to be less than or equal to 'to_inc' casted to dtype, "
                f"but got from={low} > to_inc={last}"
            )
        return low, last
    before_high = int(dtype.type(high - 1))
    if before_high >= high:
        high = before_high - 2 ** (abs(high - 1).bit_length() - digits)
    if low >= high:
        raise RuntimeError(
            "random_ expects 'from' casted to dtype to be less than 'to' casted to dtype, "
            f"but got from={low} >= to={high}"
        )
    return low, high - 1


def _largest_integer(dtype: np.dtype) -> int:
    return 1 if dtype.kind == "b" else int(np.iinfo(dtype).max)


def _swapped_in_turn(targets: np.ndarray, n: int) -> np.ndarray:
    """Return 0 ... n - 1 after swapping each place in turn with its target, a place not before it."""
    # A list swaps faster than an array does, element by element.
    order = list(range(n))
    for place, target in enumerate(targets.tolist()):
        order[place], order[target] = order[target], order[place]
    return np.array(order, np.int64)


def _swapped_together(targets: np.ndarray) -> np.ndarray:
    """Return the same as ``_swapped_in_turn``, all places at once.

    What a place holds when its turn comes is what the latest swap left there, and that swap left what *its* place
    held: a chain of earlier places, which doubling its links walks in a few steps for all places together.
    """
    n = targets.size + 1
    places = np.arange(n)
    targets = np.append(targets, n - 1)
    moves = np.flatnonzero(targets != places)
    held = places.copy()
    # Of several swaps into one place the last one counts, and assignment goes in order.
    held[targets[moves]] = moves
    while True:
        earlier = held[held]
        if np.array_equal(earlier, held):
            break
        held = earlier
    # A place gets what its target holds: its own number, or what the swap before this one into the same target left.
    bits = n.bit_length()
    keys = np.sort((targets << bits) | places)
    into, by = keys >> bits, keys & ((1 << bits) - 1)
    again = np.flatnonzero(into[1:] == into[:-1])
    targets[by[again + 1]] = held[by[again]]
    return targets


def _long_permutation(generator: Generator, n: int) -> np.ndarray:
    order = np.empty(n, np.int64)
    block = 1 << 16
    for start in range(0, n, block):
        positions = np.arange(start, min(start + block, n))
        targets = (generator.raw64(positions.size) % (positions + 1).astype(np.uint64)).tolist()
        for index, target in zip(positions.tolist(), targets, strict=True):
            order[index] = index
            order[index] = order[target]
            order[target] = index
    return order
