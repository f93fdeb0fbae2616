"""Random numbers by acceptance and rejection: Poisson, binomial, gamma and Dirichlet, in PyTorch's CPU order.

How many draws an element takes depends on the draws, so these go element by element.
"""

import math

import numpy as np

from facula.rng import cuda
from facula.rng.continuous import unit_uniform_float64
from facula.rng.generator import Generator
from facula.rng.shapes import checked_floating, float_limits, from_float64

_ONE_THIRD = float(np.float32(1.0) / np.float32(3.0))
_SQUEEZE = float(np.float32(0.0331))
_LARGEST_BLOCK = 4096
# What Stirling's formula leaves of log(k!), for k = 0 ... 9.
_STIRLING_TAILS = (
    *(0.0810614667953272, 0.0413406959554092, 0.0276779256849983, 0.02079067210376509, 0.0166446911898211),
    *(0.0138761288230707, 0.0118967099458917, 0.0104112652619720, 0.00925546218271273, 0.00833056343336287),
)


class _Draws:
    """Single draws from a generator, fetched ahead in blocks; on leaving, the generator has moved by what was used."""

    def __init__(self, generator: Generator, expected: int) -> None:
        self._generator = generator
        self._start = generator.position()
        self._block = min(4 * expected, _LARGEST_BLOCK)
        self._fetched: list[float] = []
        self._position = 0
        self._used = 0

    def __enter__(self) -> "_Draws":
        return self

    def __exit__(self, *exception: object) -> None:
        self._generator.return_to(*self._start)
        self._generator.skip(2 * (self._used + self._position))

    def uniform(self) -> float:
        """Return a number from [0, 1) of 53 random bits."""
        if self._position == len(self._fetched):
            self._used += self._position
            self._fetched = unit_uniform_float64(self._generator, self._block).tolist()
            self._position = 0
        value = self._fetched[self._position]
        self._position += 1
        return value

    def normal(self) -> float:
        """Return a standard normal number; every second one was kept from the call before."""
        waiting = self._generator.next_double_normal
        if waiting is not None:
            self._generator.next_double_normal = None
            return waiting
        theta = (2.0 * math.pi) * self.uniform()
        radius = math.sqrt(-2.0 * math.log1p(-self.uniform()))
        self._generator.next_double_normal = radius * math.sin(theta)
        return radius * math.cos(theta)


def poisson(generator: Generator, rates: np.ndarray) -> np.ndarray:
    """Return a Poisson count for each rate, in the rates' shape and type; RuntimeError for a negative rate.

    Large rates use Hoermann, "The transformed rejection method for generating Poisson random variables", Insurance:
    Mathematics and Economics 12(1), 1993; small ones multiply uniforms (Knuth, TAOCP 2, section 3.4.1).

    >>> poisson(Generator().manual_seed(0), np.array([1.0, 20.0]))
    array([ 2., 28.])
    """
    checked_floating(rates.dtype, "poisson expects floating point rates")
    if not (rates >= 0).all():
        raise RuntimeError("invalid Poisson rate, expected rate to be non-negative")
    if generator.device_type == "cuda":
        return cuda.poisson(generator, rates)
    with _Draws(generator, rates.size) as draws:
        counts = [_poisson_one(draws, rate) for rate in rates.astype(np.float64).ravel().tolist()]
    return from_float64(np.array(counts, np.float64), rates.dtype).reshape(rates.shape)


def standard_gamma(generator: Generator, concentration: np.ndarray) -> np.ndarray:
    """Return a gamma number of unit scale for each concentration, in their shape and type, never below the smallest
    normal number.

    Marsaglia and Tsang, "A simple method for generating gamma variables", ACM TOMS 26(3), 2000.

    >>> standard_gamma(Generator().manual_seed(0), np.array([0.5, 3.0]))
    array([7.89358206e-04, 1.27284342e+00])
    """
    dtype = concentration.dtype
    checked_floating(dtype, "_standard_gamma expects a floating point concentration")
    if generator.device_type == "cuda":
        return cuda.standard_gamma(generator, concentration)
    samples = from_float64(_gamma(generator, concentration), dtype)
    return np.maximum(samples, dtype.type(float_limits(dtype).smallest_normal))


