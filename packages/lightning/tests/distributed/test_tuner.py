"""A search for a learning rate on several ranks finds what one process finds with the whole batches."""

from pathlib import Path

import numpy as np
import pytest
from tuner_program import search


@pytest.mark.parametrize("start", ["tcp"], indirect=True)
def test_a_search_is_that_of_one_process(answer, tmp_path: Path) -> None:
    found, alone = answer("tuner_program.py", 2), search(tmp_path, 4)
    np.testing.assert_allclose(found["loss"], alone["loss"], rtol=1e-9)
    assert found["lr"] == alone["lr"] and found["same"] and alone["same"]
