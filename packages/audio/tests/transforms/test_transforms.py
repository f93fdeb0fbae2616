"""Transforms as modules: buffers, state dicts, shapes, options and errors; the numbers are held by the goldens."""

import facula
import facula_audio
import facula_audio.functional as F
import facula_audio.transforms as T
import numpy as np
import pytest
from facula import Tensor, nn
from facula.autograd import gradcheck


@pytest.mark.parametrize(
    ("transform", "keys"),
    [
        (T.Spectrogram(), {"window": (400,)}),
        (T.MelScale(n_mels=40), {"fb": (201, 40)}),
        (T.MelSpectrogram(n_mels=40), {"spectrogram.window": (400,), "mel_scale.fb": (201, 40)}),
        (
            T.MFCC(melkwargs={"n_mels": 40}),
            {
                "dct_mat": (40, 40),
                "MelSpectrogram.spectrogram.window": (400,),
                "MelSpectrogram.mel_scale.fb": (201, 40),
            },
        ),
        (T.LFCC(), {"filter_mat": (201, 128), "dct_mat": (128, 40), "Spectrogram.window": (400,)}),
        (T.Resample(16000, 8000), {"kernel": (1, 1, 28)}),
        (T.Resample(8000, 8000), {}),
        (T.TimeStretch(), {"phase_advance": (201, 1)}),
        (T.GriffinLim(), {"window": (400,)}),
        (T.AmplitudeToDB(), {}),
    ],
)
def test_state_dict_has_torchaudios_keys(transform: nn.Module, keys: dict[str, tuple[int, ...]]) -> None:
    state = transform.state_dict()
    assert {key: tuple(value.shape) for key, value in state.items()} == keys
    transform.load_state_dict(state)
    assert list(transform.parameters()) == []


def test_hop_and_window_follow_each_other() -> None:
    assert (T.Spectrogram(512).win_length, T.Spectrogram(512).hop_length) == (512, 256)
    assert (T.Spectrogram(512, win_length=300).win_length, T.Spectrogram(512, win_length=300).hop_length) == (300, 150)
    assert (T.MelSpectrogram(n_fft=512, n_mels=40).win_length, T.MelSpectrogram(n_mels=40).hop_length) == (512, 200)


@pytest.mark.parametrize(
    "transform",
    [
        T.Spectrogram(64),
        T.MelSpectrogram(8000, 256, n_mels=20),
        T.MFCC(8000, 13, melkwargs={"n_fft": 256, "n_mels": 20}),
        T.LFCC(8000, n_filter=20, n_lfcc=13, speckwargs={"n_fft": 256}),
        T.Resample(8000, 6000),
        T.SpectralCentroid(8000, 64),
    ],
)
def test_a_batch_is_its_items(transform: nn.Module, stereo: Tensor) -> None:
    batch = stereo.reshape(2, 1, 1600)
    found = transform(batch)
    for item, expected in zip(found, batch, strict=True):
        np.testing.assert_allclose(item.numpy(), transform(expected).numpy(), rtol=1e-4, atol=1e-4)


def test_modules_are_moved_to_float64(stereo: Tensor) -> None:
    transform = T.MFCC(8000, 13, melkwargs={"n_fft": 256, "n_mels": 20}).double()
    assert transform(stereo.double()).dtype == facula.float64


def test_gradients(stereo: Tensor) -> None:
    wave = stereo[:1, 100:160].double().requires_grad_()
    mfcc = T.MFCC(8000, 4, log_mels=True, melkwargs={"n_fft": 32, "n_mels": 6}).double()
    assert gradcheck(mfcc, (wave,))
    assert gradcheck(T.Resample(3, 2, dtype=facula.float64), (wave,))
    assert gradcheck(T.Fade(10, 20, "half_sine"), (wave,))


