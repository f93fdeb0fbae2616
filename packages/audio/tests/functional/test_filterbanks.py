"""Filter banks and the cosine transform."""

import facula
import facula_audio.functional as F
import numpy as np
import pytest


@pytest.mark.parametrize("mel_scale", ["htk", "slaney"])
def test_mel_filters_are_triangles_of_height_one(mel_scale: str) -> None:
    filters = F.melscale_fbanks(2001, 0.0, 4000.0, 20, 8000, None, mel_scale).numpy()
    assert (filters >= 0).all()
    np.testing.assert_allclose(filters.max(axis=0), 1.0, atol=0.05)
    # between the first peak and the last, neighbours add up to one
    peaks = filters.argmax(axis=0)
    assert (np.diff(peaks) > 0).all()
    np.testing.assert_allclose(filters[peaks[0] + 1 : peaks[-1]].sum(axis=1), 1.0, atol=1e-4)


@pytest.mark.parametrize("mel_scale", ["htk", "slaney"])
def test_slaney_norm_gives_equal_areas(mel_scale: str) -> None:
    filters = F.melscale_fbanks(4001, 0.0, 4000.0, 20, 8000, "slaney", mel_scale).numpy()
    np.testing.assert_allclose(filters.sum(axis=0), 1.0, rtol=1e-3)  # 1 Hz a bin


def test_a_known_mel() -> None:
    """1000 Hz is 1000 mel in HTK's scale (999.99) and 15 in Slaney's."""
    edges = F.melscale_fbanks(8001, 0.0, 1000.0, 14, 16000, None, "slaney").numpy()
    np.testing.assert_array_equal(edges.argmax(axis=0), np.round(np.arange(1, 15) * 1000 / 15))


def test_linear_filters() -> None:
    filters = F.linear_fbanks(9, 0.0, 4000.0, 3, 8000)
    expected = [[0, 0.5, 1, 0.5, 0, 0, 0, 0, 0], [0, 0, 0, 0.5, 1, 0.5, 0, 0, 0], [0, 0, 0, 0, 0, 0.5, 1, 0.5, 0]]
    np.testing.assert_allclose(filters.numpy().T, expected)


def test_dct_is_the_transform_of_the_mirrored_signal() -> None:
    """The plain DCT-II is the Fourier transform of a signal and its mirror image, seen from half a sample before it."""
    values = np.linspace(-1, 2, 20) ** 2
    mirrored = np.fft.fft(np.concatenate([values, values[::-1]]))[:13]
    expected = (mirrored * np.exp(-0.5j * np.pi * np.arange(13) / 20)).real
    np.testing.assert_allclose(values @ F.create_dct(13, 20, None).double().numpy(), expected, atol=5e-5)


def test_the_orthonormal_dct_is_orthonormal() -> None:
    matrix = F.create_dct(20, 20, "ortho").double().numpy()
    np.testing.assert_allclose(matrix.T @ matrix, np.eye(20), atol=1e-5)
    plain = F.create_dct(20, 20, None).double().numpy()
    np.testing.assert_allclose(plain / matrix, [[2 * np.sqrt(20)] + [2 * np.sqrt(10)] * 19] * 20, rtol=1e-3)


def test_too_many_filters_warn() -> None:
    with pytest.warns(UserWarning, match=r"\d+ of 128 mel filters are all zero: n_mels \(128\)"):
        F.melscale_fbanks(101, 0.0, 8000.0, 128, 16000)


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="norm must be one of None or \"slaney\", but got 'area'"):
        F.melscale_fbanks(201, 0.0, 4000.0, 20, 8000, norm="area")
    with pytest.raises(ValueError, match='mel_scale should be one of "htk" or "slaney", but got \'bark\''):
        F.melscale_fbanks(201, 0.0, 4000.0, 20, 8000, mel_scale="bark")
    with pytest.raises(ValueError, match="norm must be either \"ortho\" or None, but got 'unit'"):
        F.create_dct(13, 20, "unit")


def test_dtype_and_memory() -> None:
    dct = F.create_dct(13, 20, "ortho")
    assert dct.dtype == facula.float32
    assert dct.is_contiguous()
