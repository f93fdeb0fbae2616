"""Where the tests find real data."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real datasets."""
    folder = os.environ.get("FACULA_TEST_DATA")
    if not folder:
        pytest.skip("FACULA_TEST_DATA is not set")
    return Path(folder)
