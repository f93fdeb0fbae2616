"""Decibels, gain and mu-law."""

import facula
import facula_audio.functional as F
import numpy as np
import pytest
from facula import Tensor
from facula.autograd import gradcheck


def test_decibels_there_and_back() -> None:
    power = facula.tensor([1e-6, 0.5, 1.0, 300.0], dtype=facula.float64)
    decibels = F.amplitude_to_DB(power, 10.0, 1e-10, 0.0)
    np.testing.assert_allclose(decibels.numpy(), 10 * np.log10(power.numpy()))
    np.testing.assert_allclose(F.DB_to_amplitude(decibels, 1.0, 1.0).numpy(), power.numpy())


def test_silence_and_reference() -> None:
    assert F.amplitude_to_DB(facula.zeros(1, 1), 10.0, 1e-10, 0.0).item() == pytest.approx(-100.0)
    assert F.amplitude_to_DB(facula.ones(1, 1), 20.0, 1e-5, 1.0).item() == pytest.approx(-20.0)


def test_top_db_is_cut_for_each_item() -> None:
    loud_and_quiet = facula.stack([facula.full((2, 3, 4), 1.0), facula.full((2, 3, 4), 1e-6)])
    loud_and_quiet[:, 1, 0, 0] = 1e-12
    found = F.amplitude_to_DB(loud_and_quiet, 10.0, 1e-20, 0.0, top_db=30.0)
    assert found[0].min().item() == pytest.approx(-30.0)
    assert found[1].min().item() == pytest.approx(-90.0, abs=1e-4)
    one_item = F.amplitude_to_DB(loud_and_quiet[:, 1], 10.0, 1e-20, 0.0, top_db=30.0)
    assert one_item.min().item() == pytest.approx(-30.0)


def test_gain() -> None:
    wave = facula.tensor([0.1, -0.2])
    np.testing.assert_allclose(F.gain(wave, 20.0).numpy(), [1.0, -2.0], rtol=1e-6)
    assert F.gain(wave, 0.0) is wave


@pytest.mark.parametrize("channels", [16, 256, 1024])
def test_mu_law_codes_come_back(channels: int) -> None:
    codes = facula.arange(channels)
    decoded = F.mu_law_decoding(codes, channels)
    assert bool((F.mu_law_encoding(decoded, channels) == codes).all())
    assert (decoded.min().item(), decoded.max().item()) == (-1.0, pytest.approx(1.0))


def test_mu_law_of_integers() -> None:
    assert F.mu_law_encoding(facula.tensor([-1, 0, 1]), 256).tolist() == [0, 128, 255]


def test_gradients(stereo: Tensor) -> None:
    power = (stereo[:, :24].double().pow(2) + 0.1).reshape(2, 4, 6).requires_grad_()
    assert gradcheck(lambda x: F.amplitude_to_DB(x, 10.0, 1e-10, 0.0, 3.0), (power,))
    assert gradcheck(lambda x: F.DB_to_amplitude(x, 1.0, 0.5), (power,))
    assert gradcheck(lambda x: F.mu_law_decoding(x, 256), (power,))