def test_mfcc_of_real_speech_is_finite(test_data: object) -> None:
    waveform, sample_rate = facula_audio.load(test_data / "fsdd" / "sample" / "0_theo_0.wav")
    coefficients = T.MFCC(sample_rate, 13, melkwargs={"n_fft": 256, "n_mels": 40})(waveform)
    assert tuple(coefficients.shape) == (1, 13, waveform.shape[-1] // 128 + 1)
    assert bool(facula.isfinite(coefficients).all())


def test_resample_to_a_dtype() -> None:
    transform = T.Resample(3, 2, dtype=facula.float64)
    assert transform.kernel.dtype == facula.float64
    assert transform(facula.ones(1, 9, dtype=facula.float64)).dtype == facula.float64


@pytest.mark.parametrize("shape", ["linear", "exponential", "logarithmic", "quarter_sine", "half_sine"])
def test_fades_rise_from_silence_and_fall_to_it(shape: str) -> None:
    found = T.Fade(40, 30, shape)(facula.ones(2, 100)).numpy()
    assert (np.diff(found[:, :40]) >= 0).all()
    assert (np.diff(found[:, 70:]) <= 0).all()
    np.testing.assert_allclose(found[:, 40:70], 1.0)
    np.testing.assert_allclose(found[:, [0, 39, 70, 99]], [[0, 1, 1, 0]] * 2, atol=0.05)


def test_overlapping_fades_multiply() -> None:
    found = T.Fade(4, 4)(facula.ones(4))
    np.testing.assert_allclose(found.numpy(), [0.0, 2 / 9, 2 / 9, 0.0], atol=1e-6)


def test_volume_is_clipped() -> None:
    assert T.Vol(4.0)(facula.tensor([0.1, 0.5, -0.5])).tolist() == [pytest.approx(0.4), 1.0, -1.0]
    assert T.Vol(4.0, "power")(facula.tensor([0.25])).tolist() == [0.5]
    assert T.Vol(20.0, "db")(facula.tensor([0.05])).tolist() == [pytest.approx(0.5)]


def test_masks_are_drawn_anew_and_repeat_with_the_seed() -> None:
    spectrogram = facula.ones(3, 1, 40, 100)
    transform = nn.Sequential(T.FrequencyMasking(20, iid_masks=True), T.TimeMasking(50))
    facula.manual_seed(3)
    first, second = transform(spectrogram), transform(spectrogram)
    facula.manual_seed(3)
    again = transform(spectrogram)
    assert bool((first == again).all())
    assert not bool((first == second).all())


def test_spec_augment_masks_with_the_mean_or_zero() -> None:
    facula.manual_seed(0)
    spectrogram = facula.rand(2, 1, 40, 100) + 1.0
    by_mean = T.SpecAugment(2, 30, 2, 20)(spectrogram)
    changed = by_mean != spectrogram
    assert int(changed.sum()) > 0
    np.testing.assert_allclose(by_mean[changed].numpy(), spectrogram.mean().item(), rtol=1e-6)
    by_zero = T.SpecAugment(2, 30, 2, 20, zero_masking=True)(spectrogram)
    assert by_zero.min().item() == 0.0
    assert tuple(T.SpecAugment(1, 30, 1, 20)(spectrogram[0, 0]).shape) == (40, 100)


def test_speed_perturbation_draws_one_of_its_factors(stereo: Tensor) -> None:
    facula.manual_seed(0)
    transform = T.SpeedPerturbation(8000, [0.8, 1.0, 1.25])
    lengths = {transform(stereo)[0].shape[-1] for _ in range(30)}
    assert lengths == {1280, 1600, 2000}
    speed = T.Speed(8000, 1.25)
    found, new_lengths = speed(stereo, facula.tensor([1600, 800]))
    assert new_lengths.tolist() == [1280, 640]
    np.testing.assert_allclose(found.numpy(), F.speed(stereo, 8000, 1.25)[0].numpy(), atol=1e-6)


def test_the_remaining_modules_are_their_functions(stereo: Tensor) -> None:
    short = stereo[:, :9]
    assert bool((T.Convolve("same")(stereo, short) == F.convolve(stereo, short, "same")).all())
    assert bool((T.FFTConvolve("valid")(stereo, short) == F.fftconvolve(stereo, short, "valid")).all())
    assert bool((T.Preemphasis(0.9)(stereo) == F.preemphasis(stereo, 0.9)).all())
    snr = facula.tensor([1.0, 2.0])
    assert bool((T.AddNoise()(stereo, stereo.flip(0), snr) == F.add_noise(stereo, stereo.flip(0), snr)).all())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: T.MFCC(n_mfcc=200), "n_mfcc is 200, n_mels is 128"),
        (lambda: T.MFCC(dct_type=3), "DCT type not supported: 3"),
        (lambda: T.LFCC(n_lfcc=500), "n_lfcc is 500, n_fft is 400"),
        (lambda: T.LFCC(dct_type=1), "DCT type not supported: 1"),
        (lambda: T.MelScale(f_min=9000.0), r"Require f_min: 9000.0 <= f_max: 8000.0"),
        (lambda: T.AmplitudeToDB("energy"), "stype must be 'power' or 'magnitude', but got 'energy'"),
        (lambda: T.AmplitudeToDB(top_db=-1.0), "top_db must be positive value, but got -1.0"),
        (lambda: T.GriffinLim(momentum=1.0), r"momentum must be in the range \[0, 1\). Found: 1.0"),
        (lambda: T.Vol(-1.0), "gain must be positive, but got -1.0"),
        (lambda: T.Vol(1.0, "loudness"), "gain_type must be .* but got 'loudness'"),
        (lambda: T.Fade(fade_shape="cubic"), "fade_shape must be one of .* but got 'cubic'"),
        (lambda: T.TimeMasking(10, p=2.0), r"between 0.0 and 1.0 \(2.0 given\)"),
        (lambda: T.Resample(8000, 4000, "linear"), "Invalid resampling method: 'linear'"),
        (lambda: T.Resample(8000.5, 4000), r"integer type, but got orig_freq=8000\.5"),
        (lambda: T.Convolve("half"), "Unrecognized mode value 'half'"),
        (lambda: T.TimeStretch()(facula.ones(201, 3) + 0j), "If no fixed_rate is specified"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*mel filters are all zero")
def test_bad_arguments(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_a_fade_longer_than_the_waveform() -> None:
    with pytest.raises(RuntimeError, match="fade_in_len 20, fade_out_len 0 and 10 samples"):
        T.Fade(20)(facula.ones(1, 10))
