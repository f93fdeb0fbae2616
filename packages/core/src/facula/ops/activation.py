"""Activation functions."""

import math
from collections.abc import Callable

from facula import dtypes, native, special_functions
from facula.methods import inplace as in_place
from facula.primitive import primitive, promote
from facula.types import Tensor

__all__ = ["celu", "celu_", "elu", "elu_", "gelu", "glu", "hardshrink", "hardsigmoid", "hardswish", "hardtanh"]
__all__ += ["hardtanh_", "leaky_relu", "leaky_relu_", "logsigmoid", "mish", "normalize", "prelu", "relu"]
__all__ += ["relu6", "relu_", "selu", "selu_", "silu", "softplus", "softshrink", "softsign"]
__all__ += ["tanhshrink", "threshold", "threshold_"]

# Klambauer et al. 2017, https://arxiv.org/abs/1706.02515: the fixed point of mean 0 and variance 1.
SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946


@primitive(dtype=promote, vjp={"x": lambda g, out: _relu_gradient(g, out)})
def _relu(xp, x):
    return xp.maximum(x, x.dtype.type(0))


_relu.native("relu")


def _conj(x: Tensor) -> Tensor:
    return x.conj() if x.is_complex() else x


# What is not known to be at most zero, nan too, lets its gradient pass.
@primitive(
    dtype=promote,
    vjp={"received": lambda g, clipped: _relu_gradient(g, clipped), "clipped": lambda g: None},
)
def _relu_gradient(xp, received, clipped):
    return xp.where(clipped <= 0, received.dtype.type(0), received)


