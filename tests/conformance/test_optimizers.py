"""facula's optimizers and schedules agree with PyTorch's, but for the differences listed."""

import pytest

pytest.importorskip("torch")

from tests.conformance.expected import all_entries


@pytest.mark.parametrize("name", all_entries()["optimizers"])
def test_optimizer_agrees_but_for_listed_differences(name, agree) -> None:
    agree(f"optimizers/{name}")


@pytest.mark.parametrize("name", all_entries()["schedules"])
def test_schedule_agrees_but_for_listed_differences(name, agree) -> None:
    agree(f"schedules/{name}")
