"""Resampling against the sampled sines themselves."""

import facula
import facula_audio.functional as F
import numpy as np
import pytest
from facula import Tensor
from facula.autograd import gradcheck
from facula_audio.functional import resampling

RATES = [(8000, 16000), (16000, 8000), (44100, 16000), (16000, 44100), (8000, 11025), (48000, 44100)]


def sine(frequency: float, rate: int, seconds: float = 0.25) -> np.ndarray:
    return np.sin(2 * np.pi * frequency * np.arange(int(rate * seconds)) / rate)


@pytest.mark.parametrize("method", ["sinc_interp_hann", "sinc_interp_kaiser"])
@pytest.mark.parametrize(("source", "target"), RATES)
def test_a_sine_stays_the_sine(source: int, target: int, method: str) -> None:
    found = F.resample(facula.from_numpy(sine(440.0, source)), source, target, resampling_method=method).numpy()
    expected = sine(440.0, target)
    middle = slice(len(expected) // 4, -len(expected) // 4)
    assert abs(len(found) - len(expected)) <= 1
    np.testing.assert_allclose(found[: len(expected)][middle], expected[middle], atol=5e-3)


def test_a_wide_filter_is_accurate() -> None:
    """100 dB of signal to error, with librosa's former kaiser_best settings."""
    wave = facula.from_numpy(sine(440.0, 44100))
    found = F.resample(wave, 44100, 16000, 64, 0.9475937167399596, "sinc_interp_kaiser", 14.769656459379492).numpy()
    middle = slice(1000, 3000)
    expected = sine(440.0, 16000)[middle]
    error = found[middle] - expected
    assert 10 * np.log10((expected**2).sum() / (error**2).sum()) > 100


def test_frequencies_beyond_the_new_nyquist_are_removed() -> None:
    found = F.resample(facula.from_numpy(sine(6000.0, 16000)), 16000, 8000, lowpass_filter_width=32)
    assert found[200:-200].abs().max().item() < 1e-3


@pytest.mark.parametrize(("source", "target"), RATES)
def test_length_and_leading_dimensions(source: int, target: int) -> None:
    for length in (1, 7, 441, 1000):
        found = F.resample(facula.ones(3, 2, length), source, target)
        assert tuple(found.shape) == (3, 2, -(-length * target // source))
        assert found.dtype == facula.float32


@pytest.mark.parametrize(("source", "target"), [(44100, 16000), (8000, 11025), (2, 1), (1, 2)])
def test_gathering_equals_convolving(stereo: Tensor, source: int, target: int, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = F.resample(stereo.double(), source, target)
    monkeypatch.setattr(resampling, "_LARGEST_DENSE_KERNEL", 0)
    monkeypatch.setattr(resampling, "_BLOCK", 100)
    resampling._cached_sinc_kernel.cache_clear()
    try:
        found = F.resample(stereo.double(), source, target)
    finally:
        resampling._cached_sinc_kernel.cache_clear()
    np.testing.assert_allclose(found.numpy(), expected.numpy(), atol=1e-13)


def test_rates_without_common_divisor_need_little_memory() -> None:
    found = F.resample(facula.from_numpy(sine(440.0, 44100, 0.1)), 44100, 47999)
    expected = sine(440.0, 47999, 0.1)
    np.testing.assert_allclose(found.numpy()[100:4600], expected[100:4600], atol=5e-3)
    array, _ = resampling._sinc_kernel(44100, 47999, 6, 0.99, "sinc_interp_hann", None)
    assert array.nbytes < 8_000_000


def test_equal_rates_give_the_waveform_itself(stereo: Tensor) -> None:
    assert F.resample(stereo, 8000, 8000) is stereo


def test_only_the_ratio_counts(stereo: Tensor) -> None:
    assert bool((F.resample(stereo, 2, 1) == F.resample(stereo, 16000, 8000)).all())


def test_gradient(stereo: Tensor) -> None:
    wave = stereo[:, :20].double().requires_grad_()
    assert gradcheck(lambda x: F.resample(x, 4, 3), (wave,))


def test_bad_arguments(stereo: Tensor) -> None:
    with pytest.raises(ValueError, match="should be positive, but got orig_freq=-1 and new_freq=8000"):
        F.resample(stereo, -1, 8000)
    with pytest.raises(ValueError, match=r"integer type, but got orig_freq=22050\.5"):
        F.resample(stereo, 22050.5, 8000)
    with pytest.raises(ValueError, match="Low pass filter width should be positive, but got 0"):
        F.resample(stereo, 16000, 8000, lowpass_filter_width=0)
    with pytest.raises(ValueError, match=r"rolloff must be in \(0, 1\], but got 1.5"):
        F.resample(stereo, 16000, 8000, rolloff=1.5)
    with pytest.raises(ValueError, match="Invalid resampling method: 'linear'"):
        F.resample(stereo, 16000, 8000, resampling_method="linear")
    with pytest.raises(TypeError, match=r"Expected floating point type .* received .*int16"):
        F.resample(stereo.to(facula.int16), 16000, 8000)