_relu_gradient.native("relu_gradient")


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """Return ``max(input, 0)`` of each element.

    >>> facula.relu(facula.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    if input.dtype is dtypes.bool_ or input.is_complex():
        raise RuntimeError(f"relu is not supported for {input.dtype} tensors")
    return relu_(input) if inplace else _relu(input)


@primitive(dtype=promote, vjp={"x": lambda g, x, low, high: _hardtanh_gradient(g, x, low=low, high=high)})
def _hardtanh(xp, x, *, low, high):
    return xp.clip(x, x.dtype.type(low), x.dtype.type(high))


@_hardtanh.kernel("native")
def _hardtanh_native(x, *, low, high):
    return native.kernels.hardtanh(x, low, high)


@primitive(
    dtype=promote,
    vjp={"received": lambda g, x, low, high: _hardtanh_gradient(g, x, low=low, high=high), "x": lambda g: None},
)
def _hardtanh_gradient(xp, received, x, *, low, high):
    return xp.where((x > low) & (x < high), received, received.dtype.type(0))


@_hardtanh_gradient.kernel("native")
def _hardtanh_gradient_native(received, x, *, low, high):
    return native.kernels.hardtanh_gradient(received, x, low, high)


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """Return ``input`` limited to between ``min_val`` and ``max_val``; the gradient is zero at the limits."""
    if min_val > max_val:
        raise ValueError(f"min_val cannot be greater than max_val, got {min_val} and {max_val}")
    if input.dtype is dtypes.bool_:
        raise RuntimeError("Bool inputs not supported for hardtanh")
    return hardtanh_(input, min_val, max_val) if inplace else _hardtanh(input, low=min_val, high=max_val)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """Return ``min(max(input, 0), 6)`` of each element."""
    return hardtanh(input, 0.0, 6.0, inplace)


@primitive(dtype=promote, vjp={"x": lambda g, x, slope: _leaky_relu_gradient(g, x, slope=slope)})
def _leaky_relu(xp, x, *, slope):
    return xp.where(x > 0, x, x * x.dtype.type(slope))


@_leaky_relu.kernel("native")
def _leaky_relu_native(x, *, slope):
    return native.kernels.leaky_relu(x, slope)


@primitive(
    dtype=promote,
    vjp={"received": lambda g, x, slope: _leaky_relu_gradient(g, x, slope=slope), "x": lambda g: None},
)
def _leaky_relu_gradient(xp, received, x, *, slope):
    return xp.where(x > 0, received, received * received.dtype.type(slope))


@_leaky_relu_gradient.kernel("native")
def _leaky_relu_gradient_native(received, x, *, slope):
    return native.kernels.leaky_relu_gradient(received, x, slope)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """Return ``input`` where positive, else ``negative_slope * input``."""
    return leaky_relu_(input, negative_slope) if inplace else _leaky_relu(input, slope=negative_slope)


@primitive(
    dtype=promote,
    vjp={"x": lambda g, x, alpha, scale, rate: _elu_gradient(g, x, alpha=alpha, scale=scale, rate=rate)},
)
def _elu(xp, x, *, alpha, scale, rate):
    number = x.dtype.type
    return xp.where(x > 0, x * number(scale), xp.expm1(xp.minimum(x * number(rate), 0)) * number(alpha * scale))


@_elu.kernel("native")
def _elu_native(x, *, alpha, scale, rate):
    return native.kernels.elu(x, alpha * scale, scale, rate)


@primitive(
    dtype=promote,
    vjp={
        "received": lambda g, x, alpha, scale, rate: _elu_gradient(g, x, alpha=alpha, scale=scale, rate=rate),
        "x": lambda g, received, x, alpha, scale, rate: (
            g * received * ((x * rate).clamp(max=0.0).exp() * (alpha * scale * rate * rate)).where(x <= 0, 0.0)
        ),
    },
)
def _elu_gradient(xp, received, x, *, alpha, scale, rate):
    number = x.dtype.type
    power = xp.exp(xp.minimum(x * number(rate), 0)) * number(alpha * scale * rate)
    return received * xp.where(x <= 0, power, number(scale))


@_elu_gradient.kernel("native")
def _elu_gradient_native(received, x, *, alpha, scale, rate):
    return native.kernels.elu_gradient(received, x, alpha * scale, scale, rate)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """Return ``input`` where positive, else ``alpha * (exp(input) - 1)``. Clevert et al. 2015, arXiv 1511.07289."""
    return elu_(input, alpha) if inplace else _elu(input, alpha=alpha, scale=1.0, rate=1.0)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """Return the scaled ELU that keeps mean 0 and variance 1. Klambauer et al. 2017, arXiv 1706.02515."""
    return selu_(input) if inplace else _elu(input, alpha=SELU_ALPHA, scale=SELU_SCALE, rate=1.0)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """Return ``max(0, x) + min(0, alpha * (exp(x / alpha) - 1))``. Barron 2017, arXiv 1704.07483."""
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    return celu_(input, alpha) if inplace else _elu(input, alpha=alpha, scale=1.0, rate=1.0 / alpha)


def _normal_density(x: Tensor) -> Tensor:
    return (-0.5 * x * x).exp() * (1.0 / math.sqrt(2.0 * math.pi))


def _normal_distribution(xp, x):
    return (1 + special_functions.erf(xp, x * x.dtype.type(math.sqrt(0.5)))) * x.dtype.type(0.5)


@primitive(dtype=promote, vjp={"x": lambda g, x: _gelu_gradient(g, x)})
def _gelu(xp, x):
    return x * _normal_distribution(xp, x)


_gelu.native("gelu")


@primitive(
    dtype=promote,
    vjp={
        "received": lambda g, x: _gelu_gradient(g, x),
        "x": lambda g, received, x: g * received * (_normal_density(x) * (2.0 - x * x)),
    },
)
def _gelu_gradient(xp, received, x):
    density = xp.exp(x * x * x.dtype.type(-0.5)) * x.dtype.type(1.0 / math.sqrt(2.0 * math.pi))
    return received * (_normal_distribution(xp, x) + x * density)


_gelu_gradient.native("gelu_gradient")


@primitive(dtype=promote, vjp={"x": lambda g, x: _gelu_tanh_gradient(g, x)})
def _gelu_tanh(xp, x):
    number = x.dtype.type
    inner = x * x
    inner *= number(0.044715 * math.sqrt(2.0 / math.pi))
    inner += number(math.sqrt(2.0 / math.pi))
    inner *= x
    inner = xp.tanh(inner)
    inner += 1
    inner *= x
    inner *= number(0.5)
    return inner


_gelu_tanh.native("gelu_tanh")


@primitive(
    dtype=promote,
    vjp={
        "received": lambda g, x: _gelu_tanh_gradient(g, x),
        "x": lambda g, received, x: g * received * _gelu_tanh_curvature(x),
    },
)
def _gelu_tanh_gradient(xp, received, x):
    number = x.dtype.type
    rate, cubic = number(math.sqrt(2.0 / math.pi)), number(math.sqrt(2.0 / math.pi) * 0.044715)
    square = x * x
    bend = xp.tanh(x * (rate + cubic * square))
    half = number(0.5)
    return received * (half * (1 + bend) + half * x * (1 - bend * bend) * (rate + 3 * cubic * square))


_gelu_tanh_gradient.native("gelu_tanh_gradient")


def _gelu_tanh_curvature(x: Tensor) -> Tensor:
    rate, cubic = math.sqrt(2.0 / math.pi), math.sqrt(2.0 / math.pi) * 0.044715
    square = x * x
    bend = (x * (rate + cubic * square)).tanh()
    slope = rate + 3.0 * cubic * square
    return (1.0 - bend * bend) * (slope + 3.0 * cubic * square - x * bend * slope * slope)


def gelu(input: Tensor, approximate: str = "none", *, out: Tensor | None = None) -> Tensor:
    """Return ``x * Phi(x)``, Phi being the normal distribution function; ``approximate='tanh'`` is the cheaper form.

    Hendrycks and Gimpel 2016, arXiv 1606.08415.
    """
    if approximate == "tanh":
        return _gelu_tanh(input, out=out)
    if approximate != "none":
        raise RuntimeError(f"approximate argument must be either none or tanh, got {approximate!r}.")
    return _gelu(input, out=out)


@primitive(dtype=promote, vjp={"x": lambda g, x: _silu_gradient(g, x)})
def _silu(xp, x):
    return x / (1 + xp.exp(-x))


_silu.native("silu")


@primitive(
    dtype=promote,
    vjp={
        "received": lambda g, x: _silu_gradient(g, _conj(x)),
        "x": lambda g, received, x: _conj(g) * received * _silu_curvature(_conj(x)),
    },
)
def _silu_gradient(xp, received, x):
    gate = 1 / (1 + xp.exp(-x))
    return received * xp.conj(gate * (1 + x * (1 - gate)))


_silu_gradient.native("silu_gradient")


def _silu_curvature(x: Tensor) -> Tensor:
    gate = x.sigmoid()
    return gate * (1.0 - gate) * (2.0 + x * (1.0 - 2.0 * gate))


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """Return ``x * sigmoid(x)``. Elfwing et al. 2017, arXiv 1702.03118."""
    return silu_(input) if inplace else _silu(input)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """Return ``x * tanh(softplus(x))``. Misra 2019, arXiv 1908.08681."""
    return mish_(input) if inplace else input * softplus(input).tanh()


@primitive(
    dtype=promote,
    vjp={"x": lambda g, x, beta, threshold: _softplus_gradient(g, x, beta=beta, threshold=threshold)},
)
def _softplus(xp, x, *, beta, threshold):
    scaled = x * x.dtype.type(beta)
    return xp.where(scaled > threshold, x, xp.log1p(xp.exp(xp.minimum(scaled, threshold))) / x.dtype.type(beta))


@_softplus.kernel("native")
def _softplus_native(x, *, beta, threshold):
    return native.kernels.softplus(x, beta, threshold)


@primitive(
    dtype=promote,
    vjp={
        "received": lambda g, x, beta, threshold: _softplus_gradient(g, x, beta=beta, threshold=threshold),
        "x": lambda g, received, x, beta, threshold: g * received * _softplus_curvature(x, beta, threshold),
    },
)
def _softplus_gradient(xp, received, x, *, beta, threshold):
    scaled = x * x.dtype.type(beta)
    return xp.where(scaled > threshold, received, received / (1 + xp.exp(-scaled)))


@_softplus_gradient.kernel("native")
def _softplus_gradient_native(received, x, *, beta, threshold):
    return native.kernels.softplus_gradient(received, x, beta, threshold)


def _softplus_curvature(x: Tensor, beta: float, threshold: float) -> Tensor:
    gate = (x * beta).sigmoid()
    return (gate * (1.0 - gate) * beta).where(x * beta <= threshold, 0.0)


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0, *, out: Tensor | None = None) -> Tensor:
    """Return ``log(1 + exp(beta * x)) / beta``; ``x`` itself where ``beta * x`` is above ``threshold``."""
    return _softplus(input, beta=beta, threshold=threshold, out=out)


def softsign(input: Tensor) -> Tensor:
    """Return ``x / (1 + |x|)``."""
    return input / (1 + input.abs())


def tanhshrink(input: Tensor) -> Tensor:
    """Return ``x - tanh(x)``."""
    return input - input.tanh()


@primitive(dtype=promote, vjp={"x": lambda g, x: g * (-x).sigmoid()})
def _logsigmoid(xp, x):
    return xp.minimum(x, 0) - xp.log1p(xp.exp(-xp.abs(x)))


def logsigmoid(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return ``log(1 / (1 + exp(-x)))``, exact for large negative elements too."""
    return _logsigmoid(input, out=out)


