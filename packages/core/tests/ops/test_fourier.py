"""Fourier transforms: values of NumPy, derivatives, out=, mistakes."""

from collections.abc import Callable

import facula
import numpy as np
import pytest

RANDOM = np.random.default_rng(0)
REAL = RANDOM.standard_normal((3, 4, 5))
COMPLEX = REAL + 1j * RANDOM.standard_normal((3, 4, 5))

ONE = ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft"]
SEVERAL = ["fftn", "ifftn", "rfftn", "irfftn", "fft2", "ifft2", "rfft2", "irfft2"]
HERMITIAN = ["hfft2", "hfftn", "ihfft2", "ihfftn"]
OF_REAL = {"rfft", "ihfft", "rfftn", "rfft2", "ihfftn", "ihfft2"}


def _input(name: str) -> np.ndarray:
    return REAL if name in OF_REAL else COMPLEX


@pytest.mark.parametrize("norm", [None, "backward", "ortho", "forward"])
@pytest.mark.parametrize("n", [None, 3, 7])
@pytest.mark.parametrize("name", ONE)
def test_along_one_dimension(name: str, n: int | None, norm: str | None) -> None:
    found = getattr(facula.fft, name)(facula.tensor(_input(name)), n, 1, norm)
    expected = getattr(np.fft, name)(_input(name), n, 1, norm)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("norm", [None, "ortho", "forward"])
@pytest.mark.parametrize(("s", "dim"), [(None, (0, 2)), ((2, 6), (2, 1)), ((-1, 6), (-2, -1))])
@pytest.mark.parametrize("name", SEVERAL)
def test_along_several(name: str, s: tuple | None, dim: tuple, norm: str | None) -> None:
    found = getattr(facula.fft, name)(facula.tensor(_input(name)), s, dim, norm)
    sizes = None if s is None else [_input(name).shape[axis] if n == -1 else n for n, axis in zip(s, dim)]
    expected = getattr(np.fft, name)(_input(name), sizes, dim, norm)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("norm", ["backward", "ortho", "forward"])
def test_conjugate_symmetric_ones_are_one_dimension_after_the_other(norm: str) -> None:
    x = facula.tensor(COMPLEX)
    expected = np.fft.hfft(np.fft.fft(COMPLEX, axis=1, norm=norm), axis=2, norm=norm)
    np.testing.assert_allclose(facula.fft.hfft2(x, norm=norm).numpy(), expected, rtol=1e-12, atol=1e-12)
    signal = facula.tensor(REAL)
    back = facula.fft.ihfftn(signal, norm=norm)
    np.testing.assert_allclose(facula.fft.hfftn(back, signal.shape, norm=norm).numpy(), REAL, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ONE + SEVERAL + HERMITIAN)
def test_derivatives(name: str) -> None:
    x = facula.tensor(_input(name)[:2, :2], requires_grad=True)
    function = getattr(facula.fft, name)
    assert facula.autograd.gradcheck(function, (x,))
    assert facula.autograd.gradgradcheck(function, (x,))


@pytest.mark.parametrize("name", ONE + SEVERAL + HERMITIAN)
def test_out_and_single_precision(name: str) -> None:
    function = getattr(facula.fft, name)
    x = facula.tensor(_input(name)).to(facula.float32 if name in OF_REAL else facula.complex64)
    expected = function(x)
    assert expected.dtype in (facula.float32, facula.complex64)
    out = facula.empty(0, dtype=expected.dtype)
    assert function(x, out=out) is out
    np.testing.assert_array_equal(out.numpy(), expected.numpy())
    other = facula.empty(0, dtype=facula.float32 if expected.is_complex() else facula.complex64)
    with pytest.raises(RuntimeError, match="expects a (complex|floating point) output tensor"):
        function(x, out=other)


def test_integers_are_taken_for_floating_point_numbers() -> None:
    assert facula.fft.fft(facula.tensor([1, 2])).dtype is facula.complex64
    assert facula.fft.irfft(facula.tensor([1, 2])).dtype is facula.float32


def test_nothing_to_transform() -> None:
    assert facula.fft.fft(facula.zeros(0, 4)).shape == (0, 4)
    assert facula.fft.fftn(facula.tensor(2.0)).tolist() == 2.0


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: facula.fft.fft(facula.tensor(1.0)), IndexError, "tensor has no dimensions"),
        (lambda: facula.fft.hfft2(facula.tensor(1.0), dim=(0,)), IndexError, "tensor has no dimensions"),
        (lambda: facula.fft.rfftn(facula.ones(2, 2), dim=()), RuntimeError, "must transform at least one axis"),
        (lambda: facula.fft.fftn(facula.ones(2), (1, 2)), RuntimeError, "Got shape with 2 values but input tensor"),
        (lambda: facula.fft.fftn(facula.ones(2, 2), (1,), (0, 1)), RuntimeError, "must have the same length"),
        (lambda: facula.fft.fft2(facula.ones(2, 2), dim=(1, 1)), RuntimeError, "must be unique"),
        (lambda: facula.fft.fft(facula.ones(2), 0), RuntimeError, "Invalid number of data points"),
        (lambda: facula.fft.fft(facula.ones(2), norm="both"), RuntimeError, "Invalid normalization mode"),
        (lambda: facula.fft.ihfftn(facula.ones(2) * 1j), RuntimeError, "expects a real input tensor"),
        (lambda: facula.fft.fft(facula.ones(2).half()), RuntimeError, "Unsupported dtype"),
        (lambda: facula.fft.fftshift(facula.ones(2), 3), IndexError, "out of range"),
    ],
)
def test_mistakes_are_named(call: Callable, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call()


def test_frequencies() -> None:
    np.testing.assert_allclose(facula.fft.fftfreq(5, 0.1, dtype=facula.float64).numpy(), np.fft.fftfreq(5, 0.1))
    out = facula.empty(0)
    assert facula.fft.rfftfreq(4, out=out) is out
    assert out.tolist() == [0.0, 0.25, 0.5]
    assert facula.fft.fftfreq(4, requires_grad=True).requires_grad


@pytest.mark.parametrize("onesided", [True, False])
def test_the_signal_comes_back_from_its_short_time_spectra(onesided: bool) -> None:
    signal = facula.tensor(RANDOM.standard_normal(64))
    window = facula.hann_window(16, dtype=facula.float64)
    spectra = signal.stft(16, window=window, onesided=onesided, return_complex=True)
    back = spectra.istft(16, window=window, onesided=onesided, length=64)
    assert back.dtype is facula.float64
    np.testing.assert_allclose(back.numpy(), signal.numpy(), rtol=1e-10, atol=1e-10)


def test_a_complex_signal_comes_back_too() -> None:
    signal = facula.tensor(RANDOM.standard_normal(64) + 1j * RANDOM.standard_normal(64))
    window = facula.hann_window(16, dtype=facula.float64)
    spectra = signal.stft(16, window=window, return_complex=True)
    back = spectra.istft(16, window=window, length=64, return_complex=True)
    np.testing.assert_allclose(back.numpy(), signal.numpy(), rtol=1e-10, atol=1e-10)
    with pytest.raises(RuntimeError, match="cannot have onesided output"):
        spectra[:9].istft(16, window=window, return_complex=True)
