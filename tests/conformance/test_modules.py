"""facula's modules agree with PyTorch's on the samples of its database, but for the differences listed."""

import pytest

pytest.importorskip("torch")

from tests.conformance.expected import all_entries


@pytest.mark.parametrize("name", all_entries()["modules"])
def test_module_agrees_but_for_listed_differences(name, agree) -> None:
    agree(f"modules/{name}")