@primitive(dtype=promote, vjp={"x": lambda g, x: _hardsigmoid_gradient(g, x)})
def _hardsigmoid(xp, x):
    number = x.dtype.type
    return xp.clip(x + number(3), number(0), number(6)) / number(6)


_hardsigmoid.native("hardsigmoid")


@primitive(dtype=promote, vjp={"received": lambda g, x: _hardsigmoid_gradient(g, x), "x": lambda g: None})
def _hardsigmoid_gradient(xp, received, x):
    number = x.dtype.type
    return xp.where((x > -3) & (x < 3), received / number(6), number(0))


_hardsigmoid_gradient.native("hardsigmoid_gradient")


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """Return ``clamp(x + 3, 0, 6) / 6``."""
    return hardsigmoid_(input) if inplace else _hardsigmoid(input)


@primitive(dtype=promote, vjp={"x": lambda g, x: _hardswish_gradient(g, x)})
def _hardswish(xp, x):
    number = x.dtype.type
    return x * xp.clip(x + number(3), number(0), number(6)) / number(6)


_hardswish.native("hardswish")


@primitive(
    dtype=promote,
    vjp={
        "received": lambda g, x: _hardswish_gradient(g, x),
        "x": lambda g, received, x: (g * received / 3.0).where((x > -3) & (x < 3), 0.0),
    },
)
def _hardswish_gradient(xp, received, x):
    number = x.dtype.type
    slope = xp.where(x < 3, x / number(3) + number(0.5), number(1))
    return received * xp.where(x > -3, slope, number(0))


