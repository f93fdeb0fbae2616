"""Random tensors and dropout, in PyTorch's stream of numbers on the CPU."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from facula import devices, dtypes, rng
from facula.devices import device as Device
from facula.dtype_rules import computed_in
from facula.dtypes import dtype as DType
from facula.dtypes import from_numpy_dtype
from facula.methods import write
from facula.ops.conversion import memory_format, preserve_format
from facula.primitive import primitive, write_out
from facula.rng import Generator
from facula.tensor_base import TensorBase, storage_of, wrap
from facula.types import Tensor

__all__ = ["bernoulli", "binomial"]
__all__ += ["get_rng_state", "initial_seed"]
__all__ += ["manual_seed", "multinomial", "normal", "poisson", "rand", "rand_like", "randint", "randint_like", "randn"]
__all__ += ["randn_like", "randperm", "seed", "set_rng_state"]

rng.Generator.make_device = staticmethod(devices.canonical)
rng.Generator.wrap_state = staticmethod(wrap)

_cuda_generators: dict[int | None, Generator] = {}


def _generator(given: Generator | None, device: Device) -> Generator:
    """Return the generator to draw from: the one given, else the default one of the device."""
    if given is not None:
        if given.device.type != device.type:
            raise RuntimeError(f"Expected a '{device.type}' device type for generator but found '{given.device.type}'")
        return given
    if device.type == "cpu":
        return rng.default_generator
    if device.index not in _cuda_generators:
        made = _cuda_generators[device.index] = Generator(f"cuda:{device.index}")
        made.manual_seed(rng.initial_seed())
    return _cuda_generators[device.index]


def manual_seed(seed: int) -> Generator:
    """Return the default generator, restarted from ``seed``; CUDA's generators restart too.

    >>> _ = facula.manual_seed(0)
    >>> facula.rand(2)
    tensor([0.4963, 0.7682])
    """
    for each in _cuda_generators.values():
        each.manual_seed(seed)
    return rng.manual_seed(seed)


def seed() -> int:
    """Return a seed from the operating system, after restarting the default generator from it."""
    return rng.seed()


def initial_seed() -> int:
    """Return the seed the default generator was last started from."""
    return rng.initial_seed()


def get_rng_state() -> Tensor:
    """Return the state of the default generator, as bytes in PyTorch's layout."""
    return rng.default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Put the default generator into a state that `get_rng_state` returned."""
    rng.default_generator.set_state(new_state)


# New random tensors.


def _sizes(size: tuple[Any, ...]) -> tuple[int, ...]:
    if len(size) == 1 and isinstance(size[0], (tuple, list)):
        size = tuple(size[0])
    shape = tuple(each.__index__() for each in size)
    if any(length < 0 for length in shape):
        raise RuntimeError(f"Trying to create tensor with negative dimension {min(shape)}: {list(shape)}")
    return shape


def _make(
    draw: Callable[[Generator, tuple[int, ...], np.dtype], np.ndarray],
    size: tuple[Any, ...],
    dtype: DType,
    device: Device | str | int | None,
    generator: Generator | None,
    out: Tensor | None,
    requires_grad: bool,
) -> Tensor:
    shape = _sizes(size)
    if out is not None:
        if out._array.shape != shape:
            out._array = np.empty(shape, out._array.dtype)
        target = out.device
        out._array[...] = draw(_generator(generator, target), shape, out._array.dtype)
        storage_of(out).version += 1
        return out
    target = devices.canonical(device)
    made = wrap(devices.move(draw(_generator(generator, target), shape, dtype.numpy), target))
    return made.requires_grad_() if requires_grad else made


def rand(
    *size: int | Sequence[int],
    generator: Generator | None = None,
    out: Tensor | None = None,
    dtype: DType | None = None,
    layout: object = None,
    device: Device | str | int | None = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Return a tensor of numbers drawn evenly from [0, 1)."""

    def draw(stream: Generator, shape: tuple[int, ...], kind: np.dtype) -> np.ndarray:
        return rng.uniform(stream, shape, 0.0, 1.0, kind)

    return _make(draw, size, dtype or dtypes.get_default_dtype(), device, generator, out, requires_grad)


