"""facula has PyTorch's public names, but for those listed."""

import pytest

pytest.importorskip("torch")

from tests.conformance.expected import all_entries


@pytest.mark.parametrize("name", all_entries()["names"])
def test_names_are_there_but_for_listed_ones(name, agree) -> None:
    agree(f"names/{name}")
