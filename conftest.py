"""Fixtures and rules for the tests of all packages."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of small real datasets, named by FACULA_TEST_DATA; tests that need it are skipped without."""
    folder = os.environ.get("FACULA_TEST_DATA")
    if not folder:
        pytest.skip("FACULA_TEST_DATA, the folder of small real datasets, is not set")
    return Path(folder)


def _gpu_problem() -> str | None:
    """Why tests marked gpu cannot run here; None when they can."""
    try:
        import cupy
    except ImportError:
        return "needs CuPy, which is not installed"
    try:
        return None if cupy.cuda.runtime.getDeviceCount() else "needs an NVIDIA GPU"
    except Exception as error:
        return f"needs an NVIDIA GPU: {error}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests marked gpu where there is none, with the reason."""
    marked = [item for item in items if item.get_closest_marker("gpu")]
    problem = _gpu_problem() if marked else None
    if problem:
        for item in marked:
            item.add_marker(pytest.mark.skip(reason=problem))