def randn(
    *size: int | Sequence[int],
    generator: Generator | None = None,
    out: Tensor | None = None,
    dtype: DType | None = None,
    layout: object = None,
    device: Device | str | int | None = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Return a tensor of numbers drawn from the normal distribution of mean 0 and variance 1.

    >>> _ = facula.manual_seed(0)
    >>> facula.randn(2)
    tensor([ 1.5410, -0.2934])
    """

    def draw(stream: Generator, shape: tuple[int, ...], kind: np.dtype) -> np.ndarray:
        return rng.normal(stream, shape, 0.0, 1.0, kind)

    return _make(draw, size, dtype or dtypes.get_default_dtype(), device, generator, out, requires_grad)


def randint(
    *bounds_and_size: int | Sequence[int],
    low: int | None = None,
    high: int | None = None,
    size: Sequence[int] | None = None,
    generator: Generator | None = None,
    out: Tensor | None = None,
    dtype: DType | None = None,
    layout: object = None,
    device: Device | str | int | None = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Return a tensor of integers from ``low`` (0) up to, without, ``high``; called as ``randint(low, high, size)``."""
    given: list[Any] = list(bounds_and_size)
    if size is None:
        size = given.pop()
    if high is None:
        high = given.pop()
    if given:
        low = given.pop(0)
    low, high = int(low or 0), int(high)
    if low >= high:
        raise RuntimeError(f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")

    def draw(stream: Generator, shape: tuple[int, ...], kind: np.dtype) -> np.ndarray:
        return rng.random_integers(stream, shape, low, high, kind)

    return _make(draw, (tuple(size),), dtype or dtypes.int64, device, generator, out, requires_grad)


def randperm(
    n: int,
    *,
    generator: Generator | None = None,
    out: Tensor | None = None,
    dtype: DType | None = None,
    layout: object = None,
    device: Device | str | int | None = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Return the integers 0 … n - 1 in random order."""

    def draw(stream: Generator, shape: tuple[int, ...], kind: np.dtype) -> np.ndarray:
        return rng.permutation(stream, shape[0], kind)

    if n < 0:
        raise RuntimeError(f"n must be non-negative, got {n}")
    return _make(draw, (n,), dtype or dtypes.int64, device, generator, out, requires_grad)


def _laid_out_like(
    input: Tensor, dtype: DType | None, device: Device | str | int | None, format: memory_format
) -> Tensor | None:
    """Return an empty tensor whose elements lie in memory in the order of those of ``input``; None if in the usual one."""
    array = input._array
    if array.flags.c_contiguous or 0 in array.strides or format is not preserve_format:
        return None
    made = np.empty_like(array, (dtype or input.dtype).numpy, order="K", subok=False)
    return wrap(devices.move(made, devices.canonical(device or input.device)))


def rand_like(
    input: Tensor,
    *,
    generator: Generator | None = None,
    dtype: DType | None = None,
    layout: object = None,
    device: Device | str | int | None = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
    memory_format: memory_format = preserve_format,
) -> Tensor:
    """Return numbers drawn evenly from [0, 1), with the shape, type and device of ``input``."""
    empty = _laid_out_like(input, dtype, device, memory_format)
    if empty is not None:
        return uniform_(empty, generator=generator).requires_grad_(requires_grad)
    kind, target = dtype or input.dtype, device or input.device
    return rand(input.shape, generator=generator, dtype=kind, device=target, requires_grad=requires_grad)


def randn_like(
    input: Tensor,
    *,
    generator: Generator | None = None,
    dtype: DType | None = None,
    layout: object = None,
    device: Device | str | int | None = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
    memory_format: memory_format = preserve_format,
) -> Tensor:
    """Return normal numbers with the shape, type and device of ``input``."""
    empty = _laid_out_like(input, dtype, device, memory_format)
    if empty is not None:
        return normal_(empty, generator=generator).requires_grad_(requires_grad)
    kind, target = dtype or input.dtype, device or input.device
    return randn(input.shape, generator=generator, dtype=kind, device=target, requires_grad=requires_grad)


def randint_like(
    input: Tensor,
    *bounds: int,
    low: int | None = None,
    high: int | None = None,
    generator: Generator | None = None,
    dtype: DType | None = None,
    layout: object = None,
    device: Device | str | int | None = None,
    requires_grad: bool = False,
    memory_format: memory_format = preserve_format,
) -> Tensor:
    """Return integers from ``low`` (0) up to ``high``, with the shape, type and device of ``input``."""
    kind, target = dtype or input.dtype, device or input.device
    bounds = tuple(each.item() if isinstance(each, Tensor) else each for each in bounds)
    return randint(*bounds, tuple(input.shape), low=low, high=high, generator=generator, dtype=kind, device=target)


@primitive(
    vjp={
        "mean": lambda g, mean_shape: g.new_zeros(mean_shape),
        "std": lambda g, std_shape: g.new_zeros(std_shape),
    }
)
def _drawn(xp, values, mean, std):
    """Return ``values``, through which gradients of zero reach what they were drawn by."""
    return values


def normal(
    mean: Tensor | float,
    std: Tensor | float = 1.0,
    size: Sequence[int] | None = None,
    *,
    generator: Generator | None = None,
    out: Tensor | None = None,
    dtype: DType | None = None,
    layout: object = None,
    device: Device | str | int | None = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """Return normal numbers of the given means and standard deviations: tensors, or numbers with a ``size``."""
    tensors = [each for each in (mean, std) if isinstance(each, TensorBase)]
    if isinstance(std, TensorBase) and std.numel() and bool((std < 0).any()):
        raise RuntimeError("normal expects all elements of std >= 0.0")
    if not tensors:
        if size is None:
            raise TypeError("normal() needs a size when mean and std are numbers")

        def draw(stream: Generator, shape: tuple[int, ...], kind: np.dtype) -> np.ndarray:
            return rng.normal(stream, shape, float(mean), float(std), kind)

        return _make(draw, (tuple(size),), dtype or dtypes.get_default_dtype(), device, generator, out, requires_grad)
    if not isinstance(std, TensorBase) and not std >= 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std}")
    kind = (tensors[0] if out is None else out).dtype
    if kind.category < dtypes.FLOATING:
        raise NotImplementedError(f"normal() is not implemented for {kind.name}")
    shape = np.broadcast_shapes(*(each._array.shape for each in tensors))
    noise = randn(shape, generator=generator, dtype=kind, device=tensors[0].device)
    means, deviations = (each.detach() if isinstance(each, TensorBase) else each for each in (mean, std))
    result = _drawn(noise.mul_(deviations).add_(means), mean, std)
    return result if out is None else write_out(result, out, "normal")


def bernoulli(
    input: Tensor, p: float | None = None, *, generator: Generator | None = None, out: Tensor | None = None
) -> Tensor:
    """Return ones with the probabilities in ``input`` (or all with ``p``) and zeros otherwise, of its type.

    Gradients pass as zeros.
    """
    stream = _generator(generator, input.device)
    probability = float(p) if p is not None else input._array
    result = wrap(np.asarray(rng.bernoulli(stream, input._array.shape, probability, input._array.dtype)))
    if input.requires_grad:
        result = result + input * 0.0
    return result if out is None else write_out(result, out, "bernoulli")


def multinomial(
    input: Tensor,
    num_samples: int,
    replacement: bool = False,
    *,
    generator: Generator | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Return ``num_samples`` category numbers for each row of weights (C) or (N, C), int64.

    >>> facula.multinomial(facula.tensor([0.0, 1.0]), 1)
    tensor([1])
    """
    if out is not None and out.dtype is not dtypes.int64:
        raise RuntimeError(f"multinomial expects Long tensor out, got: {out.dtype.name.title()}")
    if not input.is_floating_point():
        raise RuntimeError(
            f"multinomial only supports floating-point dtypes for input, got: {input.dtype.name.title()}"
        )
    result = wrap(rng.multinomial(_generator(generator, input.device), input._array, num_samples, replacement))
    return result if out is None else write_out(result, out, "multinomial")


def poisson(input: Tensor, generator: Generator | None = None) -> Tensor:
    """Return a Poisson count for each rate in ``input``, of its type. Gradients pass as zeros."""
    result = wrap(rng.poisson(_generator(generator, input.device), input._array))
    return result + input * 0.0 if input.requires_grad else result


def binomial(count: Tensor, prob: Tensor, generator: Generator | None = None) -> Tensor:
    """Return how many of ``count`` trials of probability ``prob`` succeed, element by element. Gradients pass as zeros."""
    result = wrap(rng.binomial(_generator(generator, count.device), count._array, prob._array))
    return result + (count + prob) * 0.0 if count.requires_grad or prob.requires_grad else result


# In-place filling. What was there no longer matters, so gradients end here.


def _memory_order(array: np.ndarray) -> list[int]:
    """Return the dimensions in the order in which their elements lie in memory, the farthest apart first."""
    return sorted(range(array.ndim), key=lambda dim: -abs(array.strides[dim]))


def _fill(self: Tensor, draw: Callable[[tuple[int, ...]], np.ndarray]) -> Tensor:
    """Write what is drawn for a shape, in the order in which the elements lie in memory."""
    array = self._array
    if array.flags.c_contiguous:
        return write(self, wrap(draw(array.shape).astype(array.dtype, copy=False)))
    order = _memory_order(array)
    drawn = draw(tuple(array.shape[dim] for dim in order)).astype(array.dtype, copy=False)
    return write(self, wrap(drawn.transpose(np.argsort(order))))


def uniform_(
    self: Tensor, from_: float = 0.0, to: float = 1.0, *, generator: Generator | None = None, **bounds: float
) -> Tensor:
    """Fill this tensor with numbers drawn evenly from [from, to), and return it."""
    low = bounds.pop("from", from_)
    if bounds:
        raise TypeError(f"uniform_() got an unexpected keyword argument '{next(iter(bounds))}'")
    array = self._array
    if array.dtype.kind not in "fcV":
        raise NotImplementedError(f"\"check_uniform_bounds\" not implemented for '{self.dtype.name.title()}'")
    stream = _generator(generator, self.device)
    return _fill(self, lambda shape: rng.uniform(stream, shape, float(low), float(to), array.dtype))


def normal_(self: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Fill this tensor with normal numbers, and return it."""
    stream, kind, contiguous = _generator(generator, self.device), self._array.dtype, self._array.flags.c_contiguous
    return _fill(self, lambda shape: rng.normal(stream, shape, float(mean), float(std), kind, bool(contiguous)))


def random_(
    self: Tensor, from_: int | None = None, to: int | None = None, *, generator: Generator | None = None, **bounds: int
) -> Tensor:
    """Fill this tensor with integers from [from, to); up to the largest its type can hold without bounds."""
    low = bounds.pop("from", from_)
    stream, kind = _generator(generator, self.device), self._array.dtype
    if low is None and to is None:
        return _fill(self, lambda shape: rng.random_full(stream, shape, kind))
    low, high = (0, low) if to is None and "from" not in bounds and from_ is not None else (low or 0, to)
    if high is not None and low >= high:
        raise RuntimeError(f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")
    first, end = int(low), None if high is None else int(high)
    return _fill(self, lambda shape: rng.random_integers(stream, shape, first, end, kind))


def bernoulli_(self: Tensor, p: Tensor | float = 0.5, *, generator: Generator | None = None) -> Tensor:
    """Fill this tensor with ones of probability ``p``, zeros otherwise, and return it."""
    stream, kind = _generator(generator, self.device), self._array.dtype
    if isinstance(p, TensorBase):
        chances = np.broadcast_to(p._array, self._array.shape).transpose(_memory_order(self._array))
        return _fill(self, lambda shape: rng.bernoulli(stream, shape, chances, kind))
    return _fill(self, lambda shape: rng.bernoulli(stream, shape, float(p), kind))


def exponential_(self: Tensor, lambd: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Fill this tensor with exponential numbers of rate ``lambd``, and return it."""
    stream = _generator(generator, self.device)
    return _fill(self, lambda shape: rng.exponential(stream, shape, float(lambd), self._array.dtype))


def geometric_(self: Tensor, p: float, *, generator: Generator | None = None) -> Tensor:
    """Fill this tensor with numbers of trials of probability ``p`` up to a success, and return it."""
    stream = _generator(generator, self.device)
    return _fill(self, lambda shape: rng.geometric(stream, shape, float(p), self._array.dtype))


def cauchy_(self: Tensor, median: float = 0.0, sigma: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Fill this tensor with Cauchy numbers, and return it."""
    stream = _generator(generator, self.device)
    return _fill(self, lambda shape: rng.cauchy(stream, shape, float(median), float(sigma), self._array.dtype))


def log_normal_(self: Tensor, mean: float = 1.0, std: float = 2.0, *, generator: Generator | None = None) -> Tensor:
    """Fill this tensor with exponentials of normal numbers, and return it."""
    stream = _generator(generator, self.device)
    return _fill(self, lambda shape: rng.log_normal(stream, shape, float(mean), float(std), self._array.dtype))


# Dropout.


def _check_probability(p: float) -> None:
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def _noise(input: Tensor, shape: Sequence[int], p: float) -> Tensor:
    """Return zeros with probability ``p`` and ``1 / (1 - p)`` otherwise."""
    dtype = input._array.dtype
    kind = computed_in(from_numpy_dtype[dtype])[0].type
    scale = float(kind(1) / kind(1 - p)) if p < 1 else 1.0
    return wrap(rng.bernoulli(_generator(None, input.device), tuple(shape), 1 - p, dtype, scale))


def dropout_noise(input: Tensor, shape: Sequence[int], p: float) -> Tensor | None:
    """Return by what `dropout` with ``p`` would multiply a tensor of this shape, on the device of ``input``, or None."""
    _check_probability(p)
    return None if p == 0.0 else _noise(input, shape, p)


def _drop(input: Tensor, shape: Sequence[int], p: float, training: bool, inplace: bool) -> Tensor:
    _check_probability(p)
    if not training or p == 0.0 or input.numel() == 0:
        return input
    noise = _noise(input, shape, p)
    return input.mul_(noise) if inplace else input * noise


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Return ``input`` with elements set to zero with probability ``p`` and the others scaled by ``1 / (1 - p)``.

    Srivastava et al. 2014, Journal of Machine Learning Research 15.
    """
    array = input._array
    if training and p != 0.0 and not array.flags.c_contiguous and 0 not in array.strides:
        # Numbers are drawn in the order in which the elements lie in memory.
        order = _memory_order(array)
        turned = _drop(input.permute(order), [array.shape[dim] for dim in order], p, training, inplace)
        return input if inplace else turned.permute([order.index(dim) for dim in range(array.ndim)])
    return _drop(input, array.shape, p, training, inplace)


def feature_dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Return ``input`` (N, C, …) with whole channels set to zero. Tompson et al. 2014, arXiv 1411.4280."""
    shape = (*input.shape[:2], *[1] * (input.dim() - 2))
    return _drop(input, shape, p, training, inplace)


def _dropout_of_rank(input: Tensor, p: float, training: bool, inplace: bool, rank: int) -> Tensor:
    _check_probability(p)
    if input.dim() == rank:  # no batch
        dropped = feature_dropout(input.unsqueeze(0), p, training, inplace)
        return input if inplace else dropped.squeeze(0)
    return feature_dropout(input, p, training, inplace)


def dropout1d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Return ``input`` (N, C, L) or (C, L) with whole channels set to zero."""
    if input.dim() not in (2, 3):
        raise RuntimeError(f"dropout1d: Expected 2D or 3D input, but received a {input.dim()}D input.")
    return _dropout_of_rank(input, p, training, inplace, 2)


def dropout2d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Return ``input`` (N, C, H, W) with whole channels set to zero."""
    return feature_dropout(input, p, training, inplace)


def dropout3d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Return ``input`` (N, C, D, H, W) with whole channels set to zero."""
    return _dropout_of_rank(input, p, training, inplace, 4)


# The negative saturation value of SELU, -scale * alpha.
_SELU_LIMIT = -1.7580993408473766


def _alpha_drop(input: Tensor, shape: Sequence[int], p: float, training: bool, inplace: bool) -> Tensor:
    _check_probability(p)
    if not training or p == 0.0 or input.numel() == 0:
        return input
    if p == 1.0:
        return input.mul_(0.0) if inplace else input * 0.0
    kept = wrap(rng.bernoulli(_generator(None, input.device), tuple(shape), 1 - p, input._array.dtype))
    scale = (_SELU_LIMIT**2 * p + 1) ** -0.5 * (1 - p) ** -0.5
    shift = (kept - 1.0) * (-_SELU_LIMIT * scale) + (-_SELU_LIMIT * scale * p)
    return input.mul_(kept * scale).add_(shift) if inplace else input * (kept * scale) + shift


def alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """Return ``input`` with dropout that keeps mean and variance after SELU. Klambauer et al. 2017, arXiv 1706.02515."""
    return _alpha_drop(input, input._array.shape, p, training, inplace)


def feature_alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """Return ``input`` (N, C, …) with alpha dropout of whole channels."""
    return _alpha_drop(input, (*input.shape[:2], *[1] * (input.dim() - 2)), p, training, inplace)


def rrelu(
    input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False, inplace: bool = False
) -> Tensor:
    """Return ``input`` where positive, else times a slope drawn from [lower, upper), or its mean outside training.

    Xu et al. 2015, arXiv 1505.00853.
    """
    return _leaky(input, lower, upper, training, None, inplace)


def _leaky(
    input: Tensor, lower: float, upper: float, training: bool, generator: Generator | None, inplace: bool = False
) -> Tensor:
    if not (math.isfinite(lower) and math.isfinite(upper)):
        raise RuntimeError(f"rrelu: lower and upper bounds must be finite, got {lower} and {upper}")
    if lower > upper:
        raise RuntimeError(f"Lower bound should be less than or equal to the upper bound, got {lower} and {upper}")
    factor = input.detach() * 0 + 1.0
    if training:
        # Numbers are drawn for elements that are not positive only, in double precision, in their order.
        negative = input <= 0
        count = int(negative.sum())
        drawn = rng.uniform(_generator(generator, input.device), (count,), lower, upper, np.dtype(np.float64))
        factor[negative] = wrap(drawn).to(device=input.device, dtype=input.dtype)
    else:
        factor = factor.where(input > 0, (lower + upper) / 2)
    return input.mul_(factor) if inplace else input * factor


def gumbel_softmax(logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Tensor:
    """Return samples of a distribution that is nearly one-hot; with ``hard`` one-hot, with the soft gradient.

    Jang et al. 2016, arXiv 1611.01144.
    """
    noise = -wrap(logits._array.copy()).exponential_().log()
    soft = ((logits + noise) / tau).softmax(dim)
    if not hard:
        return soft
    index = soft.argmax(dim, keepdim=True)
    one_hot = (soft.detach() * 0).scatter(dim, index, 1.0)
    return one_hot - soft.detach() + soft
