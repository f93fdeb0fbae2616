"""Holds every function and transform against numbers recorded from torchaudio 2.8.0.

``python test_torchaudio_goldens.py`` records them anew where torch and torchaudio are installed.
"""

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

GOLDENS = Path(__file__).with_name("torchaudio_goldens.npz")

# of each result its shape is kept and about this many of its values
KEPT = 300

# Name: expression in xp (torch or facula), F (functional), T (transforms), x (float32, 2 x 1600), s (its complex
# spectrogram) and p (its power spectrogram). Relative tolerances other than 1e-5 are given with their reason.
CASES = {
    "spectrogram": "T.Spectrogram(n_fft=200)(x)",
    "spectrogram_magnitude": "T.Spectrogram(n_fft=200, power=1)(x)",
    "spectrogram_complex": "T.Spectrogram(n_fft=100, power=None)(x)",
    "spectrogram_cubed": "T.Spectrogram(n_fft=100, power=3.0)(x)",
    "spectrogram_window_normalized": "T.Spectrogram(n_fft=100, normalized=True)(x)",
    "spectrogram_frame_normalized": "T.Spectrogram(n_fft=100, normalized='frame_length')(x)",
    "spectrogram_not_centered": "T.Spectrogram(n_fft=100, center=False)(x)",
    "spectrogram_padded": "T.Spectrogram(n_fft=100, pad=33, pad_mode='constant')(x)",
    "spectrogram_short_window": "T.Spectrogram(n_fft=128, win_length=90, hop_length=200)(x)",
    "spectrogram_twosided": "T.Spectrogram(n_fft=50, hop_length=100, onesided=False)(x)",
    "spectrogram_hamming":
        "T.Spectrogram(n_fft=100, window_fn=xp.hamming_window, wkwargs={'periodic': False})(x)",
    "inverse_spectrogram": "T.InverseSpectrogram(n_fft=200)(s)",
    "inverse_spectrogram_normalized": "T.InverseSpectrogram(n_fft=200, normalized=True)(s, 1550)",
    "inverse_spectrogram_padded": "T.InverseSpectrogram(n_fft=200, pad=50)(s, 1400)",
    "griffinlim": "T.GriffinLim(n_fft=200, n_iter=3, rand_init=False)(p)",
    "griffinlim_random": "T.GriffinLim(n_fft=200, n_iter=3, momentum=0.5, length=1650)(p)",
    "griffinlim_plain": "T.GriffinLim(n_fft=200, n_iter=3, momentum=0.0, rand_init=False)(p)",
    "melscale_htk": "F.melscale_fbanks(101, 0.0, 4000.0, 20, 8000)",
    "melscale_slaney": "F.melscale_fbanks(129, 50.0, 3800.0, 20, 8000, 'slaney', 'slaney')",
    "linear_fbanks": "F.linear_fbanks(101, 100.0, 3000.0, 20, 8000)",
    "create_dct": "F.create_dct(13, 20, 'ortho')",
    "create_dct_plain": "F.create_dct(13, 20, None)",
    "mel_spectrogram": "T.MelSpectrogram(8000, n_fft=200, n_mels=20)(x)",
    "mel_spectrogram_slaney":
        "T.MelSpectrogram(8000, n_fft=200, hop_length=80, n_mels=20, power=1.0, norm='slaney', mel_scale='slaney')(x)",
    "mfcc": "T.MFCC(8000, n_mfcc=13, melkwargs={'n_fft': 200, 'n_mels': 20})(x)",
    "mfcc_log": "T.MFCC(8000, n_mfcc=13, log_mels=True, norm=None, melkwargs={'n_fft': 200, 'n_mels': 20})(x)",
    "lfcc": "T.LFCC(8000, n_filter=20, n_lfcc=13, speckwargs={'n_fft': 200})(x)",
    "lfcc_log": "T.LFCC(8000, n_filter=20, n_lfcc=13, log_lf=True, speckwargs={'n_fft': 200})(x)",
    "amplitude_to_db": "T.AmplitudeToDB(top_db=30.0)(p)",
    "amplitude_to_db_magnitude": "T.AmplitudeToDB('magnitude')(p + 1e-2)",
    "amplitude_to_db_batch": "T.AmplitudeToDB(top_db=10.0)(p.reshape(2, 1, 101, 17))",
    "db_to_amplitude": "F.DB_to_amplitude(x * 20, 2.0, 0.5)",
    "gain": "F.gain(x, -3.0)",
    "mu_law_encoding": "T.MuLawEncoding()(x)",
    "mu_law_decoding": "T.MuLawDecoding()(xp.arange(256))",
    "resample_down": "T.Resample(16000, 8000)(x)",
    "resample_up": "T.Resample(8000, 16000)(x)",
    "resample_kaiser": "T.Resample(16000, 8000, 'sinc_interp_kaiser')(x)",
    "resample_kaiser_wide": "F.resample(x, 8000, 12000, 16, 0.85, 'sinc_interp_kaiser', 8.555504641634386)",
    "resample_ratio_float64": "F.resample(x.double(), 44100, 16000)",
    "resample_ratio": "T.Resample(44100, 16000)(x)",
    "resample_ratio_up": "T.Resample(8000, 11025)(x)",
    "time_masking": "T.TimeMasking(10)(p)",
    "time_masking_iid": "T.TimeMasking(10, iid_masks=True, p=0.4)(p[None], 0.5)",
    "frequency_masking": "T.FrequencyMasking(60)(p)",
    "frequency_masking_iid": "T.FrequencyMasking(60, iid_masks=True)(p[None])",
    "spec_augment": "T.SpecAugment(2, 5, 2, 30)(p)",
    "compute_deltas": "T.ComputeDeltas()(p)",
    "compute_deltas_wide": "T.ComputeDeltas(9, 'constant')(p)",
    "sliding_window_cmn": "F.sliding_window_cmn(p, 30, 10)",
    "sliding_window_cmn_center": "F.sliding_window_cmn(x.reshape(2, 100, 16), 31, center=True, norm_vars=True)",
    "spectral_centroid": "T.SpectralCentroid(8000, n_fft=200)(x)",
    "time_stretch": "T.TimeStretch(100, 101).double()(s.to(xp.complex128) + 5, 1.3)",
    "vol": "T.Vol(3.0, 'power')(x)",
    "vol_db": "T.Vol(-6.0, 'db')(x)",
    "fade_linear": "T.Fade(400, 300)(x)",
    "fade_exponential": "T.Fade(400, 300, 'exponential')(x)",
    "fade_logarithmic": "T.Fade(400, 300, 'logarithmic')(x)",
    "fade_quarter_sine": "T.Fade(400, 300, 'quarter_sine')(x)",
    "fade_half_sine": "T.Fade(400, 300, 'half_sine')(x)",
    "fftconvolve_same": "F.fftconvolve(x, x[:, 100:117], 'same')",
    "convolve_full": "F.convolve(x, x[:1, 100:117])",
    "convolve_valid": "F.convolve(x[:, 100:117], x, 'valid')",
    "add_noise": "F.add_noise(x, x.flip(0), xp.tensor([3.0, -5.0]))",
    "add_noise_lengths": "F.add_noise(x, x.flip(0), xp.tensor([3.0, -5.0]), xp.tensor([1000, 500]))",
    "speed": "F.speed(x, 8000, 1.25)[0]",
    "speed_lengths": "F.speed(x, 8000, 1.25, xp.tensor([1000, 1599]))[1]",
    "preemphasis": "F.preemphasis(x)",
}  # fmt: skip

