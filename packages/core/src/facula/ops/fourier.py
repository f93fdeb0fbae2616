"""Discrete Fourier transforms, and the short-time transform and its inverse."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from facula import dtypes, native
from facula.arguments import need_tensor
from facula.dimensions import wrap_dim
from facula.primitive import primitive, to_float, write_out
from facula.tensor_base import wrap
from facula.types import Tensor

__all__ = ["istft", "stft"]

# Four primitives, with a factor that norms and lengths ask for: the complex transform along some dimensions and its inverse,
# each the gradient of the other; the transform of real numbers, whose gradient is the inverse of a spectrum with zeros in its
# other half; and the one back to real numbers. All else is padding and cutting. NumPy computes in double precision for
# float64 only.


@primitive(dtype=to_float, vjp={"x": lambda g, axes, scale: _backward(g, axes=axes, scale=scale)})
def _forward(xp, x, *, axes, scale):
    return _times(xp.fft.fftn(x, axes=axes).astype(_complex(x.dtype), copy=False), scale)


@primitive(dtype=to_float, vjp={"x": lambda g, axes, scale: _forward(g, axes=axes, scale=scale)})
def _backward(xp, x, *, axes, scale):
    return _times(xp.fft.ifftn(x, axes=axes, norm="forward").astype(_complex(x.dtype), copy=False), scale)


@primitive(dtype=to_float, vjp={"x": lambda g, x_shape, axis, scale: _real_gradient(g, x_shape[axis], axis, scale)})
def _real_forward(xp, x, *, axis, scale):
    return _times(xp.fft.rfft(x, axis=axis).astype(_complex(x.dtype), copy=False), scale)


@primitive(dtype=to_float, vjp={"x": lambda g, length, axis, scale: _half_gradient(g, length, axis, scale)})
def _real_backward(xp, x, *, length, axis, scale):
    """Return the real numbers whose transform starts as ``x``; what no real signal has, imaginary parts at frequency 0
    and in the middle, counts for nothing.
    """
    return _times(xp.fft.irfft(x, n=length, axis=axis, norm="forward").astype(_real(x.dtype), copy=False), scale)


@primitive(
    dtype=to_float,
    vjp={
        "x": lambda g, x_shape, window, scale: _real_gradient(g, x_shape[-1], g.dim() - 1, scale) * window,
        "window": lambda g, x, x_shape, scale: _sum_to_row(_real_gradient(g, x_shape[-1], g.dim() - 1, scale) * x),
    },
)
def _short_time(xp, x, window, *, scale):
    """Return the transforms of the last dimension of real numbers, first times a window."""
    return _times(xp.fft.rfft(x * window).astype(_complex(x.dtype), copy=False), scale)


def _times(x, scale):
    if scale != 1.0:
        x *= scale
    return x


def _sum_to_row(rows: Tensor) -> Tensor:
    return rows.reshape(-1, rows.shape[-1]).sum(0)


# The kernels of real numbers transform along the last dimension.


@_forward.kernel("native")
def _forward_native(x, *, axes, scale):
    return native.kernels.fft(x, False, axes, scale)


@_backward.kernel("native")
def _backward_native(x, *, axes, scale):
    return native.kernels.fft(x, True, axes, scale)


@_real_forward.kernel("native")
def _real_forward_native(x, *, axis, scale):
    return _along_last(x, axis, native.kernels.rfft, scale)


@_real_backward.kernel("native")
def _real_backward_native(x, *, length, axis, scale):
    return _along_last(x, axis, native.kernels.irfft, length, scale)


@_short_time.kernel("native")
def _short_time_native(x, window, *, scale):
    return native.kernels.rfft(x, scale, window)


def _along_last(x, axis, kernel, *options):
    if axis == x.ndim - 1:
        return kernel(x if x.strides[-1] == x.itemsize else np.ascontiguousarray(x), *options)
    result = kernel(np.ascontiguousarray(np.moveaxis(x, axis, -1)), *options)
    return result if result is NotImplemented else np.moveaxis(result, -1, axis)


def _complex(dtype: np.dtype) -> type:
    return np.complex128 if dtype in (np.float64, np.complex128) else np.complex64


def _real(dtype: np.dtype) -> type:
    return np.float64 if dtype in (np.float64, np.complex128) else np.float32


def _real_gradient(g: Tensor, length: int, axis: int, scale: float) -> Tensor:
    """Return the gradient of the real input: the real part of the transform back, of the half that was kept."""
    return _backward(_resized(g, axis, length), axes=(axis,), scale=scale).real


def _half_gradient(g: Tensor, length: int, axis: int, scale: float) -> Tensor:
    """Return the gradient of the half spectrum that gave real numbers: points between the first and the middle stand for
    two each.
    """
    weights = np.full(length // 2 + 1, 2.0, np.float32)
    weights[0] = 1.0
    if length % 2 == 0:
        weights[-1] = 1.0
    shape = [-1 if at == axis else 1 for at in range(g.dim())]
    return _real_forward(g, axis=axis, scale=scale) * wrap(weights.reshape(shape)).to(device=g.device)


def _resized(input: Tensor, axis: int, length: int) -> Tensor:
    """Return ``input`` cut off, or with zeros at its end, to a length along a dimension."""
    have = input.shape[axis]
    if have == length:
        return input
    if have > length:
        return input.narrow(axis, 0, length)
    widths = tuple((0, length - have if at == axis else 0) for at in range(input.dim()))
    return input._pad_constant(widths, 0)


def _scale(norm: str | None, length: int, inverse: bool) -> float:
    """Return the factor a transform of a length has: PyTorch's norms "backward" (the default), "ortho", "forward"."""
    if norm not in (None, "backward", "ortho", "forward"):
        raise RuntimeError(f'Invalid normalization mode: "{norm}"')
    if norm == "ortho":
        return 1.0 / math.sqrt(length)
    scaled = norm == "forward" if not inverse else norm in (None, "backward")
    return 1.0 / length if scaled else 1.0