_hardswish_gradient.native("hardswish_gradient")


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """Return ``x * clamp(x + 3, 0, 6) / 6``. Howard et al. 2019, arXiv 1905.02244."""
    return hardswish_(input) if inplace else _hardswish(input)


@primitive(dtype=promote, vjp={"x": lambda g, x, lambd: g.where((x > lambd) | (x < -lambd), 0.0)})
def _softshrink(xp, x, *, lambd):
    limit = x.dtype.type(lambd)
    # A nan stays nan.
    return xp.where(x > limit, x - limit, xp.where(x < -limit, x + limit, x * 0))


def softshrink(input: Tensor, lambd: float = 0.5, *, out: Tensor | None = None) -> Tensor:
    """Return ``input`` moved towards zero by ``lambd``, and zero within it."""
    if lambd < 0:
        raise RuntimeError(f"lambda must be greater or equal to 0, but found to be {lambd}.")
    return _softshrink(input, lambd=lambd, out=out)


@primitive(dtype=promote, vjp={"x": lambda g, x, lambd: g.where((x > lambd) | (x < -lambd), 0.0)})
def _hardshrink(xp, x, *, lambd):
    inside = (x >= x.dtype.type(-lambd)) & (x <= x.dtype.type(lambd))
    return xp.where(inside, x.dtype.type(0), x)


def hardshrink(input: Tensor, lambd: float = 0.5, *, out: Tensor | None = None) -> Tensor:
    """Return ``input`` with elements between ``-lambd`` and ``lambd`` set to zero."""
    return _hardshrink(input, lambd=lambd, out=out)


@primitive(dtype=promote, vjp={"x": lambda g, x, threshold: g.where(x > threshold, 0.0)})
def _threshold(xp, x, *, threshold, value):
    return xp.where(x <= x.dtype.type(threshold), x.dtype.type(value), x)


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """Return ``input`` where above ``threshold``, else ``value``."""
    return threshold_(input, threshold, value) if inplace else _threshold(input, threshold=threshold, value=value)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """Return ``input`` where positive, else ``weight * input``, with one weight or one for each channel (dim 1).

    He et al. 2015, arXiv 1502.01852.
    """
    if weight.dim() > 1 or (weight.dim() == 1 and weight.numel() not in (1, input.shape[1] if input.dim() > 1 else 1)):
        channels = input.shape[1] if input.dim() > 1 else 1
        raise RuntimeError(
            f"Mismatch of parameter numbers and input channel size. Found parameter numbers = "
            f"{weight.numel()} and channel size = {channels}."
        )
    if weight.dim() == 1 and input.dim() > 1:
        weight = weight.reshape(1, -1, *[1] * (input.dim() - 2))
    elif input.dim() == 0:
        weight = weight.reshape(())
    return input.where(input > 0, input * weight)


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """Return ``a * sigmoid(b)``, a and b being the halves of ``input`` along ``dim``. Dauphin et al., arXiv 1612.08083."""
    if input.dim() == 0:
        raise RuntimeError("glu does not support 0-dimensional tensors")
    if input.shape[dim] % 2:
        raise RuntimeError(f"Halving dimension must be even, but dimension {dim} is size {input.shape[dim]}")
    first, second = input.chunk(2, dim)
    return first * second.sigmoid()


def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12, out: Tensor | None = None) -> Tensor:
    """Return ``input`` divided by its p-norm along ``dim``, the norm being at least ``eps``."""
    length = input.norm(p, dim, keepdim=True).clamp_min(eps).expand_as(input)
    return input.div(length) if out is None else input.div(length, out=out)


relu_: Callable[..., Tensor] = in_place(relu, saves_input=False)
hardtanh_ = in_place(hardtanh)
leaky_relu_ = in_place(leaky_relu)
elu_ = in_place(elu)
selu_ = in_place(selu)
celu_ = in_place(celu)
silu_ = in_place(silu)
mish_ = in_place(mish)
hardsigmoid_ = in_place(hardsigmoid)
hardswish_ = in_place(hardswish)
threshold_ = in_place(threshold)
