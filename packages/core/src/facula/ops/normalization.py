"""Batch, layer, group, instance, root-mean-square and local response normalisation."""

from collections.abc import Sequence
from math import prod

from facula import dtypes, native
from facula.methods import write
from facula.primitive import primitive, promote
from facula.types import Tensor

__all__ = ["batch_norm", "group_norm", "instance_norm", "layer_norm", "local_response_norm", "rms_norm"]


# One primitive standardises: y = (x - mean) / sqrt(variance + eps) over some dimensions, times a weight and plus a bias
# that broadcast. Every norm is that, with its own choice of dimensions; that of the root mean square takes 0 for the mean.


@primitive(
    dtype=promote,
    vjp={
        # Not the result itself, which may be written to, as by a relu in place.
        ("x", "weight", "bias"): lambda g, x, weight, out_1, out_2, dims, eps, centred: _slopes(
            g[0], x, weight, out_1, out_2, dims, eps, centred
        )
    },
)
def _standardize(xp, x, weight, bias, *, dims, eps, centred):
    """Return the result, the mean and the variance; without ``centred`` 0 and the mean square."""
    mean = x.mean(axis=dims, keepdims=True)
    mean = mean if centred else mean * 0
    result = x - mean
    variance = _mean_square(xp, result, dims)
    result /= xp.sqrt(variance + x.dtype.type(eps))
    if weight is not None:
        result *= weight
    if bias is not None:
        result += bias
    return result, mean, variance


@_standardize.kernel("native")
def _standardize_native(x, weight, bias, *, dims, eps, centred):
    return native.kernels.standardize(x, weight, bias, dims, eps, centred)


def _mean_square(xp, x, dims):
    """Return the mean of squares over ``dims``, kept, without an array of squares where einsum can."""
    count = prod(x.shape[dim] for dim in dims)
    letters = [chr(ord("a") + dim) for dim in range(x.ndim)]
    kept = [letter for dim, letter in enumerate(letters) if dim not in dims]
    total = xp.einsum(f"{''.join(letters)},{''.join(letters)}->{''.join(kept)}", x, x)
    shape = [1 if dim in dims else length for dim, length in enumerate(x.shape)]
    return (total / x.dtype.type(max(count, 1))).reshape(shape)