TOLERANCES = {
    # torchaudio divides the phases of the filters in float32, ours are exact to float64
    "resample_ratio": 2e-5,
    "resample_ratio_up": 2e-5,
    # torchaudio normalises the Kaiser window in float32
    "resample_kaiser_wide": 2e-5,
    # phases of bins next to silence are ill-conditioned, and iterating spreads that
    "griffinlim": 1e-3,
    "griffinlim_random": 1e-3,
    "griffinlim_plain": 1e-3,
    # silent bands: the logarithm magnifies rounding of the transform
    "mfcc_log": 1e-4,
    "lfcc_log": 1e-4,
    # variances from running sums in float32
    "sliding_window_cmn_center": 1e-4,
}


def evaluate(name: str, xp: ModuleType, functional: ModuleType, transforms: ModuleType) -> np.ndarray:
    """Return the case's result as an array."""
    n = np.arange(1600)
    chirp = 0.8 * np.sin(2e-4 * n**2 + 0.1)
    sines = np.sin(0.3 * n) * 0.4 * np.cos(0.002 * n) + 0.3 * np.sin(1.1 * n + 1)
    waveform = xp.from_numpy(np.stack([chirp, sines]).astype(np.float32))
    spectrum = xp.stft(
        waveform, 200, 100, 200, window=xp.hann_window(200), center=True, pad_mode="reflect", return_complex=True
    )
    names = {"xp": xp, "F": functional, "T": transforms, "x": waveform, "s": spectrum, "p": spectrum.abs().pow(2)}
    xp.manual_seed(7)
    return eval(CASES[name], names).detach().numpy()


def sample(array: np.ndarray) -> np.ndarray:
    """Return about ``KEPT`` evenly spaced values; the step is odd, so that they come from all rows and columns."""
    return array.reshape(-1)[:: max(array.size // KEPT, 1) | 1]


@pytest.fixture(scope="module")
def goldens() -> dict[str, np.ndarray]:
    with np.load(GOLDENS) as arrays:
        return dict(arrays)


@pytest.mark.parametrize("name", CASES)
def test_agrees_with_torchaudio(name: str, goldens: dict[str, np.ndarray]) -> None:
    import facula
    import facula_audio

    found = evaluate(name, facula, facula_audio.functional, facula_audio.transforms)
    expected = goldens[name]
    assert found.shape == tuple(goldens[f"{name}.shape"])
    assert found.dtype == expected.dtype
    tolerance = TOLERANCES.get(name, 1e-5)
    np.testing.assert_allclose(sample(found), expected, rtol=tolerance, atol=tolerance * np.abs(expected).max())


def test_every_public_name_is_covered() -> None:
    import facula_audio

    text = " ".join(CASES.values())
    modules = {"F": facula_audio.functional, "T": facula_audio.transforms}
    names = [f"{prefix}.{name}" for prefix, module in modules.items() for name in module.__all__]
    wrapped = {  # tested through the other of function and transform, or in a file of its own
        "F.spectrogram", "F.inverse_spectrogram", "F.griffinlim", "F.phase_vocoder", "F.spectral_centroid",
        "F.mask_along_axis", "F.mask_along_axis_iid", "F.compute_deltas", "F.amplitude_to_DB", "F.mu_law_encoding",
        "F.mu_law_decoding", "F.edit_distance", "T.MelScale", "T.Speed", "T.SpeedPerturbation", "T.AddNoise",
        "T.Convolve", "T.FFTConvolve", "T.Preemphasis",
    }  # fmt: skip
    assert [name for name in names if f"{name}(" not in text and name not in wrapped] == []


if __name__ == "__main__":
    import torch
    import torchaudio

    recorded = {}
    for case in CASES:
        result = evaluate(case, torch, torchaudio.functional, torchaudio.transforms)
        recorded |= {case: sample(result), f"{case}.shape": np.array(result.shape)}
    np.savez_compressed(GOLDENS, **recorded)
