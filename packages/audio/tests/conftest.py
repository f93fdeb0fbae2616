"""Fixtures: the folder of real test data, and signals made on the spot."""

import os
from pathlib import Path

import facula
import numpy as np
import pytest
from facula import Tensor


@pytest.fixture
def test_data() -> Path:
    """Return the folder of real data, or skip where there is none."""
    folder = os.environ.get("FACULA_TEST_DATA")
    if not folder:
        pytest.skip("FACULA_TEST_DATA is not set")
    return Path(folder)


@pytest.fixture
def audio_data(test_data: Path) -> Path:
    """Return the folder of real sound files."""
    return test_data / "audio"


@pytest.fixture
def stereo() -> Tensor:
    """Return two channels of 0.2 s at 8 kHz: a chirp, and two sines under a slow envelope; peak below 1."""
    n = np.arange(1600)
    chirp = 0.8 * np.sin(2e-4 * n**2 + 0.1)
    sines = np.sin(0.3 * n) * 0.4 * np.cos(0.002 * n) + 0.3 * np.sin(1.1 * n + 1)
    return facula.from_numpy(np.stack([chirp, sines]).astype(np.float32))