def _slopes(
    g: Tensor,
    x: Tensor,
    weight: Tensor | None,
    mean: Tensor,
    variance: Tensor,
    dims: tuple[int, ...],
    eps: float,
    centred: bool,
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Return the gradients for x, weight and bias: from x alone where they are differentiated in turn."""
    if not any(each is not None and each.requires_grad for each in (g, x, weight)):
        found = _standardize_gradient(g, x, weight, mean, variance, dims=dims, eps=eps, centred=centred)
        return (*found, *[None] * (3 - len(found)))
    distance = x - x.mean(dims, keepdim=True) if centred else x
    scale = ((distance * distance).mean(dims, keepdim=True) + eps).rsqrt()
    result = distance * scale
    along = g if weight is None else g * weight
    slope = along - result * (along * result).mean(dims, keepdim=True)
    slope = (slope - along.mean(dims, keepdim=True) if centred else slope) * scale
    if weight is None:
        return slope, None, None
    return slope, (g * result).sum_to_size(weight.shape), g.sum_to_size(weight.shape)


@primitive(dtype=promote)
def _standardize_gradient(xp, grad, x, weight, mean, variance, *, dims, eps, centred):
    """Return the gradients for x and, where there is a weight, for weight and bias."""
    scale = 1 / xp.sqrt(variance + x.dtype.type(eps))
    result = (x - mean) * scale
    along = grad if weight is None else grad * weight
    slope = along - result * (along * result).mean(axis=dims, keepdims=True)
    if centred:
        slope -= along.mean(axis=dims, keepdims=True)
    slope *= scale
    if weight is None:
        return (slope,)
    return slope, _summed_to(grad * result, weight.shape), _summed_to(grad, weight.shape)


@_standardize_gradient.kernel("native")
def _standardize_gradient_native(grad, x, weight, mean, variance, *, dims, eps, centred):
    return native.kernels.standardize_gradient(grad, x, weight, mean, variance, dims, eps, centred)


def _summed_to(x, shape):
    """Return an array summed to a shape that broadcasts to its own."""
    extra = x.ndim - len(shape)
    one = tuple([at + extra for at, length in enumerate(shape) if length == 1])
    return x.sum(axis=(*range(extra), *one)).reshape(shape)


def _standardized(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    dims: tuple[int, ...],
    eps: float,
    centred: bool = True,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the result, mean and variance; ``weight`` and ``bias`` are of one shape."""
    if weight is not None or bias is None:
        return _standardize(input, weight, bias, dims=dims, eps=eps, centred=centred)
    result, mean, variance = _standardize(input, None, None, dims=dims, eps=eps, centred=centred)
    return result + bias, mean, variance


def _check_shape(input: Tensor, shape: tuple[int, ...], name: str) -> None:
    if tuple(input.shape[input.dim() - len(shape) :]) != shape or not shape:
        raise RuntimeError(
            f"Given normalized_shape={list(shape)}, expected input with shape [*, {', '.join(map(str, shape))}], but got "
            f"input of size{list(input.shape)}"
        )


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Return ``input`` with mean 0 and variance 1 over its last dimensions, scaled and shifted.

    Ba et al. 2016, arXiv 1607.06450.

    >>> facula.nn.functional.layer_norm(facula.tensor([1.0, 3.0]), (2,))
    tensor([-1.0000,  1.0000])
    """
    shape = tuple(normalized_shape)
    _check_shape(input, shape, "layer_norm")
    for name, each in (("weight", weight), ("bias", bias)):
        if each is not None and tuple(each.shape) != shape:
            raise RuntimeError(
                f"Expected {name} to be of same shape as normalized_shape, but got {name} of shape {list(each.shape)} "
                f"and normalized_shape = {list(shape)}"
            )
    dims = tuple(range(input.dim() - len(shape), input.dim()))
    return _standardized(input, weight, bias, dims, eps)[0]


def rms_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    """Return ``input`` divided by its root mean square over its last dimensions, scaled.

    Zhang and Sennrich 2019, arXiv 1910.07467.
    """
    shape = tuple(normalized_shape)
    _check_shape(input, shape, "rms_norm")
    if eps is None:
        # Of the type that is computed in.
        eps = dtypes.finfo(dtypes.float32 if input._array.dtype in dtypes.REDUCED else input.dtype).eps
    dims = tuple(range(input.dim() - len(shape), input.dim()))
    return _standardized(input, weight, None, dims, eps, centred=False)[0]


def _channelwise(statistic: Tensor, input: Tensor) -> Tensor:
    return statistic.reshape(1, -1, *[1] * (input.dim() - 2))


def _channelwise_or_none(statistic: Tensor | None, input: Tensor) -> Tensor | None:
    return None if statistic is None else _channelwise(statistic, input)


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Return ``input`` (N, C, …) normalised for each channel, scaled and shifted.

    In training, by the mean and variance of the batch, with which the running ones are updated in place (by the
    unbiased variance); else by the running ones. Ioffe and Szegedy 2015, arXiv 1502.03167.
    """
    if input.numel() == 0:
        result = input.clone()
        result = result if weight is None else result * weight[0]
        return result if bias is None else result + bias[0]
    if training and eps <= 0.0:
        raise ValueError(f"batch_norm eps must be positive during training, but got {eps}")
    if training and input.numel() // max(input.shape[1], 1) <= 1:
        raise ValueError(f"Expected more than 1 value per channel when training, got input size {input.shape}")
    if not training and (running_mean is None or running_var is None):
        raise RuntimeError("Expected running_mean and running_var to be defined when training=False")
    for name, each in (
        ("running_mean", running_mean),
        ("running_var", running_var),
        ("weight", weight),
        ("bias", bias),
    ):
        if each is not None and each.numel() != input.shape[1]:
            raise RuntimeError(f"{name} should contain {input.shape[1]} elements not {each.numel()}")
    if not training and running_mean is not None and running_var is not None:
        rate = (running_var + eps).rsqrt()
        rate = rate if weight is None else rate * weight
        return _scale_channels(input, running_mean, rate, rate.new_zeros(rate.shape) if bias is None else bias)
    dims = (0, *range(2, input.dim()))
    scale, shift = _channelwise_or_none(weight, input), _channelwise_or_none(bias, input)
    result, mean, variance = _standardized(input, scale, shift, dims, eps)
    count = input.numel() // max(input.shape[1], 1)
    _update(running_mean, mean, momentum)
    _update(running_var, variance, momentum, count / max(count - 1, 1))
    return result


@primitive()
def _moved(xp, running, batch, *, momentum, factor):
    """Return a running statistic after a step of ``momentum`` towards ``factor`` times that of the batch."""
    moved = running * running.dtype.type(1 - momentum)
    moved += batch.reshape(-1).astype(running.dtype) * running.dtype.type(momentum * factor)
    return moved


def _update(running: Tensor | None, batch: Tensor, momentum: float, factor: float = 1.0) -> None:
    """Move a running statistic towards that of the batch, in place."""
    if running is not None:
        running = running.detach()
        write(running, _moved(running, batch.detach(), momentum=momentum, factor=factor))


@primitive(
    dtype=promote,
    vjp={
        "x": lambda g, x, scale: g * _channelwise(scale, x),
        "centre": lambda g, x, scale: -_of_channels(g) * scale,
        "scale": lambda g, x, centre: _of_channels(g * (x - _channelwise(centre, x))),
        "shift": lambda g: _of_channels(g),
    },
)
def _scale_channels(xp, x, centre, scale, shift):
    """Return ``(x - centre) * scale + shift`` of (N, C, …), with one of each for a channel."""
    wide = (-1, *[1] * (x.ndim - 2))
    result = x - centre.reshape(wide)
    result *= scale.reshape(wide)
    result += shift.reshape(wide)
    return result


_scale_channels.native("scale_channels")


def _of_channels(x: Tensor) -> Tensor:
    return x.sum((0, *range(2, x.dim())))


def group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """Return ``input`` (N, C, …) normalised over each of ``num_groups`` groups of channels, scaled and shifted.

    Wu and He 2018, arXiv 1803.08494.
    """
    if input.dim() < 2:
        raise RuntimeError(f"Expected at least 2 dimensions for input tensor but received {input.dim()}")
    batch, channels = input.shape[:2]
    if num_groups <= 0 or channels % num_groups:
        raise RuntimeError(
            "Expected number of channels in input to be divisible by num_groups, but got input of shape "
            f"{list(input.shape)} and num_groups={num_groups}"
        )
    groups = (num_groups, channels // num_groups)
    if batch * groups[1] * prod(input.shape[2:]) == 1:
        raise ValueError(f"Expected more than 1 value per channel when training, got input size {list(input.shape)}")
    scale = None if weight is None else weight.reshape(*groups, 1)
    shift = None if bias is None else bias.reshape(*groups, 1)
    grouped = input.reshape(batch, *groups, prod(input.shape[2:]))
    return _standardized(grouped, scale, shift, (2, 3), eps)[0].reshape(input.shape)


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Return ``input`` (N, C, …) normalised over each channel of each sample. Ulyanov et al. 2016, arXiv 1607.08022."""
    if not use_input_stats:
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    if input.dim() < 3 or prod(input.shape[2:]) == 1:
        raise ValueError(f"Expected more than 1 spatial element when training, got input size {input.shape}")
    dims = tuple(range(2, input.dim()))
    scale, shift = _channelwise_or_none(weight, input), _channelwise_or_none(bias, input)
    result, mean, variance = _standardized(input, scale, shift, dims, eps)
    count = prod(input.shape[2:])
    if running_mean is not None:
        _update(running_mean, mean.detach().reshape(input.shape[:2]).mean(0), momentum)
        unbiased = variance.detach().reshape(input.shape[:2]).mean(0) * (count / max(count - 1, 1))
        _update(running_var, unbiased, momentum)
    return result


def local_response_norm(input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """Return ``input`` divided by ``(k + alpha * mean of squares over size neighbouring channels) ** beta``.

    Krizhevsky et al. 2012, ImageNet classification with deep convolutional neural networks.
    """
    if input.dim() < 3:
        raise ValueError(f"Expected 3D or higher dimensionality input (got {input.dim()} dimensions)")
    if input.numel() == 0:
        return input
    squares = input * input
    channels = input.shape[1]
    padded = squares.new_zeros((input.shape[0], channels + size - 1, *input.shape[2:]))
    padded[:, size // 2 : size // 2 + channels] = squares
    windows = padded.unfold(1, size, 1).sum(-1)
    # The mean of integers is an integer.
    mean = windows / size if input.is_floating_point() else windows.div(size, rounding_mode="trunc")
    return input / (mean * alpha + k).pow(beta)
