"""Deltas and sliding mean normalisation against plain loops."""

import facula
import facula_audio.functional as F
import numpy as np
import pytest
from facula import Tensor
from facula.autograd import gradcheck


def test_deltas_are_least_squares_slopes(stereo: Tensor) -> None:
    features = stereo[:, :60].reshape(2, 3, 20).double()
    found = F.compute_deltas(features, win_length=7).numpy()
    padded = np.pad(features.numpy(), [(0, 0), (0, 0), (3, 3)], mode="edge")
    for t in range(20):
        slope = np.polyfit(np.arange(-3, 4), padded[:, :, t : t + 7].reshape(6, 7).T, 1)[0]
        np.testing.assert_allclose(found[:, :, t].reshape(6), slope, atol=1e-12)


@pytest.mark.parametrize("norm_vars", [False, True])
def test_sliding_mean_over_the_past(stereo: Tensor, norm_vars: bool) -> None:
    features = stereo[:, :120].reshape(2, 40, 3).double()
    found = F.sliding_window_cmn(features, cmn_window=10, min_cmn_window=4, norm_vars=norm_vars).numpy()
    array = features.numpy()
    for t in range(40):
        window = array[:, max(t - 10, 0) : max(t + 1, 4)]
        expected = array[:, t] - window.mean(1)
        if norm_vars:
            expected = expected / window.std(1)
        np.testing.assert_allclose(found[:, t], expected, atol=1e-9)


def test_a_window_longer_than_the_features_gives_their_mean(stereo: Tensor) -> None:
    features = stereo.reshape(2, 100, 16)
    found = F.sliding_window_cmn(features, cmn_window=600, center=True)
    np.testing.assert_allclose(found.numpy(), (features - features.mean(1, keepdim=True)).numpy(), atol=1e-5)


def test_gradients(stereo: Tensor) -> None:
    features = stereo[:, :24].double().reshape(2, 4, 6).requires_grad_()
    assert gradcheck(F.compute_deltas, (features,))
    assert gradcheck(lambda x: F.sliding_window_cmn(x, 3, 2, center=True), (features,))


def test_bad_window() -> None:
    with pytest.raises(ValueError, match="greater than or equal to 3. Found win_length 2"):
        F.compute_deltas(facula.ones(1, 10), win_length=2)