def _axis(input: Tensor, dim: int) -> int:
    """Return a dimension counted from the front; what has no dimensions has none to transform."""
    need_tensor("fft", input)
    if not input.dim():
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    return wrap_dim(dim, input.dim())


def _as_complex(input: Tensor) -> Tensor:
    need_tensor("fft", input)
    _check_precision(input)
    if input.is_complex():
        return input
    real = input if input.is_floating_point() else input.to(dtypes.get_default_dtype())
    return real.to(real.dtype.to_complex())


def _check_precision(input: Tensor) -> None:
    if input.dtype.numpy in dtypes.REDUCED:
        raise RuntimeError(f"Unsupported dtype {input.dtype.name.title()}")


def _check_points(length: int) -> int:
    if length < 1:
        raise RuntimeError(f"Invalid number of data points ({length}) specified")
    return length


def _length(input: Tensor, n: int | None, axis: int) -> int:
    return _check_points(input.shape[axis] if n is None else n)


def _given(result: Tensor, out: Tensor | None, name: str) -> Tensor:
    """Return the result, in ``out`` where that is given; a spectrum does not go into a real tensor, nor a signal into a
    complex one.
    """
    if out is None:
        return result
    if result.is_complex() and not out.is_complex():
        raise RuntimeError(f"{name} expects a complex output tensor, but got {out.dtype.name.title()}")
    if not result.is_complex() and not out.is_floating_point():
        raise RuntimeError(f"{name} expects a floating point output tensor, but got {out.dtype.name.title()}")
    return write_out(result, out, name)