def dirichlet(generator: Generator, concentration: np.ndarray) -> np.ndarray:
    """Return points of the simplex, one for each row of concentrations along the last axis, in their shape and type.

    A row is one of gamma numbers over its sum, kept inside (0, 1).

    >>> dirichlet(Generator().manual_seed(0), np.array([1.0, 1.0])).sum()
    np.float64(1.0)
    """
    dtype = concentration.dtype
    checked_floating(dtype, "_sample_dirichlet expects a floating point concentration")
    if generator.device_type == "cuda":
        return cuda.dirichlet(generator, concentration)
    smallest = float_limits(np.dtype(np.float64)).smallest_normal
    gammas = np.maximum(_gamma(generator, concentration.astype(np.float64)), smallest)
    points = from_float64(gammas / gammas.sum(-1, keepdims=True), dtype)
    below_one = dtype.type(1.0 - 2.0 ** -float_limits(dtype).digits)
    return np.minimum(below_one, np.maximum(dtype.type(float_limits(dtype).smallest_normal), points))


def binomial(generator: Generator, count: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Return how many of ``count`` trials succeed, element by element; both inputs have one shape and type.

    Where successes are many, Hoermann, "The generation of binomial random variates", Journal of Statistical
    Computation and Simulation 46, 1993; where they are few, waiting times are added up (Devroye 1986, X.4.3).

    >>> binomial(Generator().manual_seed(0), np.array([10.0, 100.0]), np.array([0.5, 0.1]))
    array([ 7., 11.])
    """
    dtype = count.dtype
    checked_floating(dtype, "binomial expects floating point counts")
    if probability.dtype != dtype:
        raise ValueError(f"Found dtype {probability.dtype.name} but expected {dtype.name}")
    count, probability = np.broadcast_arrays(count, probability)
    if generator.device_type == "cuda":
        return cuda.binomial(generator, count, probability)
    work = np.float64 if dtype == np.float64 else np.float32
    with _Draws(generator, count.size) as draws:
        pairs = zip(count.ravel().tolist(), probability.ravel().tolist(), strict=True)
        successes = [_binomial_one(draws, work(trials), work(chance)) for trials, chance in pairs]
    return from_float64(np.array(successes, np.float64), dtype).reshape(count.shape)


def _poisson_one(draws: _Draws, rate: float) -> int:
    if rate == 0.0:
        return 0
    if rate < 10.0:
        floor = math.exp(-rate)
        product = draws.uniform()
        count = 0
        while product > floor:
            count += 1
            product *= draws.uniform()
        return count
    log_rate = math.log(rate)
    b = 0.931 + 2.53 * math.sqrt(rate)
    a = -0.059 + 0.02483 * b
    log_inverse_alpha = math.log(1.1239 + 1.1328 / (b - 3.4))
    box = 0.9277 - 3.6224 / (b - 2.0)
    while True:
        u = draws.uniform() - 0.5
        v = draws.uniform()
        edge = 0.5 - abs(u)
        # A draw at the very edge would divide by zero; C carries on with an infinity that is then rejected.
        count = math.floor((2.0 * a / edge + b) * u + rate + 0.43) if edge else -1
        if edge >= 0.07 and v <= box:
            return count
        if count < 0 or (edge < 0.013 and v > edge):
            continue
        log_v = math.log(v) if v else -math.inf
        if log_v + log_inverse_alpha - math.log(a / (edge * edge) + b) <= (
            -rate + count * log_rate - math.lgamma(count + 1.0)
        ):
            return count


def _gamma(generator: Generator, concentration: np.ndarray) -> np.ndarray:
    """Return gamma numbers, float64; the first steps round to the concentration's type."""
    dtype = concentration.dtype
    boosted = concentration < 1
    with np.errstate(divide="ignore", over="ignore"):
        inverses = (dtype.type(1.0) / concentration).astype(np.float64)
    raised = np.where(boosted, concentration + dtype.type(1.0), concentration)
    ds = (raised - dtype.type(_ONE_THIRD)).astype(np.float64)
    columns = (column.ravel().tolist() for column in (concentration, boosted, inverses, ds))
    with _Draws(generator, concentration.size) as draws:
        samples = [
            _gamma_one(draws, alpha, boost, inverse, d) for alpha, boost, inverse, d in zip(*columns, strict=True)
        ]
    return np.array(samples, np.float64).reshape(concentration.shape)


def _gamma_one(draws: _Draws, alpha: float, boost: bool, inverse: float, d: float) -> float:
    if alpha == 0.0:
        return 0.0
    if not d > 0.0:
        return math.nan
    scale = math.pow(1.0 - draws.uniform(), inverse) if boost else 1.0
    c = 1.0 / math.sqrt(9.0 * d)
    while True:
        y = 0.0
        while y <= 0.0:
            x = draws.normal()
            y = 1.0 + c * x
        v = y * y * y
        u = 1.0 - draws.uniform()
        square = x * x
        if u < 1.0 - _SQUEEZE * square * square:
            return scale * d * v
        if math.log(u) < 0.5 * square + d * (1.0 - v + math.log(v)):
            return scale * d * v


def _binomial_one(draws: _Draws, count: np.floating, probability: np.floating) -> float:
    if count <= 0.0 or probability <= 0.0:
        return 0.0
    if probability >= 1.0:
        return float(count)
    if math.isnan(probability):
        return math.nan
    if probability <= 0.5:
        return _binomial_successes(draws, count, probability)
    return float(count) - _binomial_successes(draws, count, type(count)(1.0 - float(probability)))


def _binomial_successes(draws: _Draws, count: np.floating, probability: np.floating) -> float:
    if count * probability >= 10.0:
        return _binomial_rejection(draws, count, probability)
    log_failure = float(type(probability)(math.log1p(-float(probability))))
    trials = 0.0
    successes = 0
    while True:
        u = draws.uniform()
        trials += math.ceil(math.log(u) / log_failure) if u else math.inf
        if trials > count:
            return float(successes)
        successes += 1


def _binomial_rejection(draws: _Draws, count: np.floating, probability: np.floating) -> float:
    # These few round to the type of the inputs; from here on everything is float64.
    deviation = float(np.sqrt(count * probability * (1 - probability)))
    expected = float(count * probability)
    odds = float(probability / (1 - probability))
    mode = float(np.floor((count + 1) * probability))
    n = float(count)
    b = 1.15 + 2.53 * deviation
    a = -0.0873 + 0.0248 * b + 0.01 * float(probability)
    center = expected + 0.5
    box = 0.92 - 4.2 / b
    alpha = (2.83 + 5.1 / b) * deviation
    while True:
        u = draws.uniform() - 0.5
        v = draws.uniform()
        edge = 0.5 - abs(u)
        k = float(math.floor((2.0 * a / edge + b) * u + center)) if edge else -1.0
        if k < 0.0 or k > n:
            continue
        if edge >= 0.07 and v <= box:
            return k
        log_v = math.log(v * alpha / (a / (edge * edge) + b)) if v else -math.inf
        bound = (
            (mode + 0.5) * math.log((mode + 1.0) / (odds * (n - mode + 1.0)))
            + (n + 1.0) * math.log((n - mode + 1.0) / (n - k + 1.0))
            + (k + 0.5) * math.log(odds * (n - k + 1.0) / (k + 1.0))
            + _stirling_tail(mode)
            + _stirling_tail(n - mode)
            - _stirling_tail(k)
            - _stirling_tail(n - k)
        )
        if log_v <= bound:
            return k


def _stirling_tail(k: float) -> float:
    """Return log(k!) less its Stirling approximation."""
    if k < len(_STIRLING_TAILS):
        return _STIRLING_TAILS[int(k)]
    square = (k + 1.0) * (k + 1.0)
    return (1.0 / 12.0 - (1.0 / 360.0 - 1.0 / 1260.0 / square) / square) / (k + 1.0)
