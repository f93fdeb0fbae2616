"""Convolution, noise, speed, pre-emphasis and the edit distance."""

import facula
import facula_audio.functional as F
import numpy as np
import pytest
from facula import Tensor
from facula.autograd import gradcheck


@pytest.mark.parametrize("mode", ["full", "valid", "same"])
@pytest.mark.parametrize("convolve", [F.convolve, F.fftconvolve])
def test_convolution_against_numpy(stereo: Tensor, convolve: object, mode: str) -> None:
    x, y = stereo[:, :50].double(), stereo[:, 200:217].double()
    found = convolve(x, y, mode)
    expected = [np.convolve(a, b, mode) for a, b in zip(x.numpy(), y.numpy(), strict=True)]
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-10)


def test_convolution_of_a_short_signal_with_a_long_one(stereo: Tensor) -> None:
    x, y = stereo[0, :5].double(), stereo[0, :30].double()
    expected = np.convolve(x.numpy(), y.numpy())[14:19]  # the middle five of 34
    np.testing.assert_allclose(F.convolve(x, y, "same").numpy(), expected, atol=1e-12)
    np.testing.assert_allclose(F.fftconvolve(x, y, "same").numpy(), expected, atol=1e-12)


def test_convolution_broadcasts(stereo: Tensor) -> None:
    x, y = stereo.reshape(2, 1, 1600), stereo[:1, :9].reshape(1, 1, 9).expand(1, 3, 9)
    assert tuple(F.convolve(x, y).shape) == tuple(F.fftconvolve(x, y).shape) == (2, 3, 1608)


def test_noise_has_the_level_asked_for(stereo: Tensor) -> None:
    noise = facula.randn(2, 1600)
    snr = facula.tensor([3.0, -10.0])
    added = F.add_noise(stereo, noise, snr) - stereo
    found = 10 * facula.log10(stereo.pow(2).sum(-1) / added.pow(2).sum(-1))
    np.testing.assert_allclose(found.numpy(), snr.numpy(), atol=1e-3)


def test_speed_and_lengths() -> None:
    wave, lengths = F.speed(facula.ones(2, 1000), 8000, 1.25, facula.tensor([1000, 500]))
    assert tuple(wave.shape) == (2, 800)
    assert lengths.tolist() == [800, 400]
    assert F.speed(facula.ones(2, 1000), 8000, 1.25)[1] is None


def test_preemphasis_is_a_filter(stereo: Tensor) -> None:
    expected = [np.convolve(row, [1, -0.97])[:-1] for row in stereo.double().numpy()]
    np.testing.assert_allclose(F.preemphasis(stereo.double()).numpy(), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("first", "second", "distance"),
    [("", "", 0), ("abc", "", 3), ("", "ab", 2), ("kitten", "sitting", 3), (["a", "word"], ["a", "bird"], 1)],
)
def test_edit_distance(first: str | list[str], second: str | list[str], distance: int) -> None:
    assert F.edit_distance(first, second) == distance


def test_gradients(stereo: Tensor) -> None:
    x = stereo[:, :9].double().requires_grad_()
    y = stereo[:, 20:24].double().requires_grad_()
    assert gradcheck(F.convolve, (x, y))
    assert gradcheck(F.fftconvolve, (x, y))
    assert gradcheck(F.preemphasis, (x,))
    assert gradcheck(lambda a, b: F.add_noise(a, b, facula.tensor([1.0, 2.0])), (x, stereo[:, 30:39].double()))


def test_bad_arguments(stereo: Tensor) -> None:
    with pytest.raises(ValueError, match="Unrecognized mode value 'half'"):
        F.convolve(stereo, stereo, "half")
    with pytest.raises(ValueError, match=r"same dimension \(got 2 and 1\)"):
        F.fftconvolve(stereo, stereo[0])
    with pytest.raises(ValueError, match=r"not broadcastable \(got \(2, 1600\) and \(3, 4\)\)"):
        F.fftconvolve(stereo, facula.ones(3, 4))
    with pytest.raises(ValueError, match=r"Length dimensions .* \(got 1600 and 1500\)"):
        F.add_noise(stereo, stereo[:, :1500], facula.ones(2))
    with pytest.raises(ValueError, match=r"leading dimensions don't match .*snr \(\)"):
        F.add_noise(stereo, stereo, facula.tensor(1.0))
