"""The list of expected differences, and the processes that find them."""

import pytest

pytest.importorskip("torch")

from tests.conformance.expected import all_entries, complaints, read
from tests.conformance.runner import Runner


def test_listed_entries_are_entries() -> None:
    known = {f"{kind}/{name}" for kind, names in all_entries().items() for name in names}
    assert set(read()) <= known


def test_healed_new_and_unexplained_differences_are_complaints() -> None:
    outcome = {"forward": None, "grad": "other values", "out": "other values", "errors": "accepted"}
    expected = {"forward": "differs: it did", "out": " ", "errors": "to do: it accepts"}
    assert complaints("operators/add", outcome, expected) == [
        "operators/add forward: agrees with PyTorch now; strike it off expected_differences.toml",
        "operators/add grad: other values",
        "operators/add out: expected_differences.toml gives no reason (other values)",
    ]


def test_an_entry_whose_process_ends_costs_that_entry_alone() -> None:
    runner = Runner(["operators/no such", "schedules/StepLR"], processes=1)
    assert runner.outcome("operators/no such") == {"end": "the process ended with 1"}
    assert runner.outcome("schedules/StepLR") == {"rates": None, "state": None}
    runner.close()
