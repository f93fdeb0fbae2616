"""The same features as librosa's, where it is installed."""

import facula
import facula_audio.functional as F
import facula_audio.transforms as T
import numpy as np
import pytest
from facula import Tensor

librosa = pytest.importorskip("librosa")

pytestmark = pytest.mark.filterwarnings("ignore")  # librosa's own, of its dependencies


@pytest.fixture
def wave(stereo: Tensor) -> Tensor:
    return stereo.double().sum(0)


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_spectrogram(wave: Tensor, power: float) -> None:
    found = T.Spectrogram(512, hop_length=128, power=power).double()(wave).numpy()
    window = np.asarray(facula.hann_window(512).double())
    expected = np.abs(librosa.stft(wave.numpy(), n_fft=512, hop_length=128, window=window, pad_mode="reflect")) ** power
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(("mel_scale", "htk"), [("htk", True), ("slaney", False)])
@pytest.mark.parametrize("norm", [None, "slaney"])
def test_mel_filters(mel_scale: str, htk: bool, norm: str | None) -> None:
    found = F.melscale_fbanks(513, 40.0, 7600.0, 64, 16000, norm, mel_scale).numpy()
    expected = librosa.filters.mel(sr=16000, n_fft=1024, n_mels=64, fmin=40.0, fmax=7600.0, htk=htk, norm=norm)
    np.testing.assert_allclose(found, expected.T, atol=1e-4 * expected.max())


def test_mfcc(wave: Tensor) -> None:
    mels = T.MelSpectrogram(8000, 512, hop_length=128, n_mels=40, norm="slaney", mel_scale="slaney").double()
    options = {"n_fft": 512, "hop_length": 128, "n_mels": 40, "norm": "slaney", "mel_scale": "slaney"}
    found = T.MFCC(8000, 20, melkwargs=options).double()(wave).numpy()
    expected_mels = librosa.feature.melspectrogram(
        y=wave.numpy(), sr=8000, n_fft=512, hop_length=128, n_mels=40, pad_mode="reflect"
    )
    np.testing.assert_allclose(mels(wave).numpy(), expected_mels, rtol=1e-3, atol=1e-4)
    expected = librosa.feature.mfcc(S=librosa.power_to_db(expected_mels, top_db=80.0), n_mfcc=20)
    np.testing.assert_allclose(found, expected, atol=1e-2)


def test_decibels(wave: Tensor) -> None:
    power = T.Spectrogram(512).double()(wave)
    np.testing.assert_allclose(
        T.AmplitudeToDB(top_db=60.0)(power).numpy(), librosa.power_to_db(power.numpy(), top_db=60.0), atol=1e-9
    )
    magnitude = power.sqrt()
    np.testing.assert_allclose(
        T.AmplitudeToDB("magnitude", top_db=60.0)(magnitude).numpy(),
        librosa.amplitude_to_db(magnitude.numpy(), amin=1e-10, top_db=60.0),
        atol=1e-9,
    )


def test_phase_vocoder(wave: Tensor) -> None:
    spectrum = T.Spectrogram(512, hop_length=128, power=None).double()(wave)
    found = T.TimeStretch(128, 257).double()(spectrum, 1.5).numpy()
    expected = librosa.phase_vocoder(spectrum.numpy(), rate=1.5, hop_length=128)
    np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-8)


def test_spectral_centroid(wave: Tensor) -> None:
    found = T.SpectralCentroid(8000, 512, hop_length=128).double()(wave).numpy()
    expected = librosa.feature.spectral_centroid(
        y=wave.numpy(), sr=8000, n_fft=512, hop_length=128, pad_mode="reflect"
    )[0]
    np.testing.assert_allclose(found, expected, rtol=1e-4)
