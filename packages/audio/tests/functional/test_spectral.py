"""Short-time Fourier analysis and synthesis against NumPy and by their own laws."""

import facula
import facula_audio.functional as F
import numpy as np
import pytest
from facula import Tensor
from facula.autograd import gradcheck


def test_spectrogram_is_the_transform_of_windowed_frames(stereo: Tensor) -> None:
    window = facula.hann_window(256, dtype=facula.float64)
    found = F.spectrogram(stereo.double(), 0, window, 256, 64, 256, None, False)
    padded = np.pad(stereo.double().numpy(), [(0, 0), (128, 128)], mode="reflect")
    frames = [padded[:, start : start + 256] for start in range(0, padded.shape[-1] - 255, 64)]
    expected = np.stack([np.fft.rfft(frame * window.numpy()) for frame in frames], axis=-1)
    assert tuple(found.shape) == expected.shape
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-11)


def test_power_of_a_sine_is_where_its_frequency_is() -> None:
    wave = facula.sin(facula.arange(8000) * (2 * np.pi * 1000 / 8000))
    power = F.spectrogram(wave, 0, facula.hann_window(400), 400, 200, 400, 2.0, "window")
    assert bool((power[:, 1:-1].argmax(dim=0) == 50).all())


def test_parseval_with_window_normalization(stereo: Tensor) -> None:
    """With hops of one sample, a window-normalised power spectrogram sums to n_fft times the signal's energy."""
    window = facula.hann_window(64, dtype=facula.float64)
    inside = facula.nn.functional.pad(stereo[:, :300].double(), (64, 64))
    power = F.spectrogram(inside, 0, window, 64, 1, 64, 2.0, True, center=False, onesided=False)
    np.testing.assert_allclose(power.sum((-1, -2)).numpy() / 64, inside.pow(2).sum(-1).numpy(), rtol=1e-10)


@pytest.mark.parametrize("normalized", [False, True, "window", "frame_length"])
@pytest.mark.parametrize("pad", [0, 40])
def test_inverse_spectrogram_brings_the_waveform_back(stereo: Tensor, normalized: bool | str, pad: int) -> None:
    window = facula.hann_window(100)
    spectrum = F.spectrogram(stereo.reshape(2, 1, -1), pad, window, 100, 25, 100, None, normalized)
    found = F.inverse_spectrogram(spectrum, 1600, pad, window, 100, 25, 100, normalized)
    assert tuple(found.shape) == (2, 1, 1600)
    np.testing.assert_allclose(found[:, 0].numpy(), stereo.numpy(), atol=1e-5)


def test_griffinlim_finds_a_waveform_of_the_same_spectrogram(stereo: Tensor) -> None:
    window = facula.hann_window(256)
    target = F.spectrogram(stereo, 0, window, 256, 64, 256, 1.0, False)

    def distance(iterations: int) -> float:
        wave = F.griffinlim(target, window, 256, 64, 256, 1.0, iterations, 0.99, 1600, rand_init=False)
        return float((F.spectrogram(wave, 0, window, 256, 64, 256, 1.0, False) - target).norm() / target.norm())

    assert distance(30) < 0.15 < distance(1)


def test_phase_vocoder_keeps_frequencies() -> None:
    n = facula.arange(8000, dtype=facula.float64)
    window = facula.hann_window(400, dtype=facula.float64)
    spectrum = F.spectrogram(facula.sin(n * (2 * np.pi * 440 / 8000)), 0, window, 400, 100, 400, None, False)
    advance = facula.linspace(0, np.pi * 100, 201, dtype=facula.float64).unsqueeze(-1)
    stretched = F.phase_vocoder(spectrum, 0.5, advance)
    assert tuple(stretched.shape) == (201, 162)
    wave = F.inverse_spectrogram(stretched, None, 0, window, 400, 100, 400, False)
    spectrum_of_stretched = np.abs(np.fft.rfft(wave.numpy()[2000:10000]))
    assert int(spectrum_of_stretched.argmax()) == 440
    assert F.phase_vocoder(spectrum, 1.0, advance) is spectrum


def test_gradients(stereo: Tensor) -> None:
    window = facula.hann_window(16, dtype=facula.float64)
    wave = stereo[:, 100:140].double().requires_grad_()
    assert gradcheck(lambda x: F.spectrogram(x, 2, window, 16, 8, 16, 2.0, True), (wave,))
    assert gradcheck(lambda x: F.spectrogram(x, 0, window, 16, 8, 16, 1.0, False), (wave,))

    def there_and_back(x: Tensor) -> Tensor:
        spectrum = F.spectrogram(x, 0, window, 16, 8, 16, None, "frame_length")
        return F.inverse_spectrogram(spectrum * spectrum, 40, 0, window, 16, 8, 16, "frame_length")

    assert gradcheck(there_and_back, (wave,))
    assert gradcheck(lambda x: F.spectral_centroid(x, 8000, 0, window, 16, 8, 16), (wave,))


def test_bad_arguments(stereo: Tensor) -> None:
    window = facula.hann_window(100)
    with pytest.raises(ValueError, match=r"Invalid normalized parameter: .* got 'energy'"):
        F.spectrogram(stereo, 0, window, 100, 50, 100, 2.0, "energy")
    with pytest.raises(ValueError, match=r"Expected `spectrogram` to be complex dtype, but got .*float32"):
        F.inverse_spectrogram(facula.ones(51, 4), None, 0, window, 100, 50, 100, False)
    with pytest.raises(ValueError, match=r"momentum must be in the range \[0, 1\). Found: 1"):
        F.griffinlim(facula.ones(51, 4), window, 100, 50, 100, 2.0, 1, 1, None, True)
    with pytest.raises(ValueError, match="150 to 199 samples, but got 200"):
        F.griffinlim(facula.ones(51, 4), window, 100, 50, 100, 2.0, 1, 0.5, 200, True)
    with pytest.raises(RuntimeError):  # too short to be reflected at its ends
        F.spectrogram(stereo[:, :20], 0, window, 100, 50, 100, 2.0, False)