def fft(
    input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """Return the transform of ``n`` points along ``dim``, complex.

    ``norm`` says where a transform and its inverse are scaled: "backward" (1 / n in the inverse), "forward" (1 / n
    here) or "ortho" (1 / sqrt(n) in both).

    >>> facula.fft.fft(facula.tensor([1.0, 0.0])).real
    tensor([1., 1.])
    """
    axis = _axis(input, dim)
    length = _length(input, n, axis)
    scale = _scale(norm, length, False)
    return _given(_forward(_resized(_as_complex(input), axis, length), axes=(axis,), scale=scale), out, "fft")


def ifft(
    input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """Return the inverse transform of ``n`` points along ``dim``, complex.

    >>> facula.fft.ifft(facula.tensor([1.0, 1.0])).real
    tensor([1., 0.])
    """
    axis = _axis(input, dim)
    length = _length(input, n, axis)
    scale = _scale(norm, length, True)
    return _given(_backward(_resized(_as_complex(input), axis, length), axes=(axis,), scale=scale), out, "ifft")


def rfft(
    input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """Return the first half, n // 2 + 1 points, of the transform of a real tensor along ``dim``.

    >>> facula.fft.rfft(facula.tensor([1.0, 0.0, 0.0])).real
    tensor([1., 1.])
    """
    return _given(_half_spectrum(input, n, _axis(input, dim), norm, "rfft"), out, "rfft")


def _half_spectrum(input: Tensor, n: int | None, axis: int, norm: str | None, name: str) -> Tensor:
    if input.is_complex():
        raise RuntimeError(f"{name} expects a real input tensor, but got {input.dtype.name.title()}")
    _check_precision(input)
    length = _length(input, n, axis)
    return _real_forward(_resized(input, axis, length), axis=axis, scale=_scale(norm, length, False))


def irfft(
    input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """Return the real tensor of ``n`` points (2 (input.shape[dim] - 1) by default) whose transform starts as ``input``.

    >>> facula.fft.irfft(facula.tensor([2.0, 0.0]))
    tensor([1., 1.])
    """
    axis = _axis(input, dim)
    length = _check_points(2 * (input.shape[axis] - 1) if n is None else n)
    half = _resized(_as_complex(input), axis, length // 2 + 1)
    return _given(_real_backward(half, length=length, axis=axis, scale=_scale(norm, length, True)), out, "irfft")


#: A transform of conjugate-symmetric tensors is the real inverse one with the scaling on the other side.
_SWAPPED = {None: "forward", "backward": "forward", "forward": "backward"}


def hfft(
    input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """Return the real transform of a tensor that is the first half of one with conjugate symmetry.

    >>> facula.fft.hfft(facula.tensor([1.0, 1.0]))
    tensor([2., 0.])
    """
    return _given(irfft(_as_complex(input).conj(), n, dim, _SWAPPED.get(norm, norm)), out, "hfft")


def ihfft(
    input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """Return the first half of the inverse transform of a real tensor.

    >>> facula.fft.ihfft(facula.tensor([2.0, 0.0])).real
    tensor([1., 1.])
    """
    half = _half_spectrum(input, n, _axis(input, dim), _SWAPPED.get(norm, norm), "ihfft")
    return _given(half.conj(), out, "ihfft")


# Transforms along several dimensions: one after the other.

Sizes = int | Sequence[int] | None


def _several(input: Tensor, s: Sizes, dim: Sizes, name: str | None = None) -> tuple[list[int], list[int | None]]:
    """Return the dimensions of a transform over several, and the points along each; ``name`` needs at least one."""
    need_tensor(name or "fftn", input)
    given = (s,) if isinstance(s, int) else s
    if dim is not None:
        dims = [_axis(input, each) for each in ((dim,) if isinstance(dim, int) else dim)]
    elif given is None:
        dims = list(range(input.dim()))
    elif len(given) > input.dim():
        raise RuntimeError(f"Got shape with {len(given)} values but input tensor only has {input.dim()} dimensions.")
    else:
        dims = list(range(input.dim() - len(given), input.dim()))
    if len(set(dims)) != len(dims):
        raise RuntimeError("FFT dims must be unique")
    sizes: list[int | None] = [None] * len(dims) if given is None else [None if n == -1 else n for n in given]
    if len(sizes) != len(dims):
        raise RuntimeError("When given, dim and shape arguments must have the same length")
    if name is not None and not dims:
        raise RuntimeError(f"{name} must transform at least one axis")
    for axis, n in zip(dims, sizes):
        _length(input, n, axis)
    return dims, sizes


def _along_all(input: Tensor, dims: list[int], sizes: list[int | None], norm: str | None, inverse: bool) -> Tensor:
    """Return the complex transform along dimensions, of so many points each."""
    scale = _scale(norm, 1, inverse)
    for axis, n in zip(dims, sizes):
        length = _length(input, n, axis)
        input = _resized(input, axis, length)
        scale *= _scale(norm, length, inverse)
    if not dims:
        return input
    return (_backward if inverse else _forward)(input, axes=tuple(dims), scale=scale)


def fftn(
    input: Tensor, s: Sizes = None, dim: Sizes = None, norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """Return the transform along several dimensions, all by default; ``s`` says how many points along each.

    >>> facula.fft.fftn(facula.ones(2, 2)).real
    tensor([[4., 0.],
            [0., 0.]])
    """
    dims, sizes = _several(input, s, dim)
    return _given(_along_all(_as_complex(input), dims, sizes, norm, False), out, "fftn")


def ifftn(
    input: Tensor, s: Sizes = None, dim: Sizes = None, norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """Return the inverse transform along several dimensions, all by default.

    >>> facula.fft.ifftn(facula.ones(2, 2)).real
    tensor([[1., 0.],
            [0., 0.]])
    """
    dims, sizes = _several(input, s, dim)
    return _given(_along_all(_as_complex(input), dims, sizes, norm, True), out, "ifftn")


def rfftn(
    input: Tensor, s: Sizes = None, dim: Sizes = None, norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """Return the transform of a real tensor along several dimensions, of the last of which the first half is kept.

    >>> facula.fft.rfftn(facula.ones(2, 4)).shape
    facula.Size([2, 3])
    """
    dims, sizes = _several(input, s, dim, "rfftn")
    half = _half_spectrum(input, sizes[-1], dims[-1], norm, "rfftn")
    return _given(_along_all(half, dims[:-1], sizes[:-1], norm, False), out, "rfftn")


def irfftn(
    input: Tensor, s: Sizes = None, dim: Sizes = None, norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """Return the real tensor whose transform along several dimensions has ``input`` as its first half.

    >>> facula.fft.irfftn(facula.ones(2, 3)).shape
    facula.Size([2, 4])
    """
    dims, sizes = _several_of_half(input, s, dim, "irfftn")
    result = irfft(_along_all(_as_complex(input), dims[:-1], sizes[:-1], norm, True), sizes[-1], dims[-1], norm)
    return _given(result, out, "irfftn")


def _several_of_half(input: Tensor, s: Sizes, dim: Sizes, name: str) -> tuple[list[int], list[int | None]]:
    """Return `_several`, for a real result, whose points along the last dimension are twice those of the half."""
    dims, sizes = _several(input, s, dim, name)
    _check_points(2 * (input.shape[dims[-1]] - 1) if sizes[-1] is None else sizes[-1])
    return dims, sizes


def hfftn(
    input: Tensor, s: Sizes = None, dim: Sizes = None, norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """Return the real transform, along several dimensions, of the first half of a tensor with conjugate symmetry.

    >>> facula.fft.hfftn(facula.ones(2, 3)).shape
    facula.Size([2, 4])
    """
    dims, sizes = _several_of_half(input, s, dim, "hfftn")
    result = hfft(_along_all(_as_complex(input), dims[:-1], sizes[:-1], norm, False), sizes[-1], dims[-1], norm)
    return _given(result, out, "hfftn")


def ihfftn(
    input: Tensor, s: Sizes = None, dim: Sizes = None, norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """Return the first half of the inverse transform of a real tensor along several dimensions.

    >>> facula.fft.ihfftn(facula.ones(2, 4)).shape
    facula.Size([2, 3])
    """
    dims, sizes = _several(input, s, dim, "ihfftn")
    half = _half_spectrum(input, sizes[-1], dims[-1], _SWAPPED.get(norm, norm), "ihfftn").conj()
    return _given(_along_all(half, dims[:-1], sizes[:-1], norm, True), out, "ihfftn")


def fft2(
    input: Tensor, s: Sizes = None, dim: Sizes = (-2, -1), norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """Return the transform along two dimensions; see `fftn`."""
    return fftn(input, s, dim, norm, out=out)


def ifft2(
    input: Tensor, s: Sizes = None, dim: Sizes = (-2, -1), norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """Return the inverse transform along two dimensions; see `ifftn`."""
    return ifftn(input, s, dim, norm, out=out)


def rfft2(
    input: Tensor, s: Sizes = None, dim: Sizes = (-2, -1), norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """Return the transform of a real tensor along two dimensions, half of the last; see `rfftn`."""
    return rfftn(input, s, dim, norm, out=out)


def irfft2(
    input: Tensor, s: Sizes = None, dim: Sizes = (-2, -1), norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """Return the real tensor whose transform along two dimensions has ``input`` as its first half; see `irfftn`."""
    return irfftn(input, s, dim, norm, out=out)


def hfft2(
    input: Tensor, s: Sizes = None, dim: Sizes = (-2, -1), norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """Return the real transform, along two dimensions, of half a conjugate-symmetric tensor; see `hfftn`."""
    return hfftn(input, s, dim, norm, out=out)


def ihfft2(
    input: Tensor, s: Sizes = None, dim: Sizes = (-2, -1), norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """Return the first half of the inverse transform of a real tensor along two dimensions; see `ihfftn`."""
    return ihfftn(input, s, dim, norm, out=out)


def fftshift(input: Tensor, dim: int | Sequence[int] | None = None) -> Tensor:
    """Return a spectrum with the zero frequency in the middle."""
    dims = range(input.dim()) if dim is None else (dim,) if isinstance(dim, int) else dim
    dims = [wrap_dim(each, input.dim()) for each in dims]
    return input.roll([input.shape[each] // 2 for each in dims], dims)


def ifftshift(input: Tensor, dim: int | Sequence[int] | None = None) -> Tensor:
    """Return a spectrum with the zero frequency first: the inverse of `fftshift`."""
    dims = range(input.dim()) if dim is None else (dim,) if isinstance(dim, int) else dim
    dims = [wrap_dim(each, input.dim()) for each in dims]
    return input.roll([(input.shape[each] + 1) // 2 for each in dims], dims)


# Short-time transforms.


def _window(window: Tensor | None, win_length: int, n_fft: int, input: Tensor) -> Tensor:
    """Return the window, ones by default, in the middle of ``n_fft`` points."""
    kind = input.dtype.to_real()
    found = input.new_ones((win_length,), dtype=kind) if window is None else window
    if found.dim() != 1 or found.shape[0] != win_length:
        raise RuntimeError(
            f"expected a 1D window tensor of size equal to win_length={win_length}, but got window with size {list(found.shape)}"
        )
    left = (n_fft - win_length) // 2
    return found._pad_constant(((left, n_fft - win_length - left),), 0) if win_length < n_fft else found


def stft(
    input: Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    center: bool = True,
    pad_mode: str = "reflect",
    normalized: bool = False,
    onesided: bool | None = None,
    return_complex: bool | None = None,
    align_to_window: bool | None = None,
) -> Tensor:
    """Return the transforms (…, frequencies, frames) of overlapping windows of a signal (L) or (N, L).

    Frames are ``hop_length`` (n_fft // 4) apart and, with ``center``, lie around their places in the padded signal.
    """
    hop = n_fft // 4 if hop_length is None else hop_length
    width = n_fft if win_length is None else win_length
    onesided = not input.is_complex() and (window is None or not window.is_complex()) if onesided is None else onesided
    if return_complex is None:
        if not input.is_complex():
            raise RuntimeError(
                "stft requires the return_complex parameter be given for real inputs, and will further require that return_complex=True in a future release."
            )
        return_complex = True
    if input.dim() not in (1, 2):
        raise RuntimeError(f"stft expected a tensor with 1 or 2 dimensions, but got {input.dim()}")
    signal = input if input.dim() == 2 else input.unsqueeze(0)
    if center:
        signal = signal.unsqueeze(1)._pad((n_fft // 2, n_fft // 2), pad_mode).squeeze(1)
    if not 0 < n_fft <= signal.shape[-1]:
        raise RuntimeError(f"stft: expected 0 < n_fft < {signal.shape[-1]}, but got n_fft={n_fft}")
    if hop <= 0:
        raise RuntimeError(f"stft: expected hop_length > 0, but got hop_length={hop}")
    if not 0 < width <= n_fft:
        raise RuntimeError(f"stft: expected 0 < win_length <= n_fft, but got win_length={width}")
    frames, factors = signal.unfold(-1, n_fft, hop), _window(window, width, n_fft, input)
    norm = "ortho" if normalized else None
    if onesided and not input.is_complex() and not factors.is_complex():
        spectrum = _short_time(frames, factors, scale=_scale(norm, n_fft, False))
    else:
        spectrum = (rfft if onesided else fft)(frames * factors, norm=norm)
    spectrum = spectrum.transpose(-2, -1)
    spectrum = spectrum if input.dim() == 2 else spectrum.squeeze(0)
    return spectrum if return_complex else spectrum.view_as_real()


def istft(
    input: Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    center: bool = True,
    normalized: bool = False,
    onesided: bool | None = None,
    length: int | None = None,
    return_complex: bool = False,
) -> Tensor:
    """Return the signal (L) or (N, L) whose `stft` is closest to ``input``. Griffin and Lim 1984."""
    hop = n_fft // 4 if hop_length is None else hop_length
    width = n_fft if win_length is None else win_length
    if not input.is_complex():
        raise RuntimeError(
            "istft requires a complex-valued input tensor matching the output from stft with return_complex=True."
        )
    if input.dim() not in (2, 3):
        raise RuntimeError(f"istft expected a tensor with 2 or 3 dimensions, but got {input.dim()}")
    spectra = (input if input.dim() == 3 else input.unsqueeze(0)).transpose(-2, -1)
    bins = spectra.shape[-1]
    onesided = bins != n_fft if onesided is None else onesided
    if bins != (n_fft // 2 + 1 if onesided else n_fft):
        raise RuntimeError(
            f"expected the frequency dimension (3rd to the last) of the input tensor to match n_fft // 2 + 1 when onesided=True or n_fft, but got {bins}"
        )
    if not 0 < hop <= width <= n_fft:
        raise RuntimeError(f"istft: expected 0 < hop_length <= win_length <= n_fft, got {hop}, {width}, {n_fft}")
    shape = _window(window, width, n_fft, input)
    if return_complex and onesided:
        raise RuntimeError("cannot have onesided output if window or input is complex")
    if not return_complex and shape.is_complex():
        raise RuntimeError("Complex windows are incompatible with return_complex=False")
    norm = "ortho" if normalized else None
    # A real signal needs the first half of each spectrum only, also where all of it is there.
    frames = ifft(spectra, norm=norm) if return_complex else irfft(spectra, n_fft, norm=norm)
    frames = frames * shape
    count = frames.shape[-2]
    expected = n_fft + hop * (count - 1)
    signal = _overlap(frames, hop=hop, length=expected)
    envelope = _overlap((shape * shape).expand((1, count, n_fft)), hop=hop, length=expected)
    start = n_fft // 2 if center else 0
    end = start + length if length is not None else (expected - n_fft // 2 if center else expected)
    signal, envelope = signal[:, start:end], envelope[:, start:end]
    if bool((envelope.abs() < 1e-11).any()):
        raise RuntimeError(
            f"window overlap add min: {float(envelope.abs().min())} is not larger than 1e-11: the windows leave gaps"
        )
    signal = signal / envelope
    if length is not None and signal.shape[-1] < length:
        signal = signal._pad_constant(((0, 0), (0, length - signal.shape[-1])), 0)
    return signal if input.dim() == 3 else signal.squeeze(0)


@primitive(dtype=to_float, vjp={"x": lambda g, x_shape, hop: g.unfold(-1, x_shape[-1], hop)})
def _overlap(xp, x, *, hop, length):
    """Return frames (N, frames, width) added up at their places in a signal (N, length)."""
    result = xp.zeros((x.shape[0], length), x.dtype)
    width = x.shape[-1]
    for at in range(x.shape[1]):
        result[:, at * hop : at * hop + width] += x[:, at]
    return result
