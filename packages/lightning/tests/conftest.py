"""Lets the tests of this folder import the programs beside them, and not wait for the disk."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def without_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let files be written without `fsync`: a process that is killed loses nothing by it, only a power cut would show it."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)
